import type { Logger } from "pino";

/** Writes about faults that come in swarms while a backend is away: the first at once, then a count every few seconds. */
export interface FaultLog {
  readonly report: (what: string, error: unknown, facts?: Readonly<Record<string, unknown>>) => void;
}

/** A fault log whose lines of one kind are at least `everyMs` apart. */
export function createFaultLog(logger: Logger, everyMs: number, now: () => number): FaultLog {
  const kinds = new Map<string, { until: number; suppressed: number }>();
  return {
    report: (what, error, facts = {}) => {
      const kind = kinds.get(what);
      if (kind !== undefined && now() < kind.until) {
        kind.suppressed += 1;
        return;
      }
      const suppressed = kind?.suppressed ?? 0;
      kinds.set(what, { until: now() + everyMs, suppressed: 0 });
      logger.warn({ ...facts, ...describe(error), ...(suppressed > 0 ? { suppressed } : {}) }, what);
    },
  };
}

/** Drivers hang the failed command with its arguments on their errors; only code and message are written. */
function describe(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  return { ...code, message: error.message };
}
