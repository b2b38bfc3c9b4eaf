/** How many calls a target account takes in how long. */
export interface BudgetLimit {
  readonly calls: number;
  readonly perSeconds: number;
}

/** The calls a target account lets us make, counted over all processes. A target without a limit is never waited for. */
export interface Budget {
  readonly setLimit: (target: string, limit: BudgetLimit | undefined) => void;
  /** Resolves when a call of this weight may be made; rejects with the signal's reason when it is aborted first. */
  readonly take: (target: string, weight: number, signal: AbortSignal) => Promise<void>;
  /** Calls left in the present window, undefined for a target without a limit. */
  readonly remaining: (target: string) => Promise<number | undefined>;
  readonly close: () => Promise<void>;
}
