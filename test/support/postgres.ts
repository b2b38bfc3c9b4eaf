import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";

/** A database of a test file's own. */
export interface FreshDatabase {
  readonly url: string;
  /** Removes the database, and ends the sessions that are still in it. */
  readonly drop: () => Promise<void>;
}

/**
 * Makes a database with the schemas of ledger and desk, and nothing in them, on a cluster of this run. Only for the vitest projects whose global setup is
 * `postgres-setup.ts`.
 */
export function freshDatabase(): Promise<FreshDatabase> {
  return makeDatabase("TEMPLATE template_migrated");
}

/** Makes one that has nothing at all in it. */
export function emptyDatabase(): Promise<FreshDatabase> {
  return makeDatabase("");
}

async function makeDatabase(how: string): Promise<FreshDatabase> {
  const cluster = clusterOfWorker();
  const name = `test_${randomBytes(6).toString("hex")}`;
  await runOn(cluster, `CREATE DATABASE ${name} ${how}`);
  return {
    url: databaseUrl(cluster, name),
    drop: () => runOn(cluster, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** The cluster of this process: each of those that run test files has a number, from 1 to as many as there are clusters. */
export function clusterOfWorker(): string {
  const url = inject("postgresUrls")[Number(process.env.VITEST_POOL_ID) - 1];
  if (url === undefined) throw new Error(`there is no cluster for worker ${process.env.VITEST_POOL_ID}`);
  return url;
}

/** The address of a database of a cluster. */
export function databaseUrl(cluster: string, name: string): string {
  const url = new URL(cluster);
  url.pathname = `/${name}`;
  return url.href;
}

/** Runs one statement on a connection of its own. */
export async function runOn(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
