import type { ExportTable } from "../config/config.ts";
import { AppError } from "../errors.ts";
import type { Column } from "../model/dataset.ts";
import { createRowBatch } from "../sdk/row-batch.ts";
import type { Row, RowBatch, RowChange } from "../sdk/row-batch.ts";

/** Turns changes of a source into those of a table. */
export type Transform = (change: RowChange) => readonly RowChange[];

/**
 * Makes the transform of a table: its columns only, rows that the filter does not take as deletions, hashed columns as hashes. Pure. A batch that is right
 * as it came is handed through untouched, so that CSV need not be parsed. Throws `mapping_failed` where the filter fails on a row.
 */
export function createTransform({ table, where, hash }: ExportTable): Transform {
  const keyColumns = table.columns.filter(({ name }) => table.key.includes(name));
  const toRow = (row: Row): Row =>
    Object.fromEntries(
      table.columns.map(({ name }) => {
        const value = row[name] ?? null;
        return [name, hash?.columns.has(name) === true && value !== null ? hash.of(textOf(value)) : value];
      }),
    );
  return ({ kind, batch }) => {
    if (batch.count === 0) return [];
    if (kind === "delete") return [{ kind, batch: cutBatch(batch, keyColumns) }];
    if (where === undefined && hash === undefined) return [{ kind, batch: cutBatch(batch, table.columns) }];
    if (where === undefined) return [upsertOf(table.columns, batch.rows().map(toRow))];
    const rows = [...lastOfEach(batch.rows(), table.key).values()];
    const { wanted = [], unwanted = [] } = Object.groupBy(rows, (row) =>
      where.passes(row) ? "wanted" : "unwanted",
    );
    return [
      ...(wanted.length > 0 ? [upsertOf(table.columns, wanted.map(toRow))] : []),
      ...(unwanted.length > 0 ? [deleteOf(keyColumns, unwanted)] : []),
    ];
  };
}

function upsertOf(columns: readonly Column[], rows: readonly Row[]): RowChange {
  return { kind: "upsert", batch: createRowBatch(columns, rows) };
}

function deleteOf(columns: readonly Column[], rows: readonly Row[]): RowChange {
  return {
    kind: "delete",
    batch: createRowBatch(
      columns,
      rows.map((row) => cutRow(row, columns)),
    ),
  };
}

/** The same rows with these columns; the very batch where it has them already. */
function cutBatch(batch: RowBatch, columns: readonly Column[]): RowBatch {
  const names = batch.columns.map(({ name }) => name);
  if (names.length === columns.length && columns.every(({ name }, index) => names[index] === name)) {
    return batch;
  }
  const missing = columns.find(({ name }) => !names.includes(name));
  if (missing !== undefined) {
    throw new AppError("target_protocol", `the source did not give the column ${missing.name}`);
  }
  return createRowBatch(
    columns,
    batch.rows().map((row) => cutRow(row, columns)),
  );
}

function cutRow(row: Row, columns: readonly Column[]): Row {
  return Object.fromEntries(columns.map(({ name }) => [name, row[name] ?? null]));
}

// Split in two, the changes of one row would lose their order, so only the last is kept.
function lastOfEach(rows: readonly Row[], key: readonly string[]): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [JSON.stringify(key.map((name) => row[name])), row]));
}

/** A value as the one text that is hashed, whatever form it came in. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(sorted(value));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, sorted(item)] as const);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
