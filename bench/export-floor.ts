import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { DuckDBConnection } from "@duckdb/node-api";
import { DuckDBInstance } from "@duckdb/node-api";
import pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";

/** The rows of the dataset `messages` out of the desk's own tables. */
const messagesText = `select 'msg_' || id as id, 'tkt_' || ticket as ticket_id, direction, visibility, author_type,
  coalesce('con_' || author_contact, author_id) as author_id, author_name, text, has_attachments, created_at from deskbridge_desk.message`;

const columns = {
  id: "varchar",
  ticket_id: "varchar",
  direction: "varchar",
  visibility: "varchar",
  author_type: "varchar",
  author_id: "varchar",
  author_name: "varchar",
  text: "varchar",
  has_attachments: "boolean",
  created_at: "timestamptz",
};

export interface FloorFigures {
  readonly rows: number;
  readonly seconds: number;
}

/** A table to copy into: one without a key, or one as the PostgreSQL sink has it, with its key, its index on the day and its column of the run. */
export type BareTable = "keyless" | "like the sink's";

/** A bare `COPY … TO` into a bare `COPY … FROM`, over two connections. */
export async function measureBareCopy(
  sourceUrl: string,
  targetUrl: string,
  table: BareTable,
): Promise<FloorFigures> {
  const [source, target] = [new pg.Client(sourceUrl), new pg.Client(targetUrl)];
  await Promise.all([source.connect(), target.connect()]);
  try {
    const list = Object.entries(columns).map(([name, type]) => `"${name}" ${type}`);
    if (table !== "keyless") list.push("_deskbridge_run bigint not null default 1", "primary key (id)");
    await target.query(`create table bare_copy (${list.join(", ")})`);
    if (table !== "keyless") await target.query("create index on bare_copy (created_at)");
    const start = performance.now();
    const names = Object.keys(columns).map((name) => `"${name}"`);
    const into = target.query(copyFrom(`copy bare_copy (${names.join(", ")}) from stdin (format csv)`));
    await pipeline(source.query(copyTo(`copy (${messagesText}) to stdout (format csv)`)), into);
    const seconds = (performance.now() - start) / 1000;
    await target.query("drop table bare_copy");
    return { rows: into.rowCount, seconds };
  } finally {
    await Promise.all([source.end(), target.end()]);
  }
}

/** DuckDB's own `COPY` to Parquet, a folder a day, of the rows in a table of its own: what brings them there is not in the time. */
export async function measureDuckdbCopy(sourceUrl: string, folder: string): Promise<FloorFigures> {
  return withDuckdb(folder, async (connection, csv, parquet) => {
    await writeCsv(sourceUrl, csv);
    await connection.run(`create table messages as select * from ${csvOf(csv)}`);
    await connection.run("checkpoint");
    return timed(() => copyToParquet(connection, "messages", parquet));
  });
}

/** The whole way to the same files without anything of ours: a bare `COPY … TO` into a file, which DuckDB reads and copies to Parquet. */
export async function measureWayToParquet(sourceUrl: string, folder: string): Promise<FloorFigures> {
  return withDuckdb(folder, (connection, csv, parquet) =>
    timed(async () => {
      await writeCsv(sourceUrl, csv);
      return copyToParquet(connection, csvOf(csv), parquet);
    }),
  );
}

async function timed(work: () => Promise<number>): Promise<FloorFigures> {
  const start = performance.now();
  const rows = await work();
  return { rows, seconds: (performance.now() - start) / 1000 };
}

/** A database in a file with the usual settings of DuckDB, and places for the rows as CSV and as Parquet. */
async function withDuckdb(
  folder: string,
  work: (connection: DuckDBConnection, csv: string, parquet: string) => Promise<FloorFigures>,
): Promise<FloorFigures> {
  const [csv, parquet, file] = [
    join(folder, "floor.csv"),
    join(folder, "floor"),
    join(folder, "floor.duckdb"),
  ];
  const instance = await DuckDBInstance.create(file);
  try {
    const connection = await instance.connect();
    await connection.run("set timezone = 'UTC'");
    const figures = await work(connection, csv, parquet);
    connection.closeSync();
    return figures;
  } finally {
    instance.closeSync();
    for (const path of [csv, parquet, file]) await rm(path, { recursive: true, force: true });
  }
}

async function writeCsv(sourceUrl: string, path: string): Promise<void> {
  const source = new pg.Client(sourceUrl);
  await source.connect();
  try {
    const rows = source.query(copyTo(`copy (${messagesText}) to stdout (format csv)`));
    await pipeline(rows, createWriteStream(path));
  } finally {
    await source.end();
  }
}

function csvOf(path: string): string {
  return `read_csv('${path}', header = false, auto_detect = false, quote = '"', escape = '"', columns = ${columnText()})`;
}

/** Gives back how many rows there were. */
async function copyToParquet(connection: DuckDBConnection, rows: string, folder: string): Promise<number> {
  const result = await connection.runAndReadAll(
    `copy (select *, created_at::date as day from ${rows}) to '${folder}' (format parquet, compression zstd, partition_by (day))`,
  );
  return Number(result.getRows()[0]?.[0]);
}

function columnText(): string {
  return `{${Object.entries(columns)
    .map(([name, type]) => `'${name}': '${type}'`)
    .join(", ")}}`;
}
