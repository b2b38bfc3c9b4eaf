import type { Logger } from "../telemetry/logger.ts";

const quietMs = 10_000;

/** Says which requests were refused, without letting whoever sends them fill the disk. */
export interface RefusalLog {
  /** Logs the first refusal of its kind, then at most one every ten seconds with the number that were kept back. */
  readonly note: (connection: string, code: string, request: string) => void;
}

export function createRefusalLog(logger: Logger, now: () => number): RefusalLog {
  const kinds = new Map<string, { loggedAt: number; keptBack: number }>();
  return {
    note: (connection, code, request) => {
      const key = `${connection} ${code}`;
      const kind = kinds.get(key) ?? { loggedAt: Number.NEGATIVE_INFINITY, keptBack: 0 };
      kinds.set(key, kind);
      if (now() - kind.loggedAt < quietMs) {
        kind.keptBack += 1;
        return;
      }
      logger.warn({ connection, code, request, keptBack: kind.keptBack }, "webhook refused");
      kind.loggedAt = now();
      kind.keptBack = 0;
    },
  };
}
