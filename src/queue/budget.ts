import type { CallGate } from "../sdk/call-gate.ts";

/** How many calls a target account takes in how long. */
export interface BudgetLimit {
  readonly calls: number;
  readonly perSeconds: number;
  /** True for a limit that the operator set: what the vendor says can lower it, never raise it. */
  readonly ceiling?: boolean;
}

/** An account's budget as it stands, over all processes. */
export interface BudgetUsage {
  /** Calls allowed in a window: the declared limit, or what the vendor said since. */
  readonly limit: number;
  /** Calls of the present window, those included that others made on the account. */
  readonly used: number;
  /** Weight of the calls that wait. */
  readonly waiting: number;
  /** For how long the vendor wants to be left alone still, in milliseconds. */
  readonly closedMs: number;
}

/**
 * The calls that target accounts let us make, counted over all processes: never more than the limit in any stretch of `perSeconds`. Live
 * traffic goes first, then backfill, then exports; of the same kind first come, first served within a process.
 */
export interface Budget {
  /** Sets an account's limit; without one its gate lets everybody through. */
  readonly setLimit: (account: string, limit: BudgetLimit | undefined) => void;
  /** What an account's HTTP clients wait at. Rejects those who wait with `internal` when the budget is closed. */
  readonly gate: (account: string) => CallGate;
  /** Undefined for an account without a limit. Rejects when the store does not answer. */
  readonly usage: (account: string) => Promise<BudgetUsage | undefined>;
  /** The accounts that some process asked about in the last minute, whoever set their limits. Rejects when the store does not answer. */
  readonly inUse: () => Promise<readonly (BudgetUsage & { readonly account: string })[]>;
  readonly close: () => Promise<void>;
}
