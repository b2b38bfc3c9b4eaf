import { expect } from "vitest";
import type { ColumnType } from "../../model/dataset.ts";
import { parseCsv } from "../csv.ts";
import type { RowBatch } from "../row-batch.ts";

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{0,5}[1-9])?Z$/;

/** Whether a value is as a row has it, by the type of its column. */
const isValue: Readonly<Record<ColumnType, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  integer: (value) => Number.isSafeInteger(value),
  number: (value) => Number.isFinite(value),
  boolean: (value) => typeof value === "boolean",
  timestamp: (value) => typeof value === "string" && timestamp.test(value),
  date: (value) => typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value),
  json: (value) => value !== undefined,
};

/** Every value is of its column's type, null only where it may be, and both forms of the batch hold the same. */
export function expectValidBatch(batch: RowBatch): void {
  const rows = batch.rows();
  expect(rows.length).toBe(batch.count);
  for (const row of rows) {
    for (const { name, type, nullable } of batch.columns) {
      const value = row[name];
      const good = value === null ? nullable || type === "json" : isValue[type](value);
      expect([name, good, good ? undefined : value]).toEqual([name, true, undefined]);
    }
  }
  expect(parseCsv(batch.columns, batch.csv())).toEqual(rows);
}
