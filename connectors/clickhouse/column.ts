import type { Column, ColumnType, SinkTable } from "deskbridge/sdk";

/** The columns that are the sink's own, in the table that holds the rows. */
export const own = {
  run: "_deskbridge_run",
  version: "_deskbridge_version",
  deleted: "_deskbridge_deleted",
} as const;

/** The type of a column in ClickHouse, as `system.columns` writes it, without `Nullable`. */
const types: Readonly<Record<ColumnType, string>> = {
  string: "String",
  integer: "Int64",
  number: "Float64",
  boolean: "Bool",
  timestamp: "DateTime64(6, 'UTC')",
  date: "Date32",
  // Its own JSON type holds objects only.
  json: "String",
};

/** What tells a row, and its day, is never null; any other column may be, so that nothing the desk lacks becomes a zero. */
export function typeIn(table: SinkTable): (column: Column) => string {
  return ({ name, type }) => {
    const isPlain = table.key.includes(name) || name === table.day;
    return isPlain ? types[type] : `Nullable(${types[type]})`;
  };
}

export function quoted(name: string): string {
  return `\`${name.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``;
}

export function listed(names: readonly string[]): string {
  return names.map(quoted).join(", ");
}

/** A text as a literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** The tables of one table, each with its database, as SQL. */
export interface Names {
  /** The view that is read. */
  readonly view: string;
  /** The table that holds every version of every row. */
  readonly rows: string;
  /** The name of `rows` alone. */
  readonly rowsName: string;
  /** How the names of the tables begin that changes wait in. */
  readonly stagePrefix: string;
  readonly records: string;
  /** A name with the database, as SQL. */
  readonly inDatabase: (name: string) => string;
}

export function namesOf(database: string, table: string): Names {
  const inDatabase = (name: string): string => `${quoted(database)}.${quoted(name)}`;
  return {
    view: inDatabase(table),
    rows: inDatabase(`_deskbridge_${table}`),
    rowsName: `_deskbridge_${table}`,
    stagePrefix: `_deskbridge_stage_${table}_`,
    records: inDatabase("_deskbridge_exports"),
    inDatabase,
  };
}
