import pg from "pg";
import { clusterOfWorker, freshDatabase } from "../support/postgres.ts";
import type { QueueFixture } from "./queue-conformance.ts";
import { describeQueue } from "./queue-conformance.ts";
import { describeDeadTicks } from "./queue-dead-ticks.ts";

async function open(): Promise<QueueFixture> {
  const database = await freshDatabase();
  const name = new URL(database.url).pathname.slice(1);
  const run = async (url: string, text: string, values: readonly unknown[] = []) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query<Record<string, string>>(text, [...values]);
    await client.end();
    return rows;
  };
  const cluster = clusterOfWorker();
  return {
    url: { postgresUrl: database.url },
    // Its sessions end, and it takes no new ones: what a client sees of a server that is gone, without taking the run's own down.
    crash: async () => {
      await run(cluster, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      await run(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [name]);
    },
    recover: async () => {
      await run(cluster, `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    },
    forget: async (namespace) => {
      const tables = await run(
        database.url,
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = $1 AND tablename NOT LIKE '%migration%'",
        [namespace],
      );
      await run(database.url, `TRUNCATE ${tables.map((table) => table["name"]).join(", ")}`);
    },
    stop: database.drop,
  };
}

describeQueue("PostgreSQL", open);
describeDeadTicks("PostgreSQL", open);
