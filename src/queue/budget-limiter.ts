import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { AppError } from "../errors.ts";
import type { CallGate } from "../sdk/call-gate.ts";
import type { Budget, BudgetLimit } from "./budget.ts";
import { BudgetCounter } from "./budget-counter.ts";
import type { CounterDeps } from "./budget-counter.ts";
import { BudgetLine } from "./budget-line.ts";
import { closingOf } from "./budget-news.ts";
import { openPostgresBudget } from "./budget-postgres.ts";
import { openRedisBudget } from "./budget-redis.ts";
import { createFaultLog } from "./fault-log.ts";
import { withTimeLimit } from "./time-limit.ts";

export interface BudgetOptions {
  /** The same URL as the queue's. */
  readonly redisUrl?: string | undefined;
  /** A pool of the PostgreSQL driver, used when there is no `redisUrl`; it stays the caller's to close. */
  readonly postgresPool?: unknown;
  readonly logger: Logger;
  /** Prefix of the keys (`deskbridge` unless told), or the schema of the table (`deskbridge_queue`). */
  readonly namespace?: string;
}

interface Account {
  readonly counter: BudgetCounter;
  readonly line: BudgetLine;
}

const faultLinesEveryMs = 10_000;
const listMs = 5_000;

/** A budget counted in Redis or PostgreSQL, shared by all processes. While the store is away every process goes on with its part of it. */
export async function openBudget({
  redisUrl,
  postgresPool,
  logger,
  namespace,
}: BudgetOptions): Promise<Budget> {
  const now = (): number => performance.now();
  const faults = createFaultLog(logger, faultLinesEveryMs, now);
  const store =
    redisUrl === undefined
      ? await openPostgresBudget(postgresPool, namespace ?? "deskbridge_queue")
      : await openRedisBudget(redisUrl, namespace ?? "deskbridge", faults);
  const deps: CounterDeps = { store, process: randomUUID(), logger, faults, now };
  const accounts = new Map<string, Account>();
  return {
    setLimit: (name, limit) => {
      const present = accounts.get(name);
      if (limit === undefined) {
        accounts.delete(name);
        present?.line.dissolve();
      } else if (present === undefined) accounts.set(name, openAccount(name, limit, deps));
      else changeLimit(present, limit);
    },
    gate: (name) => gateOf(() => accounts.get(name)),
    usage: async (name) => {
      const account = accounts.get(name);
      return account?.counter.usage(account.line.standing);
    },
    inUse: async () => {
      const found = await withTimeLimit(store.list(), listMs);
      return found.toSorted((one, other) => one.account.localeCompare(other.account));
    },
    close: async () => {
      for (const { line } of accounts.values())
        line.dissolve(new AppError("internal", "the budget was closed"));
      accounts.clear();
      store.close();
    },
  };
}

function openAccount(name: string, limit: BudgetLimit, deps: CounterDeps): Account {
  const counter = new BudgetCounter(name, limit, deps);
  return { counter, line: new BudgetLine((request) => counter.grant(request)) };
}

function changeLimit({ counter, line }: Account, limit: BudgetLimit): void {
  const { calls, perSeconds, ceiling = false } = counter.limit;
  if (calls === limit.calls && perSeconds === limit.perSeconds && ceiling === (limit.ceiling ?? false))
    return;
  counter.changeLimit(limit);
  line.reopen();
}

function gateOf(account: () => Account | undefined): CallGate {
  return {
    take: async (weight, priority, signal) => {
      signal?.throwIfAborted();
      await account()?.line.take(weight, priority, signal);
    },
    giveBack: (weight) => account()?.line.give(weight),
    learn: (reading) => {
      const present = account();
      if (present === undefined) return;
      const closeMs = closingOf(reading);
      if (closeMs > 0) present.line.closeFor(closeMs);
      void present.counter.learn(reading, present.line.standing);
    },
  };
}
