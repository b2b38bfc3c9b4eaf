import type { ColumnType } from "../../model/dataset.ts";
import { runColumn } from "../sink.ts";
import { identifier, literal, pathList } from "./sql.ts";
import { mostRowBytes } from "./staged-rows.ts";

export type FormatName = "parquet" | "csv" | "jsonl";

/** A column of a table's files: those that are exported, and others that were once or that somebody added. */
export interface FileColumn {
  readonly name: string;
  /** As DuckDB names it. */
  readonly type: string;
  /** What it was exported as; absent where somebody else made it. */
  readonly holds?: ColumnType | undefined;
  /** Whether every row has what the export gave it: false for one that was not exported when some of the rows came. */
  readonly filled: boolean;
}

/** How rows stand in a file. */
export interface FileFormat {
  readonly name: FormatName;
  /** What a data file ends with. Those that are not published yet end otherwise, so that no reader takes them for one. */
  readonly extension: string;
  /** The longest row that is taken, in bytes of CSV: one that can be read again within an export's memory. */
  readonly mostRowBytes: number;
  /** How many threads may work at a time, where each takes much memory. */
  readonly threads?: number;
  /** A query of files by their paths, with the path in `_file`. Columns are typed, or text that can be cast. */
  readonly scan: (paths: readonly string[], columns: readonly FileColumn[]) => string;
  /** The same without knowing the columns. */
  readonly inspect: (paths: readonly string[]) => string;
  /** `COPY` of a query that gives the columns, the run and `_day` into a folder, a file a day. */
  readonly copy: (query: string, columns: readonly FileColumn[], folder: string) => string;
}

/** The column of the folders' names. */
export const partitionColumn = "day";

/** What a text reader has room for in a line: twice a row, as quoting makes it longer. */
const textRowBytes = 4 * 1024 ** 2;
const textLineBytes = 2 * textRowBytes;

const run = identifier(runColumn);
const isoFormat = "'%Y-%m-%dT%H:%M:%S.%fZ'";
// A buffer for each of many files at a time: by DuckDB's usual size a few of them are all the memory that there is.
const csvOptions = `header = true, all_varchar = true, delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '',
  allow_quoted_nulls = false, compression = 'gzip', union_by_name = true, hive_partitioning = false, filename = '_file', sample_size = 1, buffer_size = ${4 * 1024 ** 2}`;
const jsonOptions = `format = 'newline_delimited', compression = 'gzip', hive_partitioning = false, filename = '_file',
  maximum_object_size = ${textLineBytes}`;

const parquetScan = (paths: readonly string[]): string =>
  `SELECT * FROM read_parquet(${pathList(paths)}, union_by_name = true, hive_partitioning = false, filename = '_file')`;

const csvScan = (paths: readonly string[]): string =>
  `SELECT * FROM read_csv(${pathList(paths)}, ${csvOptions})`;

function copyTo(selected: string, folder: string, options: string): string {
  return `COPY (${selected}) TO ${literal(folder)} (PARTITION_BY (${partitionColumn}), FILE_EXTENSION 'new', ${options})`;
}

function copyColumns(
  query: string,
  columns: readonly FileColumn[],
  form: (column: FileColumn) => string,
): string {
  const others = columns.filter(({ name }) => name !== partitionColumn);
  const values = others.map((column) => `${form(column)} AS ${identifier(column.name)}`).join(", ");
  return `SELECT ${values}, ${run}, _day AS ${partitionColumn} FROM (${query})`;
}

/** A table whose own column is called like the partition keeps it in its files as well. */
function keepsPartition(columns: readonly FileColumn[]): string {
  return `WRITE_PARTITION_COLUMNS ${columns.some(({ name }) => name === partitionColumn)}`;
}

function asText({ name, type }: FileColumn): string {
  return type.startsWith("TIMESTAMP") ? `strftime(${identifier(name)}, ${isoFormat})` : identifier(name);
}

/**
 * JSON as text may name half a character (`"\\ud83d"`), which DuckDB does not take for JSON. U+FFFD takes its place: backslashes that stand for themselves and
 * whole characters are put aside, then what is left of such halves is replaced.
 */
function asJson(text: string): string {
  const steps: readonly (readonly [string, string])[] = [
    ["\\\\\\\\", "\x01"],
    ["\\\\u([dD][89abAB][0-9a-fA-F]{2})\\\\u([dD][c-fC-F][0-9a-fA-F]{2})", "\x02u\\1\x02u\\2"],
    ["\\\\u[dD][89a-fA-F][0-9a-fA-F]{2}", "\\\\ufffd"],
    ["\x02", "\\\\"],
    ["\x01", "\\\\\\\\"],
  ];
  const repaired = steps.reduce(
    (value, [pattern, by]) => `regexp_replace(${value}, ${literal(pattern)}, ${literal(by)}, 'g')`,
    text,
  );
  return `coalesce(TRY_CAST(${text} AS JSON), CAST(${repaired} AS JSON))`;
}

const parquet: FileFormat = {
  name: "parquet",
  extension: "parquet",
  mostRowBytes,
  scan: parquetScan,
  inspect: parquetScan,
  copy: (query, columns, folder) =>
    copyTo(
      copyColumns(query, columns, ({ name }) => identifier(name)),
      folder,
      `FORMAT parquet, COMPRESSION zstd, ${keepsPartition(columns)}`,
    ),
};

const csv: FileFormat = {
  name: "csv",
  extension: "csv.gz",
  mostRowBytes: textRowBytes,
  scan: csvScan,
  inspect: csvScan,
  copy: (query, columns, folder) =>
    copyTo(
      copyColumns(query, columns, asText),
      folder,
      `FORMAT csv, HEADER true, COMPRESSION gzip, ${keepsPartition(columns)}`,
    ),
};

const jsonl: FileFormat = {
  name: "jsonl",
  extension: "jsonl.gz",
  mostRowBytes: textRowBytes,
  // A thread that reads has a buffer of four times the longest line that is taken.
  threads: 1,
  scan: (paths, columns) => {
    const types = columns.map(
      ({ name, type, holds }) => `${literal(name)}: ${literal(holds === "json" ? "JSON" : type)}`,
    );
    const read = `read_json(${pathList(paths)}, columns = {${[...types, `${literal(runColumn)}: 'BIGINT'`].join(", ")}}, ${jsonOptions})`;
    return `SELECT * FROM ${read}`;
  },
  inspect: (paths) => `SELECT * FROM read_json(${pathList(paths)}, ${jsonOptions}, sample_size = -1)`,
  // DuckDB's own JSON writer knows no partitions; a line of CSV with nothing quoted is the same.
  copy: (query, columns, folder) => {
    const fields = columns.map((column) => {
      const value = column.holds === "json" ? asJson(identifier(column.name)) : asText(column);
      return `${identifier(column.name)} := ${value}`;
    });
    const line = `to_json(struct_pack(${[...fields, `${run} := ${run}`].join(", ")}))::VARCHAR`;
    return copyTo(
      `SELECT ${line} AS line, _day AS ${partitionColumn} FROM (${query})`,
      folder,
      `FORMAT csv, HEADER false, DELIMITER E'\\x01', QUOTE '', ESCAPE '', COMPRESSION gzip`,
    );
  },
};

export const fileFormats: Readonly<Record<FormatName, FileFormat>> = { parquet, csv, jsonl };
