import { setTimeout as pause } from "node:timers/promises";

/**
 * When something last went on. Runs give up by it rather than by a fixed time: a busy machine makes everything slow, but only what is lost or
 * stuck stands still.
 */
export interface Progress {
  /** Something went on. */
  readonly note: () => void;
  /** For how many milliseconds nothing has. */
  readonly idleMs: () => number;
  /** Resolves when nothing went on for so long; never rejects, and resolves at once when the signal is aborted. */
  readonly standstill: (forMs: number, signal: AbortSignal) => Promise<void>;
}

export function createProgress(): Progress {
  let lastAt = performance.now();
  const idleMs = (): number => performance.now() - lastAt;
  return {
    note: () => {
      lastAt = performance.now();
    },
    idleMs,
    standstill: async (forMs, signal) => {
      while (!signal.aborted && idleMs() < forMs) {
        await pause(forMs - idleMs(), undefined, { signal }).catch(() => undefined);
      }
    },
  };
}
