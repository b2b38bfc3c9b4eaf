import { hash } from "node:crypto";
import type { Column } from "../model/dataset.ts";
import type { Row, RowBatch } from "../sdk/row-batch.ts";

/** What one side has of a day: how many rows, and a checksum that does not depend on their order. */
export interface DayTotal {
  readonly rows: number;
  /** 16 hexadecimal digits. */
  readonly checksum: string;
}

/** Rows added up by the UTC day of the table's `day` column. */
export interface DayTally {
  readonly add: (batch: RowBatch) => void;
  /** By `YYYY-MM-DD`, in order. */
  readonly days: () => ReadonlyMap<string, DayTotal>;
  readonly rows: () => number;
}

const modulus = 1n << 64n;

/**
 * Adds rows up as they come, each once: a row that is added twice shows as a difference, which is what it is for. Only `columns` count, in their order,
 * whatever the order in a batch; `day` names one of them.
 */
export function createDayTally(columns: readonly Column[], day: string): DayTally {
  const sums = new Map<string, { rows: number; sum: bigint }>();
  let rows = 0;
  const addRow = (row: Row): void => {
    const at = row[day];
    const name = typeof at === "string" ? at.slice(0, 10) : "";
    const total = sums.get(name) ?? { rows: 0, sum: 0n };
    total.rows += 1;
    total.sum = (total.sum + rowDigest(columns, row)) % modulus;
    sums.set(name, total);
    rows += 1;
  };
  return {
    add: (batch) => batch.rows().forEach(addRow),
    days: () =>
      new Map(
        [...sums]
          .toSorted(([one], [other]) => (one < other ? -1 : 1))
          .map(([name, total]) => [
            name,
            { rows: total.rows, checksum: total.sum.toString(16).padStart(16, "0") },
          ]),
      ),
    rows: () => rows,
  };
}

/** A number of 64 bits that stands for what a row holds: the same on both sides for the same values, whatever they were kept in. */
function rowDigest(columns: readonly Column[], row: Row): bigint {
  const values = columns.map(({ name, type }) => {
    const value = row[name] ?? null;
    return type === "json" ? sorted(value) : value;
  });
  return hash("md5", JSON.stringify(values), "buffer").readBigUInt64BE(0);
}

/** JSON with the keys of its objects in order: warehouses do not keep the order that they were given. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  // Not a list: that would look like a list of pairs.
  return { entries: entries.map(([key, inner]) => [key, sorted(inner)]) };
}

/** A day on which two sides do not have the same rows; undefined for a side that has none. */
export interface DayDifference {
  readonly day: string;
  readonly source: DayTotal | undefined;
  readonly sink: DayTotal | undefined;
}

/** The days on which two sides differ, in order. */
export function differingDays(
  source: ReadonlyMap<string, DayTotal>,
  sink: ReadonlyMap<string, DayTotal>,
): readonly DayDifference[] {
  const days = [...new Set([...source.keys(), ...sink.keys()])].toSorted();
  return days.flatMap((day) => {
    const [one, other] = [source.get(day), sink.get(day)];
    return one?.rows === other?.rows && one?.checksum === other?.checksum
      ? []
      : [{ day, source: one, sink: other }];
  });
}
