import type { Event, EventInput } from "../model/event.ts";

/**
 * Where a source read stopped: everything before `time` was read, and `seen` names the records at or after the start of the
 * overlap window that were delivered already. Kept by the ledger in the transaction of the events that it covers. `{ time, seen: [] }`
 * starts a read at `time`.
 */
export interface Cursor {
  /** RFC 3339 UTC. */
  readonly time: string;
  /** RFC 3339 UTC; nothing older is read, whatever the overlap. Set by the source; a cursor without it starts at its own `time`. */
  readonly floor?: string;
  /** Id of the last record at `time`, for vendors that page by it. */
  readonly id?: string;
  readonly seen: readonly string[];
}

export interface Page {
  readonly events: readonly EventInput[];
  /** The cursor to store with these events. */
  readonly cursor: Cursor;
}

export interface ReadRequest {
  /** Undefined on the first read ever. */
  readonly cursor: Cursor | undefined;
  /** Read only what changed before this instant (backfill); absent means up to now less the source's lag. */
  readonly until?: string;
  readonly signal: AbortSignal;
}

/**
 * One thing that can be polled. `read` yields pages in time order and ends when it has caught up; it may be stopped between pages and
 * resumed from the last page's cursor. A record may come again (overlap): the ledger dedupes by event id, so ids must be
 * the same on every read of the same change.
 */
export interface Source {
  readonly description: string;
  /** How often it is polled unless the configuration says otherwise, such as `5m`. */
  readonly every: string;
  readonly read: (request: ReadRequest) => AsyncIterable<Page>;
}

/**
 * Fetches what an event lacks (its order, its customer), or returns the event as it is when nothing is missing. Called in a worker before
 * `when` and mapping; caches inside. Its errors are classified like a target's: a 429 waits, a 5xx retries.
 */
export type Enricher = (event: Event, signal: AbortSignal) => Promise<Event>;
