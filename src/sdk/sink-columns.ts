import { AppError } from "../errors.ts";
import type { Column } from "../model/dataset.ts";
import type { SinkRequest, SinkTable, SinkWriter } from "./sink.ts";

/** What is to become of the columns of a table that is there already. */
export interface SettledColumns {
  /** The columns that are written. */
  readonly written: readonly Column[];
  /** Those of them that the table lacks, to be added. */
  readonly missing: readonly Column[];
  readonly leftOut: SinkWriter["leftOut"];
}

/**
 * Holds the columns of a table against what is exported, by the policy of the export. `held` has the types of the table's columns, `typeOf` gives that which a
 * column should have. Throws `sink_schema_changed` where the policy does not allow for what is found, and always for a column of the key or the day.
 */
export function settleColumns(
  { table, onSchemaChange }: Pick<SinkRequest, "table" | "onSchemaChange">,
  held: ReadonlyMap<string, string>,
  typeOf: (column: Column) => string,
): SettledColumns {
  const misfits = table.columns.filter((column) => held.get(column.name) !== typeOf(column));
  const needed = misfits.find(({ name }) => table.key.includes(name) || name === table.day);
  // A column of another type was made so by somebody, and may hold something: it is never made anew.
  const retyped = misfits.find(({ name }) => held.has(name));
  const byPolicy = { evolve: retyped, fail: misfits[0], freeze: undefined };
  const refused = needed ?? byPolicy[onSchemaChange];
  if (refused !== undefined) throw schemaChanged(table, refused, held.get(refused.name), typeOf(refused));
  if (onSchemaChange !== "freeze") return { written: table.columns, missing: misfits, leftOut: [] };
  return {
    written: table.columns.filter((column) => !misfits.includes(column)),
    missing: [],
    leftOut: misfits.map((column) => {
      const found = held.get(column.name);
      const other = `the table has it as ${found}, not ${typeOf(column)}`;
      return { column: column.name, reason: found === undefined ? "the table does not have it" : other };
    }),
  };
}

function schemaChanged(
  table: SinkTable,
  { name }: Column,
  found: string | undefined,
  expected: string,
): AppError {
  const words = found === undefined ? "is missing" : `is of type ${found}`;
  return new AppError(
    "sink_schema_changed",
    `The column ${name} of the table ${table.name} ${words}; it is exported as ${expected}.`,
    { details: { table: table.name, column: name, found: found ?? null, expected } },
  );
}

/** The error for a table that is there and was not made by this export. `owner` is the export that made it, where one did. */
export function foreignTable(request: Pick<SinkRequest, "table" | "export">, owner?: string): AppError {
  const { name } = request.table;
  const message =
    owner === undefined
      ? `There is a table ${name} that no export made; it is left as it is.`
      : `The table ${name} belongs to the export ${owner}; ${request.export} does not touch it.`;
  return new AppError("sink_table_foreign", message, { details: { table: name, owner: owner ?? null } });
}

/** The error for a run that finds that a later one has committed. */
export function overtakenBy(last: number, { table, run }: Pick<SinkRequest, "table" | "run">): AppError {
  return new AppError(
    "lease_lost",
    `Run ${last} has written to the table ${table.name} meanwhile; run ${run} has been overtaken.`,
    { details: { table: table.name, run, last } },
  );
}
