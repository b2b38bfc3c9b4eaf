import type { SinkPosition, SinkRequest } from "deskbridge/sdk";
import { own } from "./column.ts";
import type { Names } from "./column.ts";
import type { Server } from "./server.ts";

/** One line of the record of commits. */
export interface ExportRecord {
  readonly export: string;
  /** Undefined where the table has to be filled from the beginning. */
  readonly position: SinkPosition | undefined;
  /** Columns that every row has been written with. */
  readonly filled: readonly string[];
  /** Number of the last version that belongs to it. */
  readonly version: number;
  /** Number of the first version whose rows came with it; none for one that came without. */
  readonly firstVersion: number | undefined;
}

interface RecordRow {
  readonly export: string;
  readonly run: number | null;
  readonly watermark: string | null;
  readonly filled_columns: readonly string[];
  readonly version: number;
  readonly first_version: number | null;
}

/** Makes the database and the table of records where they are missing. */
export async function prepareRecords(server: Server, database: string, names: Names): Promise<void> {
  await server.run(`CREATE DATABASE IF NOT EXISTS ${database}`);
  await server.run(
    `CREATE TABLE IF NOT EXISTS ${names.records} (
      table_name String, version UInt64, first_version Nullable(UInt64), export String, dataset String, run Nullable(UInt64),
      watermark Nullable(String), filled_columns Array(String), noted_at DateTime64(3, 'UTC') DEFAULT now64(3)
    ) ENGINE = MergeTree ORDER BY (table_name, version)`,
  );
}

const most = 50;

/** The latest lines of a table's record, newest first. */
export async function readRecords(
  server: Server,
  names: Names,
  table: string,
): Promise<readonly ExportRecord[]> {
  const rows = await server.query<RecordRow>(
    `SELECT export, run, watermark, filled_columns, version, first_version FROM ${names.records}
     WHERE table_name = {table: String} ORDER BY version DESC LIMIT ${most}`,
    { table },
  );
  return rows.map((row) => ({
    export: row.export,
    position:
      row.run === null || row.watermark === null ? undefined : { run: row.run, watermark: row.watermark },
    filled: row.filled_columns,
    version: row.version,
    firstVersion: row.first_version ?? undefined,
  }));
}

/**
 * The newest line that took effect. A line is written before the rows that belong to it come in, all at once: where the process ended in between there is none
 * of them, and the line counts for nothing.
 */
export async function currentRecord(
  server: Server,
  names: Names,
  records: readonly ExportRecord[],
): Promise<ExportRecord | undefined> {
  for (const record of records) {
    if (record.firstVersion === undefined) return record;
    const found = await server.query(
      `SELECT 1 AS found FROM ${names.rows} WHERE ${own.version} BETWEEN {first: UInt64} AND {last: UInt64} LIMIT 1`,
      { first: record.firstVersion, last: record.version },
    );
    if (found.length > 0) return record;
  }
  return undefined;
}

/** Adds a line. */
export async function note(
  server: Server,
  names: Names,
  request: Pick<SinkRequest, "table" | "export">,
  line: Omit<ExportRecord, "export">,
): Promise<void> {
  await server.run(
    `INSERT INTO ${names.records} (table_name, version, first_version, export, dataset, run, watermark, filled_columns)
     SELECT {table: String}, {version: UInt64}, {first: Nullable(UInt64)}, {export: String}, {dataset: String}, {run: Nullable(UInt64)},
       {watermark: Nullable(String)}, {filled: Array(String)}`,
    {
      table: request.table.name,
      version: line.version,
      first: line.firstVersion ?? null,
      export: request.export,
      dataset: request.table.dataset,
      run: line.position?.run ?? null,
      watermark: line.position?.watermark ?? null,
      filled: line.filled,
    },
  );
}
