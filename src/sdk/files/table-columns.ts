import { AppError } from "../../errors.ts";
import type { Column } from "../../model/dataset.ts";
import type { SinkRequest, SinkWriter } from "../sink.ts";
import type { FileColumn } from "./file-format.ts";
import { partitionColumn } from "./file-format.ts";
import { sqlTypes } from "./sql.ts";

/** What the files of a table have, whoever wrote them. */
export interface HeldColumns {
  readonly columns: readonly FileColumn[];
  /** Names of columns that some of the files lack. */
  readonly lacking: ReadonlySet<string>;
  /** Names of columns that have one type here and another there. */
  readonly mixed: ReadonlySet<string>;
}

/** What a run does about the columns. */
export interface SettledColumns {
  /** All that the files are to have from the next commit on. */
  readonly layout: readonly FileColumn[];
  /** Names of those that the run writes. */
  readonly written: readonly string[];
  readonly leftOut: SinkWriter["leftOut"];
  /** Whether the rows that are there have all columns that are written. */
  readonly isComplete: boolean;
  /** Whether files that nothing is written to have to be written anew, for all files to have the same columns. */
  readonly rewritesAll: boolean;
}

export function newColumns(columns: readonly Column[]): FileColumn[] {
  return columns.map(({ name, type }) => ({ name, type: sqlTypes[type], holds: type, filled: true }));
}

/** Fits what is exported to what is there, by the export's policy. Throws `sink_schema_changed` where it does not fit. */
export function settleColumns(held: HeldColumns, request: SinkRequest, place: string): SettledColumns {
  const { table, onSchemaChange } = request;
  const misfits = table.columns.flatMap((column) => misfitOf(held, column) ?? []);
  const refused = misfits.filter(
    ({ name, isRetyped, isMixed }) =>
      isMixed ||
      table.key.includes(name) ||
      name === table.day ||
      onSchemaChange === "fail" ||
      (onSchemaChange === "evolve" && isRetyped),
  );
  if (refused.length > 0) {
    const list = refused.map(({ name, reason }) => `column ${name} ${reason}`);
    throw new AppError("sink_schema_changed", `${place}: ${list.join("; ")}`);
  }
  const leftOut =
    onSchemaChange === "freeze" ? misfits.map(({ name, reason }) => ({ column: name, reason })) : [];
  const written = table.columns.filter(({ name }) => !leftOut.some(({ column }) => column === name));
  const names = new Set(held.columns.map(({ name }) => name));
  const added = written.filter(({ name }) => !names.has(name));
  const filled = new Set(held.columns.flatMap((column) => (column.filled ? [column.name] : [])));
  return {
    layout: [...held.columns, ...newColumns(added)],
    written: written.map(({ name }) => name),
    leftOut,
    isComplete: written.every(({ name }) => filled.has(name) && !held.lacking.has(name)),
    rewritesAll: added.length > 0 || written.some(({ name }) => held.lacking.has(name)),
  };
}

interface Misfit {
  readonly name: string;
  readonly reason: string;
  readonly isRetyped: boolean;
  readonly isMixed: boolean;
}

function misfitOf(held: HeldColumns, { name, type }: Column): Misfit | undefined {
  const found = held.columns.find((column) => column.name === name);
  const wanted = sqlTypes[type];
  const fact = { name, isRetyped: false, isMixed: false };
  if (found === undefined) return { ...fact, reason: "is not in the table" };
  if (held.mixed.has(name)) {
    return { ...fact, isRetyped: true, isMixed: true, reason: "has not the same type in all files" };
  }
  if (found.type !== wanted) {
    return { ...fact, isRetyped: true, reason: `is ${found.type} in the table, but ${wanted} is exported` };
  }
  return held.lacking.has(name) ? { ...fact, reason: "is not in all files" } : undefined;
}

/** A table keeps the key and the day that it began with. */
export function requireKey(
  place: string,
  held: { readonly key: readonly string[]; readonly day: string },
  { key, day }: SinkRequest["table"],
): void {
  if (held.day === day && JSON.stringify(held.key) === JSON.stringify(key)) return;
  throw new AppError(
    "sink_schema_changed",
    `${place} has the key ${held.key.join(", ")} and the day ${held.day}, but ${key.join(", ")} and ${day} are exported`,
  );
}

/** The name of the folders' column is taken, unless the column that has it says the same. */
export function requirePartition({ columns, day }: SinkRequest["table"], place: string): void {
  if (day === partitionColumn || columns.every(({ name }) => name !== partitionColumn)) return;
  const message = `${place}: a column called ${partitionColumn} has to be the one that tells the day`;
  throw new AppError("target_rejected", message);
}
