import type { Column, ColumnType } from "deskbridge/sdk";

/** The type of a column in PostgreSQL, as `format_type` writes it. */
export const sqlTypes: Readonly<Record<ColumnType, string>> = {
  string: "text",
  integer: "bigint",
  number: "double precision",
  boolean: "boolean",
  timestamp: "timestamp with time zone",
  date: "date",
  json: "jsonb",
};

/** A name as an identifier. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Names as a list of identifiers, each with what stands before it. */
export function listed(names: readonly string[], before = ""): string {
  return names.map((name) => `${before}${quoted(name)}`).join(", ");
}

/** The definition of a column. Only what a row cannot be told by is refused when it is missing: a null from the desk is to be kept, not to stop an export. */
export function definition({ name, type }: Column): string {
  return `${quoted(name)} ${sqlTypes[type]}`;
}
