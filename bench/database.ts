import { randomBytes } from "node:crypto";
import pg from "pg";

/** An empty database of one measurement's own. */
export interface Database {
  readonly url: string;
  readonly query: <R extends object>(text: string, values?: readonly unknown[]) => Promise<readonly R[]>;
  readonly drop: () => Promise<void>;
}

/** Makes a database in the cluster of a URL. */
export async function createDatabase(cluster: string): Promise<Database> {
  const name = `bench_${randomBytes(4).toString("hex")}`;
  await queryOnce(cluster, `create database ${name}`);
  const url = new URL(cluster);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    query: (text, values) => queryOnce(url.href, text, values),
    drop: async () => void (await queryOnce(cluster, `drop database ${name} with (force)`)),
  };
}

async function queryOnce<R extends object>(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<R>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}
