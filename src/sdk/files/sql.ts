import type { Column, ColumnType } from "../../model/dataset.ts";

/** What a column's values are in DuckDB. JSON is kept as text, so that every reader of the files can take it. */
export const sqlTypes: Readonly<Record<ColumnType, string>> = {
  string: "VARCHAR",
  integer: "BIGINT",
  number: "DOUBLE",
  boolean: "BOOLEAN",
  timestamp: "TIMESTAMP WITH TIME ZONE",
  date: "DATE",
  json: "VARCHAR",
};

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function identifiers(names: readonly string[], prefix = ""): string {
  return names.map((name) => prefix + identifier(name)).join(", ");
}

/** Paths as DuckDB's readers take them: characters of patterns stand for themselves. */
export function pathList(paths: readonly string[]): string {
  return `[${paths.map((path) => literal(path.replaceAll(/[[*?]/g, "[$&]"))).join(", ")}]`;
}

/** Columns with their types, as `columns` of a reader takes them. */
export function typeStruct(columns: readonly Column[]): string {
  return `{${columns.map(({ name, type }) => `${literal(name)}: ${literal(sqlTypes[type])}`).join(", ")}}`;
}

/** Whether two rows have the same key. */
export function sameKey(key: readonly string[], left: string, right: string): string {
  return key.map((name) => `${left}.${identifier(name)} = ${right}.${identifier(name)}`).join(" AND ");
}
