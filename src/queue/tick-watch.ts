import type { RingJob } from "./backend.ts";

/**
 * What this process has seen of the ticks that are under way in all processes. A process tells a sign of life with each of its ticks; one that
 * stays silent has died. Signs are compared with earlier ones, never with a clock of another process: BullMQ keeps locks on PostgreSQL by the
 * clock of the process that took them, and one ten minutes ahead would hold up what it left behind for as long.
 */
export interface TickWatch {
  /** Takes note of the ticks that are active now. Those that are not among them any more are forgotten. */
  readonly look: (active: readonly RingJob[]) => void;
  /** Whether nothing new was heard of a tick for longer than a living process lets pass; false until it was looked at for so long. */
  readonly isSilent: (tick: RingJob) => boolean;
}

interface Sighting {
  readonly sign: unknown;
  readonly at: number;
}

/** `silentAfterMs` is how long a living process lets pass at the most; `now` runs in milliseconds and is never set back. */
export function createTickWatch(silentAfterMs: number, now: () => number): TickWatch {
  const sightings = new Map<string, Sighting>();
  return {
    look: (active) => {
      const present = new Set(active.map(({ id }) => id));
      for (const id of sightings.keys()) if (!present.has(id)) sightings.delete(id);
      for (const { id = "", progress: sign } of active) {
        if (sightings.get(id)?.sign !== sign) sightings.set(id, { sign, at: now() });
      }
    },
    isSilent: ({ id = "" }) => {
      const seen = sightings.get(id);
      return seen !== undefined && now() - seen.at >= silentAfterMs;
    },
  };
}

/** Runs a tick's handler, with a sign of life every so often. A sign that cannot be given is left out: the next one may. */
export async function withSigns(job: RingJob, everyMs: number, run: Promise<void>): Promise<void> {
  let signs = 0;
  const timer = setInterval(() => void job.updateProgress((signs += 1)).catch(() => undefined), everyMs);
  timer.unref();
  try {
    await run;
  } finally {
    clearInterval(timer);
  }
}
