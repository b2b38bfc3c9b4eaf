import { runColumn } from "../sink.ts";
import type { Duckdb } from "./duckdb.ts";
import type { FileColumn, FileFormat } from "./file-format.ts";
import { identifier } from "./sql.ts";

interface PresentRows {
  readonly db: Duckdb;
  readonly format: FileFormat;
  /** Columns of the table. */
  readonly layout: readonly FileColumn[];
  /** Files on this machine, each in a folder named after its day. */
  readonly paths: readonly string[];
  /** Which of the columns are wanted. */
  readonly names: readonly string[];
}

/** A query of what is in data files: columns in their types, null where a file lacks one, the number of the run, and the day of the file's folder in `_day`. */
export async function selectPresent({ db, format, layout, paths, names }: PresentRows): Promise<string> {
  const scan = format.scan(paths, layout);
  const described = await db.rows(`DESCRIBE ${scan}`);
  const types = new Map(described.map((row) => [String(row["column_name"]), String(row["column_type"])]));
  const wanted = new Set(names);
  const values = layout
    .filter(({ name }) => wanted.has(name))
    .map(({ name, type }) => {
      if (types.get(name) === type) return identifier(name);
      const value = types.has(name) ? `CAST(${identifier(name)} AS ${type})` : `NULL::${type}`;
      return `${value} AS ${identifier(name)}`;
    });
  const run = types.has(runColumn) ? `TRY_CAST(${identifier(runColumn)} AS BIGINT)` : "NULL";
  return `SELECT ${values.join(", ")}, coalesce(${run}, 0) AS ${identifier(runColumn)},
    CAST(regexp_extract(_file, 'day=([^/\\\\]+)[/\\\\][^/\\\\]+$', 1) AS DATE) AS _day FROM (${scan})`;
}
