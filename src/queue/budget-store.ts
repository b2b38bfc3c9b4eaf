import type { AccountUsage } from "./budget-state.ts";

/** Live, backfill, export: the index is the rank, the lowest goes first. */
export type ByPriority = readonly [live: number, backfill: number, exports: number];

/** What the vendor said, as it is told to the store. */
export interface BudgetNews {
  /** Calls that the vendor allows in a window. */
  readonly limit?: number;
  /** Calls that the vendor has counted. What we know nothing of was made by somebody else. */
  readonly used?: number;
  /** When the vendor forgets them, in milliseconds; a whole window unless told. */
  readonly resetMs?: number;
  /** For how long nothing may be sent. */
  readonly closeMs?: number;
}

/** One question to the store; written to it as JSON. */
export interface BudgetAsk {
  readonly process: string;
  /** The declared limit, and whether what the vendor says may raise it. */
  readonly calls: number;
  readonly ceiling: boolean;
  /** How long a call counts, in milliseconds: the vendor's window and a margin. */
  readonly windowMs: number;
  /** Calls are gathered in slices of so many milliseconds. */
  readonly sliceMs: number;
  /** Weight and priority of those who want to go, in their order. */
  readonly weights: readonly number[];
  readonly ranks: readonly number[];
  /** Weight of all who wait in this process. */
  readonly waiting: ByPriority;
  /** For how long they wait at least, in milliseconds. */
  readonly waitsMs: number;
  /** The state of the store that this process counted in last; empty when in none. */
  readonly epoch: string;
  /** Weight of this process in its window, which counts when the store has lost its state. */
  readonly own: number;
  /** Weight that this process let through without the store. */
  readonly owed: number;
  readonly news: BudgetNews;
  /** Asks without leaving a trace. */
  readonly look: boolean;
}

/** The store's answer. */
export interface BudgetAnswer {
  /** How many of those who want to go may, from the first on. */
  readonly granted: number;
  /** When the next may ask again; 0 when all were granted. */
  readonly waitMs: number;
  readonly epoch: string;
  /** Calls of a window, as they are in force. */
  readonly limit: number;
  readonly used: number;
  /** Weight that waits in other processes. */
  readonly waiting: number;
  /** Processes that asked in the last minute, this one included. */
  readonly processes: number;
  readonly closedMs: number;
}

/** Where the calls of all processes are counted. Each question is answered in one step that nothing can come between. */
export interface BudgetStore {
  readonly ask: (account: string, ask: BudgetAsk) => Promise<BudgetAnswer>;
  /** Every account that some process asked about in the last minute. */
  readonly list: () => Promise<readonly AccountUsage[]>;
  readonly close: () => void;
}
