import pg from "pg";
import { clusterOfWorker, freshDatabase } from "../support/postgres.ts";
import { describeBudget } from "./queue-budget.ts";

describeBudget("PostgreSQL", async () => {
  const database = await freshDatabase();
  const name = new URL(database.url).pathname.slice(1);
  const pools: pg.Pool[] = [];
  const cluster = new pg.Client({ connectionString: clusterOfWorker() });
  await cluster.connect();
  return {
    // A pool a process: it knows the limiter's statements by name, for one schema only.
    store: () => {
      const pool = new pg.Pool({ connectionString: database.url });
      pool.on("error", () => undefined);
      pools.push(pool);
      return { postgresPool: pool };
    },
    crash: async () => {
      await cluster.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      await cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", [
        name,
      ]);
    },
    recover: async () => {
      await cluster.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    },
    stop: async () => {
      await Promise.all(pools.map((pool) => pool.end()));
      await cluster.end();
      await database.drop();
    },
  };
});
