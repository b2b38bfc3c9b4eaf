import type { Event } from "../model/event.ts";
import type { EffectLog } from "../sdk/effect-log.ts";
import type { DatasetSource } from "../sdk/dataset-source.ts";
import type { Cursor } from "../sdk/source.ts";
import type { TokenStore } from "../sdk/token.ts";
import type { ExportLedger } from "./exports.ts";

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
  /** False when it may have been given to another worker already, before its time: to be renewed before anything is sent. */
  readonly isCertain: () => boolean;
}

/** A due delivery with its event. */
export interface Mail {
  readonly delivery: number;
  readonly sequence: number;
  readonly flow: string;
  /** Attempts made before this one. */
  readonly attempts: number;
  /** An earlier attempt, or an earlier delivery of the same event and flow, may have sent something: see `receipts`. */
  readonly again: boolean;
  /** Its data is what was put in its place for this delivery, where somebody edited it. */
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
  readonly receipts: readonly StoredReceipt[];
  /** `Config.version` of the configuration that it was made with. */
  readonly config?: string;
  /** What the flow mapped to, for an attempt that ends dead. Kept as it is, so without secrets; personal data is shown only when asked for. */
  readonly operations?: readonly unknown[];
}

/** What a target answered to one operation, as kept on record: ids and words of the target, no personal data. */
export type StoredReceipt = Readonly<Record<string, unknown>>;

export interface Settlement {
  readonly delivery: number;
  readonly status: DeliveryStatus;
  /** For a delivery that stays pending: how long from now it is due, in milliseconds. */
  readonly dueInMs?: number;
  /** With `dead`: its lane stands still until somebody retries, edits or discards it. Settlements behind it are not to be sent. */
  readonly hold?: boolean;
  /** False when the attempt does not count (a 429, a pause). */
  readonly counts: boolean;
  readonly attempt: AttemptRecord;
}

/** What a lane's settlement found: mail that came meanwhile (the lease is kept), or nothing due (the lease is given back). */
export interface Settled {
  readonly more: readonly Mail[];
  readonly lease: Lease | undefined;
  /**
   * In how many milliseconds the lane's head is due; 0 when it is due already but the target is paused. Undefined for a lane that is empty
   * or held.
   */
  readonly nextDueInMs: number | undefined;
}

export interface DueLane {
  readonly target: string;
  readonly lane: string;
  readonly priority: DeliveryPriority;
}

/** Which due mail to look for. */
export interface DueOptions {
  /** Mail that has been due for so long, in milliseconds; two seconds unless told: what is younger was rung for a moment ago. */
  readonly dueForMs?: number;
  /** Targets to leave out. Looking past a long backlog of theirs takes a look at each of its deliveries. */
  readonly except?: readonly string[];
}

export interface HeldLanes {
  readonly target: string;
  readonly lanes: number;
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

  /** The record of a delivery's writes to a target that takes no idempotency keys, for the worker that holds its lane. */
  readonly effectLog: (lease: Lease, delivery: number) => EffectLog;

  /** Runs of exports and where their tables stand. */
  readonly exports: ExportLedger;
  /** The dataset `deliveries`: this ledger's own record, safe against transactions that end late. */
  readonly deliveries: DatasetSource;

  /** Where the access token of a connection is kept, for all processes. */
  readonly tokens: (connection: string) => TokenStore;

  /** No lane of the target is leased for this long. A shorter pause does not cut a longer one. */
  readonly pauseTarget: (target: string, forMs: number, reason: string) => Promise<void>;
  /** Lanes with overdue mail that nobody holds, longest waiting first. What processes held that are gone is free from here on. */
  readonly dueLanes: (limit: number, options?: DueOptions) => Promise<readonly DueLane[]>;
  /** Makes the due deliveries to a target dead letters (`connection_unknown`), unless somebody holds their lanes; returns how many. */
  readonly giveUp: (target: string) => Promise<number>;
  /**
   * Deletes what is over and older than `before` (milliseconds since the epoch), `batch` events at a time; returns how many events went.
   * Events with a pending or dead delivery stay.
   */
  readonly prune: (before: number, batch: number, signal: AbortSignal) => Promise<number>;
  /**
   * What is on record as carried out for an event by a flow on a target, by earlier attempts at this delivery and by other deliveries; oldest
   * first. Worth asking for when the mail says `again`.
   */
  readonly receipts: (sequence: number, flow: string, target: string) => Promise<readonly StoredReceipt[]>;
  /** How many lanes of each target stand still behind a dead delivery that holds them; targets without are left out. */
  readonly heldLanes: () => Promise<readonly HeldLanes[]>;
  /** Appends that wait for the database right now. */
  readonly waitingAppends: () => number;

  /** Throws `ledger_unavailable` when the database does not answer. */
  readonly ping: () => Promise<void>;
  readonly close: () => Promise<void>;
}
