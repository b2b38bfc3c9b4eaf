import type { Column } from "../../model/dataset.ts";
import { createCsvBatch, createRowBatch } from "../row-batch.ts";
import type { Row, RowChange } from "../row-batch.ts";
import type { SinkTable } from "../sink.ts";

function column(name: string, type: Column["type"], nullable = true): Column {
  return { name, type, nullable, description: `The ${name} of a row.` };
}

/** A table with a column of every type; some of its names are words of SQL. */
export const valuesTable: SinkTable = {
  name: "conformance_values",
  dataset: "tickets",
  key: ["id"],
  day: "created_at",
  columns: [
    column("id", "string", false),
    column("text", "string"),
    column("order", "integer"),
    column("amount", "number"),
    column("flag", "boolean"),
    column("seen_at", "timestamp"),
    column("due_on", "date"),
    column("data", "json"),
    column("created_at", "timestamp", false),
  ],
};

/** A table whose rows are told apart by three columns, one of them the day. */
export const dailyTable: SinkTable = {
  name: "conformance_daily",
  dataset: "metrics_daily",
  key: ["day", "group_by", "group_key"],
  day: "day",
  columns: [
    column("day", "date", false),
    column("group_by", "string", false),
    column("group_key", "string", false),
    column("volume", "integer", false),
  ],
};

/** The table without some of its columns. */
export function without(table: SinkTable, ...names: readonly string[]): SinkTable {
  return { ...table, columns: table.columns.filter(({ name }) => !names.includes(name)) };
}

const nothing = {
  text: null,
  order: null,
  amount: null,
  flag: null,
  seen_at: null,
  due_on: null,
  data: null,
};

/** A row of `valuesTable` with nothing in it but what is given; it is of 3 November 2026 unless told. */
export function valuesRow(id: string, values: Row = {}): Row {
  return { id, ...nothing, created_at: "2026-11-03T08:00:00Z", ...values };
}

/** Rows of the table, to be put in place of those with their keys. */
export function upsert(table: SinkTable, ...rows: readonly Row[]): RowChange {
  const cut = rows.map((row) =>
    Object.fromEntries(table.columns.map(({ name }) => [name, row[name] ?? null])),
  );
  return { kind: "upsert", batch: createRowBatch(table.columns, cut) };
}

/** The rows with these keys, to be taken away. */
export function gone(table: SinkTable, ...keys: readonly Row[]): RowChange {
  const columns = table.columns.filter(({ name }) => table.key.includes(name));
  const cut = keys.map((row) => Object.fromEntries(columns.map(({ name }) => [name, row[name]])));
  return { kind: "delete", batch: createRowBatch(columns, cut) };
}

/** The same change with its rows as the bytes that a database gives. */
export function asCsv({ kind, batch }: RowChange): RowChange {
  return { kind, batch: createCsvBatch(batch.columns, batch.csv(), batch.count) };
}

/** Rows in the order of their keys, so that what a warehouse gives in any order can be compared. */
export function inOrder(table: SinkTable, rows: readonly Row[]): readonly Row[] {
  const keyOf = (row: Row): string => JSON.stringify(table.key.map((name) => row[name]));
  return rows
    .map((row) => [keyOf(row), row] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => row);
}
