import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";

/** A database of a test file's own. */
export interface FreshDatabase {
  readonly url: string;
  /** Removes the database, and ends the sessions that are still in it. */
  readonly drop: () => Promise<void>;
}

/** Makes an empty database on the cluster of this run. Only for the vitest projects whose global setup is `postgres-setup.ts`. */
export async function freshDatabase(): Promise<FreshDatabase> {
  const cluster = inject("postgresUrl");
  const name = `test_${randomBytes(6).toString("hex")}`;
  await runOn(cluster, `CREATE DATABASE ${name}`);
  const url = new URL(cluster);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => runOn(cluster, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function runOn(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
