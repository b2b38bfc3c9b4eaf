import type { Event } from "../model/event.ts";
import type { Cursor } from "../sdk/source.ts";

export type DeliveryStatus = "pending" | "done" | "skipped" | "dead";
export type DeliveryPriority = "live" | "backfill";

/** One delivery to make of an event. One that is over before it began (its lane maps to nothing) is stored as `dead` with its reason. */
export interface NewDelivery {
  readonly flow: string;
  readonly target: string;
  readonly lane: string;
  readonly priority: DeliveryPriority;
  readonly dead?: { readonly code: string; readonly message: string };
}

export interface AppendItem {
  readonly event: Event;
  /** When we received it, in milliseconds since the epoch. */
  readonly receivedAt: number;
  /** How it came: `webhook`, `poll`, `backfill`, `replay`. */
  readonly via: string;
  readonly deliveries: readonly NewDelivery[];
}

export interface Appended {
  /** Position of the event in the ledger; of the first copy when this one is a duplicate. Undefined for a duplicate that was pruned meanwhile. */
  readonly sequence: number | undefined;
  readonly duplicate: boolean;
}

/** Moves a source's cursor in the transaction of the events that it covers. */
export interface CursorMove {
  readonly connection: string;
  readonly source: string;
  readonly cursor: Cursor;
}

/** The exclusive right to work on one lane for a while. `fence` grows with every lease of the ledger. */
export interface Lease {
  readonly target: string;
  readonly lane: string;
  readonly fence: number;
  /** On this process's monotonic clock (`performance.now()`), reckoned from before the request was sent. */
  readonly expiresAt: number;
}

/** A due delivery with its event. */
export interface Mail {
  readonly delivery: number;
  readonly sequence: number;
  readonly flow: string;
  /** Attempts made before this one. */
  readonly attempts: number;
  readonly event: Event;
  readonly receivedAt: number;
}

export interface LeasedLane {
  readonly lease: Lease;
  /** In order, never empty. */
  readonly mail: readonly Mail[];
}

export type Claim =
  | { readonly kind: "leased"; readonly lanes: readonly LeasedLane[] }
  /** Nothing was leased: the target is to be left alone for this long. */
  | { readonly kind: "paused"; readonly forMs: number };

/** What one attempt came to, as kept on record. Answers hold ids and the target's words about the fault, no personal data. */
export interface AttemptRecord {
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: "done" | "skipped" | "retry" | "snooze" | "dead";
  readonly code?: string;
  readonly message?: string;
  /** One entry an operation that was carried out. */
  readonly receipts: readonly Readonly<Record<string, unknown>>[];
}

export interface Settlement {
  readonly delivery: number;
  readonly status: DeliveryStatus;
  /** For a delivery that stays pending: how long from now it is due, in milliseconds. */
  readonly dueInMs?: number;
  /** False when the attempt does not count (a 429, a pause). */
  readonly counts: boolean;
  readonly attempt: AttemptRecord;
}

/** What a lane's settlement found: mail that came meanwhile (the lease is kept), or nothing due (the lease is given back). */
export interface Settled {
  readonly more: readonly Mail[];
  readonly lease: Lease | undefined;
  /** In how many milliseconds the lane's head is due, where the lane is not empty; 0 when it is due already but the target is paused. */
  readonly nextDueInMs: number | undefined;
}

export interface DueLane {
  readonly target: string;
  readonly lane: string;
  readonly priority: DeliveryPriority;
}

/**
 * The durable mailbox: events, deliveries, lanes, cursors. Calls that run at the same time share statements and commits. Leases, pauses
 * and due times are kept by the database's clock and go in and out as durations, so a process whose clock is off does no harm.
 */
export interface Ledger {
  /**
   * Stores an event with its deliveries and resolves when that is durable. Throws `ledger_busy` when too many appends wait already,
   * `ledger_unavailable` when the database cannot be reached; then nothing was stored.
   */
  readonly append: (item: AppendItem) => Promise<Appended>;
  /** Stores a page of polled events and moves the cursor, in one transaction. */
  readonly appendPage: (items: readonly AppendItem[], move: CursorMove) => Promise<readonly Appended[]>;
  readonly cursor: (connection: string, source: string) => Promise<Cursor | undefined>;

  /** Leases those of the lanes that have due mail and are free, and returns that mail. */
  readonly claim: (target: string, lanes: readonly string[], leaseMs: number) => Promise<Claim>;
  /** Records what became of a lane's deliveries and looks for more. Throws `lease_lost` when another worker holds the lane by now; then nothing was written. */
  readonly settle: (lease: Lease, settlements: readonly Settlement[], leaseMs: number) => Promise<Settled>;
  /** Prolongs a lease, or throws `lease_lost`. */
  readonly renew: (lease: Lease, leaseMs: number) => Promise<Lease>;
  /** Gives a lane back untouched. */
  readonly release: (lease: Lease) => Promise<void>;

  /** No lane of the target is leased for this long. A shorter pause does not cut a longer one. */
  readonly pauseTarget: (target: string, forMs: number, reason: string) => Promise<void>;
  /** Lanes with due mail that nobody holds, longest waiting first. */
  readonly dueLanes: (limit: number) => Promise<readonly DueLane[]>;
  /**
   * Deletes what is over and older than `before` (milliseconds since the epoch), `batch` events at a time; returns how many events went.
   * Events with a pending or dead delivery stay.
   */
  readonly prune: (before: number, batch: number, signal: AbortSignal) => Promise<number>;
  /** Appends that wait for the database right now. */
  readonly waitingAppends: () => number;

  /** Throws `ledger_unavailable` when the database does not answer. */
  readonly ping: () => Promise<void>;
  readonly close: () => Promise<void>;
}
