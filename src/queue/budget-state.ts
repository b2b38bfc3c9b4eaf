import type { BudgetUsage } from "./budget.ts";

/** An account as its store keeps it. Times are in milliseconds on the store's clock. */
export interface AccountState {
  /** When weight is forgotten, and how much then. */
  readonly spent: readonly (readonly number[])[];
  /** For each process: seen until, waits until, weight that waits by priority, and the limit in force. */
  readonly processes: readonly (readonly number[])[];
  /** Until when nothing may be sent. */
  readonly closed: number;
}

export type AccountUsage = BudgetUsage & { readonly account: string };

/** How an account stands; undefined when no process has asked about it in the last minute. */
export function usageOf(
  account: string,
  { spent, processes, closed }: AccountState,
  now: number,
): AccountUsage | undefined {
  const seen = processes
    .filter(([until = 0]) => until > now)
    .toSorted(([one = 0], [other = 0]) => other - one);
  const limit = seen[0]?.[5];
  if (limit === undefined) return undefined;
  const used = sum(spent.filter(([over = 0]) => over > now).map(([, weight = 0]) => weight));
  const waiting = sum(seen.filter(([, until = 0]) => until > now).flatMap((each) => each.slice(2, 5)));
  return { account, limit, used, waiting, closedMs: Math.max(0, closed - now) };
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0);
}
