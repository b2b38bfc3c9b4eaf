import type { Column, ColumnType } from "../model/dataset.ts";
import type { DayRange } from "./dataset-source.ts";
import type { SinkTable } from "./sink.ts";
import { runColumn } from "./sink.ts";

/** What sets the SQL of one warehouse apart from another's. */
export interface MergeDialect {
  /** A name as an identifier. */
  readonly quoted: (name: string) => string;
  /** A table of the sink's dataset or schema, as SQL. */
  readonly table: (name: string) => string;
  /** Types of columns, as the warehouse's own catalogue writes them. */
  readonly types: Readonly<Record<ColumnType, string>>;
  readonly boolean: string;
  readonly integer: string;
  readonly text: string;
  /** What a stage is, where it need not be a table like others: `TEMPORARY TABLE`. */
  readonly stageTable?: string;
}

/** A statement with the values of its `?`, in their order. */
export interface MergeStatement {
  readonly sql: string;
  readonly values?: readonly (string | number | null)[];
}

/** Columns that staged rows have besides those of the table. */
export const stageColumns = { order: "_deskbridge_order", deleted: "_deskbridge_deleted" } as const;

export const mergeRecords = "_deskbridge_exports";

export function createRecords(dialect: MergeDialect): MergeStatement {
  const { quoted, text, integer } = dialect;
  const columns = [
    ...["table_name", "export", "dataset"].map((name) => `${quoted(name)} ${text} NOT NULL`),
    `${quoted("run")} ${integer}`,
    ...["watermark", "filled_columns"].map((name) => `${quoted(name)} ${text}`),
  ];
  return { sql: `CREATE TABLE IF NOT EXISTS ${dialect.table(mergeRecords)} (${columns.join(", ")})` };
}

function definitions({ quoted, types }: MergeDialect, columns: readonly Column[]): string[] {
  return columns.map(({ name, type }) => `${quoted(name)} ${types[type]}`);
}

export function createTable(dialect: MergeDialect, table: SinkTable): MergeStatement {
  const columns = [...definitions(dialect, table.columns), `${dialect.quoted(runColumn)} ${dialect.integer}`];
  return { sql: `CREATE TABLE ${dialect.table(table.name)} (${columns.join(", ")})` };
}

export function addColumns(
  dialect: MergeDialect,
  table: SinkTable,
  columns: readonly Column[],
): MergeStatement[] {
  const name = dialect.table(table.name);
  return definitions(dialect, columns).map((column) => ({ sql: `ALTER TABLE ${name} ADD COLUMN ${column}` }));
}

export function createStageTable(dialect: MergeDialect, stage: string, table: SinkTable): MergeStatement {
  const { quoted, integer, boolean, stageTable = "TABLE" } = dialect;
  const own = [`${quoted(stageColumns.order)} ${integer}`, `${quoted(stageColumns.deleted)} ${boolean}`];
  return {
    sql: `CREATE ${stageTable} ${dialect.table(stage)} (${[...definitions(dialect, table.columns), ...own].join(", ")})`,
  };
}

/** Brings the staged rows in: the last of each key counts. */
export function mergeStage(
  dialect: MergeDialect,
  stage: string,
  {
    table,
    run,
    written,
  }: { readonly table: SinkTable; readonly run: number; readonly written: readonly Column[] },
): MergeStatement {
  const { quoted } = dialect;
  const key = table.key.map(quoted);
  const names = written.map(({ name }) => quoted(name));
  const rest = written.filter(({ name }) => !table.key.includes(name)).map(({ name }) => quoted(name));
  const deleted = `s.${quoted(stageColumns.deleted)}`;
  const set = [...rest.map((name) => `${name} = s.${name}`), `${quoted(runColumn)} = ${run}`];
  return {
    sql: `MERGE INTO ${dialect.table(table.name)} AS t USING (
  SELECT * FROM ${dialect.table(stage)} WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY ${key.join(", ")} ORDER BY ${quoted(stageColumns.order)} DESC) = 1
) AS s ON ${key.map((name) => `t.${name} = s.${name}`).join(" AND ")}
WHEN MATCHED AND ${deleted} THEN DELETE
WHEN MATCHED THEN UPDATE SET ${set.join(", ")}
WHEN NOT MATCHED AND NOT ${deleted} THEN INSERT (${[...names, quoted(runColumn)].join(", ")}) VALUES (${[...names.map((name) => `s.${name}`), run].join(", ")})`,
  };
}

/** The condition of the rows that a full run or a repair takes away; undefined where the commit does not. */
export function dropCondition(
  dialect: MergeDialect,
  table: SinkTable,
  run: number,
  commit: { readonly dropOlderThan?: number; readonly dropOlderThanIn?: DayRange },
): MergeStatement | undefined {
  const column = dialect.quoted(runColumn);
  const days = commit.dropOlderThanIn;
  const parts = [
    ...(commit.dropOlderThan === undefined ? [] : [`${column} < ${commit.dropOlderThan}`]),
    ...(days === undefined ? [] : [`(${column} < ${run} AND ${within(dialect, table)})`]),
  ];
  if (parts.length === 0) return undefined;
  return { sql: parts.join(" OR "), values: days === undefined ? [] : daysOf(table, days) };
}

/** The condition of the rows of some days; its values are those of `daysOf`. */
export function within({ quoted, types }: MergeDialect, table: SinkTable): string {
  const type = table.columns.find(({ name }) => name === table.day)?.type ?? "timestamp";
  const day = quoted(table.day);
  return `${day} >= CAST(? AS ${types[type]}) AND ${day} < CAST(? AS ${types[type]})`;
}

export function daysOf(table: SinkTable, { from, until }: DayRange): readonly string[] {
  const isDate = table.columns.some(({ name, type }) => name === table.day && type === "date");
  return [from, until].map((day) => (isDate ? day : `${day} 00:00:00+00:00`));
}

/** A row as a line of JSON that every parser takes: where a text has half of a character, which JavaScript allows, U+FFFD stands for it. */
export function jsonLine(row: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(row);
  // Only halves are written as escapes; a backslash of the text itself is doubled.
  const isWhole = !text.includes("\\ud");
  return isWhole ? text : text.replaceAll(/(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g, "$1\ufffd");
}
