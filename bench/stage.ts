import { Redis } from "ioredis";
import { openEmbeddedPostgres } from "../src/ledger/embedded.ts";
import { temporaryDataDir } from "../test/support/data-dir.ts";
import { startRedis } from "../test/support/redis.ts";
import { startChild } from "./calls.ts";
import type { Child } from "./calls.ts";
import type { SenderHandlers } from "./child-sender.ts";
import type { StubHandlers } from "./child-stub.ts";
import type { Database } from "./database.ts";
import { createDatabase } from "./database.ts";
import type { BenchOptions } from "./options.ts";

/** Everything around the processes that are measured: servers, desk stub, sender. One for a whole run. */
export interface Stage {
  readonly options: BenchOptions;
  readonly redis: { readonly url: string; readonly port: number; readonly pid: number };
  readonly postgresPid: number;
  readonly stub: Child<StubHandlers>;
  readonly stubUrl: string;
  readonly sender: Child<SenderHandlers>;
  /** A folder for the output of the measured processes. */
  readonly folder: string;
  /** Empties Redis and makes a database. */
  readonly freshDatabase: () => Promise<Database>;
  /** A name that no other measurement of this run has: it marks the events, so that a stray one is seen. */
  readonly nextRun: (name: string) => string;
  readonly close: () => Promise<void>;
}

/** Starts Redis, an embedded PostgreSQL with the settings of production (every commit goes to the disk), the desk stub and the sender. */
export async function openStage(options: BenchOptions): Promise<Stage> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const dataDir = await temporaryDataDir();
    closers.push(dataDir.remove);
    const redis = await startRedis();
    closers.push(redis.stop);
    const postgres = await openEmbeddedPostgres({ dataDir: `${dataDir.path}/postgres` });
    closers.push(postgres.close);
    const stub = startChild<StubHandlers>("./child-stub.ts");
    closers.push(stub.stop);
    const sender = startChild<SenderHandlers>("./child-sender.ts");
    closers.push(sender.stop);
    const stubUrl = await stub.call("listen", undefined);
    let runs = 0;
    return {
      options,
      redis,
      postgresPid: postgres.pid,
      stub,
      stubUrl,
      sender,
      folder: dataDir.path,
      freshDatabase: async () => {
        await emptyRedis(redis.url);
        return createDatabase(postgres.url);
      },
      nextRun: (name) => `${name}${(runs += 1)}`,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function emptyRedis(url: string): Promise<void> {
  const redis = new Redis(url);
  await redis.flushall();
  redis.disconnect();
}
