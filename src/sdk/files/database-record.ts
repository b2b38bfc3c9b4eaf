import { AppError } from "../../errors.ts";
import { runColumn } from "../sink.ts";
import type { SinkRequest } from "../sink.ts";
import type { Duckdb } from "./duckdb.ts";
import { identifier, literal } from "./sql.ts";
import type { FileColumn } from "./file-format.ts";
import { newColumns } from "./table-columns.ts";

/** Where the tables are: a schema of a database file. */
export interface DatabasePlace {
  readonly path: string;
  readonly schema: string;
}

/** The table in which sinks note what they have made, a row a table. */
const recordsName = "_deskbridge_exports";
const recordColumns =
  "table_name, export, dataset, key, day, run, watermark, commits, filled_columns, written_at".split(", ");

/** What is noted of a table. */
export interface TableRecord {
  readonly export: string;
  readonly dataset: string;
  readonly key: readonly string[];
  readonly day: string;
  readonly run: number | undefined;
  readonly watermark: string | undefined;
  /** How many commits there have been: tells whether somebody else has committed meanwhile. */
  readonly commits: number;
  /** Columns that every row has what the export gave it in. */
  readonly filled: readonly string[];
}

/** The name of a table of the schema in SQL. */
export function qualified({ schema }: DatabasePlace, table: string): string {
  return `${identifier(schema)}.${identifier(table)}`;
}

/** What is noted of a table; undefined where nothing is. */
export async function readRecordRow(
  db: Duckdb,
  place: DatabasePlace,
  table: string,
): Promise<TableRecord | undefined> {
  const columns = await columnsOf(db, place, recordsName);
  if (columns === undefined) return undefined;
  if (recordColumns.some((name) => !columns.has(name))) {
    throw new AppError(
      "sink_table_foreign",
      `${place.path}: ${place.schema}.${recordsName} is not a table of ours`,
    );
  }
  const [row] = await db.rows(
    `SELECT *, run::DOUBLE AS run_number, commits::DOUBLE AS commit_count FROM ${qualified(place, recordsName)} WHERE table_name = ${literal(table)}`,
  );
  if (row === undefined) return undefined;
  const list = (name: string): string[] => JSON.parse(String(row[name])) as string[];
  const { run_number: run, watermark } = row;
  return {
    export: String(row["export"]),
    dataset: String(row["dataset"]),
    key: list("key"),
    day: String(row["day"]),
    run: typeof run === "number" ? run : undefined,
    watermark: typeof watermark === "string" ? watermark : undefined,
    commits: Number(row["commit_count"]),
    filled: list("filled_columns"),
  };
}

/** Notes a table, in place of what was noted of it. */
export function writeRecordRow(
  place: DatabasePlace,
  table: string,
  record: TableRecord,
  now: number,
): string {
  const values = [
    literal(table),
    literal(record.export),
    literal(record.dataset),
    literal(JSON.stringify(record.key)),
    literal(record.day),
    record.run ?? "NULL",
    record.watermark === undefined ? "NULL" : literal(record.watermark),
    record.commits,
    literal(JSON.stringify(record.filled)),
    `TIMESTAMPTZ ${literal(new Date(now).toISOString())}`,
  ];
  const name = qualified(place, recordsName);
  return `DELETE FROM ${name} WHERE table_name = ${literal(table)}; INSERT INTO ${name} (${recordColumns.join(", ")}) VALUES (${values.join(", ")})`;
}

/** Makes the schema, the table of notes, the table itself and its note. */
export async function createDatabaseTable(
  db: Duckdb,
  place: DatabasePlace,
  { table, export: owner }: SinkRequest,
  now: number,
): Promise<TableRecord> {
  const columns = newColumns(table.columns).map(({ name, type }) => `${identifier(name)} ${type}`);
  const record: TableRecord = {
    export: owner,
    dataset: table.dataset,
    key: table.key,
    day: table.day,
    run: undefined,
    watermark: undefined,
    commits: 0,
    filled: table.columns.map(({ name }) => name),
  };
  await inTransaction(db, async () => {
    await db.run(`CREATE SCHEMA IF NOT EXISTS ${identifier(place.schema)}`);
    await db.run(
      `CREATE TABLE IF NOT EXISTS ${qualified(place, recordsName)} (table_name VARCHAR, export VARCHAR, dataset VARCHAR, key VARCHAR, day VARCHAR,
        run BIGINT, watermark VARCHAR, commits BIGINT, filled_columns VARCHAR, written_at TIMESTAMPTZ)`,
    );
    await db.run(
      `CREATE TABLE ${qualified(place, table.name)} (${columns.join(", ")}, ${identifier(runColumn)} BIGINT)`,
    );
    await db.run(writeRecordRow(place, table.name, record, now));
  });
  return record;
}

export async function inTransaction<T>(db: Duckdb, work: () => Promise<T>): Promise<T> {
  await db.run("BEGIN TRANSACTION");
  try {
    const result = await work();
    await db.run("COMMIT");
    return result;
  } catch (error) {
    // It is undone anyway when the connection is closed.
    await db.run("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** The columns of a table or view with their types; undefined where there is none of the name. */
export async function columnsOf(
  db: Duckdb,
  { schema }: DatabasePlace,
  table: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const rows = await db.rows(
    `SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()
      AND schema_name = ${literal(schema)} AND table_name = ${literal(table)} ORDER BY column_index`,
  );
  if (rows.length === 0) return undefined;
  return new Map(rows.map((row) => [String(row["column_name"]), String(row["data_type"])]));
}

/** The columns as the policy for schema changes looks at them. */
export function heldColumns(columns: ReadonlyMap<string, string>, { filled }: TableRecord): FileColumn[] {
  return [...columns]
    .filter(([name]) => name !== runColumn)
    .map(([name, type]) => ({ name, type, filled: filled.includes(name) }));
}
