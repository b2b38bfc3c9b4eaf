/** Live traffic goes before backfill, backfill before exports. */
export type RingPriority = "live" | "backfill" | "export";

/** The most lanes that one ring names. */
export const maxLanesPerRing = 50;

/** "There is mail in these lanes of this target." Carries no payload: the mail is in the ledger. */
export interface Ring {
  readonly target: string;
  readonly lanes: readonly string[];
  readonly priority: RingPriority;
}

/** What a ring's handler returns. `snooze` puts the same ring back to come again at `until` (milliseconds since the epoch). */
export type RingOutcome = { readonly kind: "done" } | { readonly kind: "snooze"; readonly until: number };

export interface RingOptions {
  readonly priority?: RingPriority;
  /** Not before this time, in milliseconds since the epoch; at once when absent. */
  readonly at?: number;
}

/** When a scheduled job comes: every so many milliseconds, or by a cron expression in an IANA time zone. */
export type Timetable = { readonly everyMs: number } | { readonly cron: string; readonly timezone: string };

/** Works a tick; the signal is aborted when its timetable is being closed. */
export type TickHandler = (signal: AbortSignal, dueAt: number) => Promise<void>;

export interface QueueDepth {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
}

/** Stops taking rings, waits for those being handled up to the time given, then lets go. */
export interface QueueWorker {
  readonly close: (withinMs: number) => Promise<void>;
}

/**
 * The doorbell. Losing everything in it loses nothing: the sweeper rings again for every lane with due mail. A ring may come twice or
 * late; exclusivity and order come from the ledger's leases.
 */
export interface Queue {
  /** Rings for these lanes. Gathered for a few milliseconds with others of the same target; never throws, faults are counted and logged. */
  readonly ring: (target: string, lanes: readonly string[], options?: RingOptions) => void;
  /** Resolves when every ring so far has reached the backend or has failed to. */
  readonly flush: () => Promise<void>;
  /**
   * Handles rings of one target, `concurrency` at a time in this process. The signal is aborted when the worker is being closed. A ring whose
   * handler throws is dropped and counted (the sweeper brings its lanes back).
   */
  readonly work: (
    target: string,
    concurrency: number,
    handler: (ring: Ring, signal: AbortSignal) => Promise<RingOutcome>,
  ) => Promise<QueueWorker>;
  /**
   * Runs `handler` by the timetable, each tick in one process only, whichever is free. The same name set again replaces the timetable.
   * A tick whose predecessor still runs is left out. The handler also gets the time that the tick is for, in milliseconds since the epoch: the same
   * when a tick comes twice, or late.
   */
  readonly schedule: (name: string, timetable: Timetable, handler: TickHandler) => Promise<QueueWorker>;
  /** Removes the timetable of a name that is no longer configured. */
  readonly unschedule: (name: string) => Promise<void>;
  /** Names that have a timetable now. */
  readonly scheduled: () => Promise<readonly string[]>;
  readonly depth: (target: string) => Promise<QueueDepth>;
  /** Throws `queue_unavailable` when the backend does not answer. */
  readonly ping: () => Promise<void>;
  readonly close: () => Promise<void>;
}
