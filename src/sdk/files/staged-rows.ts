import type { SinkTable } from "../sink.ts";
import type { SpoolFile } from "./spool.ts";
import { identifier, pathList, sqlTypes, typeStruct } from "./sql.ts";

/** The column with the UTC day of a row. */
export const dayName = "_day";

/** The longest row that DuckDB is prepared for at first, the longest that it is ever, and how much it reads at a time. */
export const usualRowBytes = 2 * 1024 ** 2;
export const mostRowBytes = 16 * 1024 ** 2;
const readBytes = 4 * 1024 ** 2;

/** Files in their order, those put together that have the same columns: reading them one by one takes memory for each. */
export function alike(files: readonly SpoolFile[]): readonly SpooledRows[] {
  const found: { columns: SpoolFile["columns"]; paths: string[] }[] = [];
  let shape = "";
  for (const { path, columns } of files) {
    const own = JSON.stringify(columns.map(({ name, type }) => [name, type]));
    if (own === shape) found.at(-1)?.paths.push(path);
    else found.push({ columns, paths: [path] });
    shape = own;
  }
  return found;
}

export interface SpooledRows {
  readonly columns: SpoolFile["columns"];
  readonly paths: readonly string[];
}

/** A query of files: some of their columns in the table's order, and the day where it is asked for. */
export function selection(
  table: SinkTable,
  { paths, columns }: SpooledRows,
  wanted: readonly string[],
  rowBytes: number,
): string {
  const given = new Set(columns.map(({ name }) => name));
  const names = table.columns.map(({ name }) => name).filter((name) => wanted.includes(name));
  const values = names.map((name) => (given.has(name) ? identifier(name) : `NULL AS ${identifier(name)}`));
  if (wanted.includes(dayName)) values.push(`${dayOf(table)} AS ${dayName}`);
  return `SELECT ${values.join(", ")} FROM read_csv(${pathList(paths)}, columns = ${typeStruct(columns)}, auto_detect = false, header = false, skip = 1,
    delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false,
    max_line_size = ${rowBytes}, buffer_size = ${Math.max(readBytes, rowBytes)})`;
}

/** The UTC day of a row; null for one that has none. By way of a number: a cast of the instant would ask the calendar of the time zone for each row. */
function dayOf({ columns, day }: SinkTable): string {
  const isDate = columns.some(({ name, type }) => name === day && type === "date");
  const value = isDate ? identifier(day) : `make_timestamp(epoch_us(${identifier(day)}))`;
  return `CAST(${value} AS DATE)`;
}

export function longestRow(csv: Buffer): number {
  let longest = 0;
  let begin = 0;
  let isQuoted = false;
  for (let at = 0; at < csv.length; at += 1) {
    if (csv[at] === 0x22) isQuoted = !isQuoted;
    if (csv[at] !== 0x0a || isQuoted) continue;
    longest = Math.max(longest, at + 1 - begin);
    begin = at + 1;
  }
  return Math.max(longest, csv.length - begin);
}

/** Columns as `CREATE TABLE` takes them. */
export function definitions(columns: SinkTable["columns"]): string {
  return columns.map(({ name, type }) => `${identifier(name)} ${sqlTypes[type]}`).join(", ");
}
