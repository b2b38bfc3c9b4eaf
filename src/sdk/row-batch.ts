import type { Column } from "../model/dataset.ts";
import { formatCsvRow, parseCsv } from "./csv.ts";

/** One row by the names of its columns. Values are as `ColumnType` tells: timestamps RFC 3339 UTC, dates `YYYY-MM-DD`, `json` parsed. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * Some rows of one table, in whichever of two forms they came; the other is made when it is asked for. As `csv` they can be handed from a database to a
 * warehouse without being looked at, which is what makes large exports quick.
 */
export interface RowBatch {
  /** In the order of the fields of `csv`. */
  readonly columns: readonly Column[];
  /** How many rows. */
  readonly count: number;
  /**
   * RFC 4180 without a heading, each row ended by a line feed, UTF-8. An empty field is null, `""` the empty text. A boolean is `t` or `f` (`true`, `false`
   * are read too), a timestamp RFC 3339 or PostgreSQL's `2026-11-27 13:11:08.123456+00`, always in UTC.
   */
  readonly csv: () => Buffer;
  /** The same in the chunks that it came in, which begin and end anywhere: large exports are quicker where nobody puts them together. */
  readonly csvChunks: () => readonly Buffer[];
  readonly rows: () => readonly Row[];
}

/** Which rows of a table are meant: put in place of those with their keys, or taken away. A batch of `delete` has the columns of the key only. */
export type RowChangeKind = "upsert" | "delete";

export interface RowChange {
  readonly kind: RowChangeKind;
  readonly batch: RowBatch;
}

/** A batch of rows that came as CSV, in one buffer or in chunks; they are put together or parsed when somebody asks for that, and then each time. */
export function createCsvBatch(
  columns: readonly Column[],
  csv: Buffer | readonly Buffer[],
  count: number,
): RowBatch {
  const chunks = Buffer.isBuffer(csv) ? [csv] : csv;
  const whole = (): Buffer => (Buffer.isBuffer(csv) ? csv : Buffer.concat(chunks));
  return {
    columns,
    count,
    csv: whole,
    csvChunks: () => chunks,
    rows: () => parseCsv(columns, whole()),
  };
}

/** A batch of rows by name, with values as `Row` says; CSV is made when somebody asks for it, and then each time. */
export function createRowBatch(columns: readonly Column[], rows: readonly Row[]): RowBatch {
  const csv = (): Buffer => Buffer.from(rows.map((row) => formatCsvRow(columns, row)).join(""));
  return { columns, count: rows.length, csv, csvChunks: () => [csv()], rows: () => rows };
}
