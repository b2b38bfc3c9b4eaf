import type { Logger } from "pino";
import {
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
} from "rate-limiter-flexible";
import { AppError } from "../errors.ts";
import type { Budget, BudgetLimit } from "./budget.ts";
import { type Answer, BudgetLine, type Counter } from "./budget-line.ts";
import { createFaultLog, type FaultLog } from "./fault-log.ts";
import { connected, connectRedis, parseRedisUrl } from "./redis-url.ts";
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

interface Limiter {
  readonly points: number;
  readonly consume: (key: string, points: number) => Promise<RateLimiterRes>;
  readonly get: (key: string) => Promise<RateLimiterRes | null>;
}

interface TargetBudget {
  readonly limit: BudgetLimit;
  readonly limiter: Limiter;
  readonly line: BudgetLine;
}

interface Store {
  readonly limiter: (points: number, seconds: number) => Limiter;
  readonly close: () => void;
}

const answerMs = 1_000;
/** With the store away, this long passes before it is asked again. */
const restMs = 1_000;
const faultLinesEveryMs = 10_000;

/**
 * A budget counted in Redis or PostgreSQL, shared by all processes. It counts calls in windows of `perSeconds` that begin with the first
 * call; a target that looks at sliding windows may see the end of one and the beginning of the next together. While the store is away every
 * process counts by itself rather than stop.
 */
export async function openBudget(options: BudgetOptions): Promise<Budget> {
  const faults = createFaultLog(options.logger, faultLinesEveryMs, () => performance.now());
  const store = await openStore(options, faults);
  const targets = new Map<string, TargetBudget>();
  return {
    setLimit: (target, limit) => {
      const present = targets.get(target);
      if (present?.limit.calls === limit?.calls && present?.limit.perSeconds === limit?.perSeconds) return;
      if (limit === undefined) {
        targets.delete(target);
        present?.line.dissolve();
        return;
      }
      const { points, seconds } = wholeSeconds(limit);
      const limiter = store.limiter(points, seconds);
      const alone = new RateLimiterMemory({ points, duration: seconds });
      const counter = { calls: points, consume: consumer(target, limiter, alone, faults) };
      const line = present?.line ?? new BudgetLine(counter);
      line.changeCounter(counter);
      targets.set(target, { limit, limiter, line });
    },
    take: async (target, weight, signal) => {
      signal.throwIfAborted();
      await targets.get(target)?.line.take(weight, signal);
    },
    remaining: async (target) => {
      const limiter = targets.get(target)?.limiter;
      if (limiter === undefined) return undefined;
      const state = await withTimeLimit(limiter.get(target), answerMs);
      return state?.remainingPoints ?? limiter.points;
    },
    close: async () => {
      for (const { line } of targets.values())
        line.dissolve(new AppError("internal", "the budget was closed"));
      targets.clear();
      store.close();
    },
  };
}

/** Counts in the store, or in this process while the store does not answer. */
function consumer(target: string, shared: Limiter, alone: Limiter, faults: FaultLog): Counter["consume"] {
  let askAgainAt = 0;
  return async (weight) => {
    if (performance.now() >= askAgainAt) {
      try {
        return await answer(withTimeLimit(shared.consume(target, weight), answerMs));
      } catch (error) {
        askAgainAt = performance.now() + restMs;
        faults.report("rate budget is counted by each process alone until its store is back", error, {
          target,
        });
      }
    }
    return answer(alone.consume(target, weight));
  };
}

/** The limiter says no by rejecting with what it would have resolved with. */
async function answer(consumed: Promise<RateLimiterRes>): Promise<Answer> {
  try {
    const { remainingPoints, msBeforeNext } = await consumed;
    return { granted: true, remaining: remainingPoints, windowEndsInMs: msBeforeNext };
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes)
      return { granted: false, remaining: 0, windowEndsInMs: refusal.msBeforeNext };
    throw refusal;
  }
}

/** The limiter knows whole seconds only. */
function wholeSeconds({ calls, perSeconds }: BudgetLimit): {
  readonly points: number;
  readonly seconds: number;
} {
  const seconds = Math.max(1, Math.ceil(perSeconds));
  return { points: Math.max(1, Math.floor((calls * seconds) / perSeconds)), seconds };
}

async function openStore(
  { redisUrl, postgresPool, namespace }: BudgetOptions,
  faults: FaultLog,
): Promise<Store> {
  if (redisUrl !== undefined) {
    const client = connectRedis(parseRedisUrl(redisUrl), "failingFast");
    client.on("error", (error) => faults.report("redis connection fault", error));
    await connected(client);
    const keyPrefix = `${namespace ?? "deskbridge"}:budget`;
    return {
      limiter: (points, duration) =>
        new RateLimiterRedis({
          storeClient: client,
          keyPrefix,
          points,
          duration,
          rejectIfRedisNotReady: true,
        }),
      close: () => client.disconnect(),
    };
  }
  const schemaName = namespace ?? "deskbridge_queue";
  await prepareTable(asPool(postgresPool), schemaName);
  const table = { tableName, schemaName, tableCreated: true, clearExpiredByTimeout: false };
  return {
    limiter: (points, duration) =>
      new RateLimiterPostgres({
        storeClient: postgresPool,
        storeType: "pool",
        keyPrefix: "",
        points,
        duration,
        ...table,
      }),
    close: () => undefined,
  };
}

const tableName = "budget";

interface PostgresPool {
  readonly query: (text: string) => Promise<unknown>;
}

function asPool(value: unknown): PostgresPool {
  if (typeof value === "object" && value !== null && "query" in value && typeof value.query === "function") {
    return value as PostgresPool;
  }
  throw new AppError("internal", "the rate budget needs the URL of a Redis or a PostgreSQL pool");
}

/** Unlogged: counting a call must not wait for the disk, and after a crash of the server the windows are over anyway. */
async function prepareTable(pool: PostgresPool, schema: string): Promise<void> {
  try {
    await pool.query(
      `DO $$ BEGIN
         PERFORM pg_advisory_xact_lock(hashtext('deskbridge budget table'));
         CREATE SCHEMA IF NOT EXISTS "${schema}";
         CREATE UNLOGGED TABLE IF NOT EXISTS "${schema}"."${tableName}" (
           key varchar(255) PRIMARY KEY, points integer NOT NULL DEFAULT 0, expire bigint
         ) WITH (fillfactor = 50);
       END $$`,
    );
  } catch (cause) {
    throw new AppError("queue_unavailable", "the rate budget's table could not be prepared in PostgreSQL", {
      cause,
    });
  }
}
