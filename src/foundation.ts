import { join } from "node:path";
import type { Environment } from "./config/environment.ts";
import { visitEmbeddedPostgres } from "./ledger/embedded-visit.ts";
import { openEmbeddedPostgres } from "./ledger/embedded.ts";
import type { PostgresLedger } from "./ledger/postgres.ts";
import { openLedger } from "./ledger/postgres.ts";
import { openBudget } from "./queue/budget-limiter.ts";
import type { Budget } from "./queue/budget.ts";
import { openBullmqQueue } from "./queue/bullmq.ts";
import type { Queue } from "./queue/queue.ts";
import type { CrashPoint } from "./telemetry/crash-point.ts";
import type { Logger } from "./telemetry/logger.ts";
import type { Metrics } from "./telemetry/metrics.ts";

interface FoundationOptions {
  readonly environment: Environment;
  readonly dataDir: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly maxWaitingAppends: number;
  /** True for a command that comes and goes: an embedded PostgreSQL that another process runs is used and left running. */
  readonly visiting: boolean;
  /** Absent for a command. */
  readonly crashPoint?: CrashPoint;
}

/** What every process stands on: the database, the queue and the shared budgets. */
export interface Foundation {
  readonly databaseUrl: string;
  readonly ledger: PostgresLedger;
  readonly queue: Queue;
  readonly budget: Budget;
  /** Closes all of it, the database last. */
  readonly close: () => Promise<void>;
}

/** Connects to `DATABASE_URL` and `REDIS_URL`, or does without: an embedded PostgreSQL in the data directory, and BullMQ on it. */
export async function openFoundation(options: FoundationOptions): Promise<Foundation> {
  const { environment, logger, metrics } = options;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const databaseUrl = environment.databaseUrl ?? (await openEmbedded(options, closers));
    const onError = (error: Error & { code?: string }): void => {
      logger.warn({ code: error.code ?? "unknown" }, "a connection to the database was lost");
    };
    const ledger = await openLedger({
      databaseUrl,
      maxWaitingAppends: options.maxWaitingAppends,
      // The data directory of an embedded database is locked: whoever held leases in it has been killed.
      sole: environment.databaseUrl === undefined && !options.visiting,
      onError,
    });
    closers.push(ledger.close);
    const { redisUrl } = environment;
    const queue = await openBullmqQueue({
      ...(redisUrl === undefined ? { postgresUrl: databaseUrl } : { redisUrl }),
      logger,
      onRings: metrics.rings,
      ...(options.crashPoint === undefined ? {} : { crashPoint: options.crashPoint }),
    });
    closers.push(queue.close);
    const budget = await openBudget({
      ...(redisUrl === undefined ? { postgresPool: ledger.pool } : { redisUrl }),
      logger,
    });
    closers.push(budget.close);
    return { databaseUrl, ledger, queue, budget, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openEmbedded(options: FoundationOptions, closers: (() => Promise<void>)[]): Promise<string> {
  const open = options.visiting ? visitEmbeddedPostgres : openEmbeddedPostgres;
  const postgres = await open({ dataDir: join(options.dataDir, "postgres"), logger: options.logger });
  closers.push(postgres.close);
  return postgres.url;
}
