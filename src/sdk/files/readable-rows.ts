import type { Column } from "../../model/dataset.ts";
import { canonicalTimestamp } from "../csv.ts";
import { createRowBatch } from "../row-batch.ts";
import type { Row, RowBatch } from "../row-batch.ts";
import { identifier } from "./sql.ts";

/** What is selected of a table for `canonicalBatch`; null for a column that the table does not have. */
export function readableColumns(columns: readonly Column[], held: ReadonlySet<string>): string {
  return columns
    .map((column) => (held.has(column.name) ? readable(column) : `NULL AS ${identifier(column.name)}`))
    .join(", ");
}

/** Rows that were selected by `readableColumns`, with values as `Row` says. */
export function canonicalBatch(columns: readonly Column[], rows: readonly Row[]): RowBatch {
  return createRowBatch(
    columns,
    rows.map((row) =>
      Object.fromEntries(columns.map((column) => [column.name, canonical(column, row[column.name])])),
    ),
  );
}

function readable({ name, type }: Column): string {
  const value = identifier(name);
  if (type === "timestamp") return `strftime(${value}, '%Y-%m-%dT%H:%M:%S.%fZ') AS ${value}`;
  // The client takes a mark of the encoding off the beginning of any text.
  if (type === "string") {
    return `CASE WHEN starts_with(${value}, chr(65279)) THEN chr(65279) || ${value} ELSE ${value} END AS ${value}`;
  }
  if (type === "date") return `CAST(${value} AS VARCHAR) AS ${value}`;
  // Whole numbers of a dataset are exact as doubles.
  return type === "integer" ? `CAST(${value} AS DOUBLE) AS ${value}` : value;
}

function canonical({ type }: Column, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value !== "string") return value;
  if (type === "timestamp") return canonicalTimestamp(value);
  if (type === "json") return JSON.parse(value) as unknown;
  return value;
}
