import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
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

/** A bare `COPY … TO` into a bare `COPY … FROM`, over two connections, into a table without a key. */
export async function measureBareCopy(sourceUrl: string, targetUrl: string): Promise<FloorFigures> {
  const [source, target] = [new pg.Client(sourceUrl), new pg.Client(targetUrl)];
  await Promise.all([source.connect(), target.connect()]);
  try {
    const list = Object.entries(columns).map(([name, type]) => `"${name}" ${type}`);
    await target.query(`create table bare_copy (${list.join(", ")})`);
    const start = performance.now();
    const into = target.query(copyFrom("copy bare_copy from stdin (format csv)"));
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
  const [csv, parquet, file] = ["floor.csv", "floor", "floor.duckdb"].map((name) => join(folder, name));
  const source = new pg.Client(sourceUrl);
  await source.connect();
  const instance = await DuckDBInstance.create(file);
  try {
    await pipeline(
      source.query(copyTo(`copy (${messagesText}) to stdout (format csv)`)),
      createWriteStream(csv ?? ""),
    );
    const connection = await instance.connect();
    await connection.run("set timezone = 'UTC'");
    await connection.run(
      `create table messages as select * from read_csv('${csv}', header = false, auto_detect = false, quote = '"', escape = '"', columns = ${columnText()})`,
    );
    await connection.run("checkpoint");
    const counted = await connection.runAndReadAll("select count(*)::integer as rows from messages");
    const start = performance.now();
    await connection.run(
      `copy (select *, created_at::date as day from messages) to '${parquet}' (format parquet, compression zstd, partition_by (day))`,
    );
    const seconds = (performance.now() - start) / 1000;
    connection.closeSync();
    return { rows: Number(counted.getRowObjects()[0]?.["rows"]), seconds };
  } finally {
    instance.closeSync();
    await source.end();
    for (const path of [csv, parquet, file]) await rm(path ?? "", { recursive: true, force: true });
  }
}

function columnText(): string {
  return `{${Object.entries(columns)
    .map(([name, type]) => `'${name}': '${type}'`)
    .join(", ")}}`;
}
