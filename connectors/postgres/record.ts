import type { SinkPosition, SinkTable } from "deskbridge/sdk";
import { quoted } from "./column.ts";
import type { Session } from "./session.ts";

/** The table in which the sink notes where each of its tables stands, in the transaction that moves it. */
export const recordTable = "_deskbridge_exports";

/** What is noted of a table. */
export interface ExportRecord {
  readonly export: string;
  /** Undefined before the first commit. */
  readonly position: SinkPosition | undefined;
  /** Columns that every row has been written with. */
  readonly filled: readonly string[];
}

/** Makes the schema and the table of records where they are missing. */
export async function prepareRecords(session: Session, schema: string): Promise<void> {
  const [found] = await session.query<{ table: string | null }>("SELECT to_regclass($1)::text AS table", [
    `${quoted(schema)}.${quoted(recordTable)}`,
  ]);
  // Asked first, so that an account which may not make a schema can write to one that is there.
  if (typeof found?.table === "string") return;
  await session.query("SELECT pg_advisory_xact_lock(hashtext($1))", [`${recordTable} ${schema}`]);
  await session.query(`CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}`);
  await session.query(
    `CREATE TABLE IF NOT EXISTS ${quoted(schema)}.${quoted(recordTable)} (
      table_name text PRIMARY KEY,
      export text NOT NULL,
      dataset text NOT NULL,
      run bigint,
      watermark text,
      filled_columns jsonb NOT NULL,
      made_at timestamp with time zone NOT NULL DEFAULT now(),
      committed_at timestamp with time zone
    )`,
  );
}

/** The record of a table, locked until the transaction is over. */
export async function lockRecord(
  session: Session,
  schema: string,
  table: string,
): Promise<ExportRecord | undefined> {
  return (await readRecords(session, schema, [table], "FOR UPDATE")).get(table);
}

/** The record of a table; undefined also where there are no records at all. */
export async function readRecord(
  session: Session,
  schema: string,
  table: string,
): Promise<ExportRecord | undefined> {
  const [found] = await session.query<{ table: string | null }>("SELECT to_regclass($1)::text AS table", [
    `${quoted(schema)}.${quoted(recordTable)}`,
  ]);
  if (typeof found?.table !== "string") return undefined;
  return (await readRecords(session, schema, [table], "")).get(table);
}

/** The records of some tables by their names, unlocked. There has to be a table of records. */
export async function readRecordsOf(
  session: Session,
  schema: string,
  tables: readonly string[],
): Promise<ReadonlyMap<string, ExportRecord>> {
  return await readRecords(session, schema, tables, "");
}

async function readRecords(
  session: Session,
  schema: string,
  tables: readonly string[],
  lock: string,
): Promise<ReadonlyMap<string, ExportRecord>> {
  const rows = await session.query<{
    table_name: string;
    export: string;
    run: number | null;
    watermark: string | null;
    filled_columns: string[];
  }>(
    `SELECT table_name, export, run, watermark, filled_columns FROM ${quoted(schema)}.${quoted(recordTable)} WHERE table_name = ANY ($1) ${lock}`,
    [tables],
  );
  return new Map(
    rows.map(({ table_name: table, run, watermark, ...row }) => [
      table,
      {
        export: row.export,
        position: run === null || watermark === null ? undefined : { run, watermark },
        filled: row.filled_columns,
      },
    ]),
  );
}

/** Notes a table that was made just now. What an earlier table of that name held is forgotten. */
export async function noteNewTable(
  session: Session,
  schema: string,
  table: SinkTable,
  exportName: string,
): Promise<void> {
  await session.query(
    `INSERT INTO ${quoted(schema)}.${quoted(recordTable)} (table_name, export, dataset, filled_columns) VALUES ($1, $2, $3, '[]')
     ON CONFLICT (table_name) DO UPDATE SET export = excluded.export, dataset = excluded.dataset, filled_columns = '[]',
       run = NULL, watermark = NULL, committed_at = NULL, made_at = now()`,
    [table.name, exportName, table.dataset],
  );
}

/** Takes columns out of those that every row has. */
export async function noteUnfilled(
  session: Session,
  schema: string,
  table: string,
  columns: readonly string[],
): Promise<void> {
  await session.query(
    `UPDATE ${quoted(schema)}.${quoted(recordTable)} SET filled_columns = filled_columns - $2::text[] WHERE table_name = $1`,
    [table, columns],
  );
}

/** Moves the record on, in the transaction of the commit. */
export async function noteCommit(
  session: Session,
  schema: string,
  table: string,
  { position, filled }: { readonly position: SinkPosition; readonly filled: readonly string[] },
): Promise<void> {
  await session.query(
    `UPDATE ${quoted(schema)}.${quoted(recordTable)} SET run = $2, watermark = $3, filled_columns = $4, committed_at = now()
     WHERE table_name = $1`,
    [table, position.run, position.watermark, JSON.stringify(filled)],
  );
}
