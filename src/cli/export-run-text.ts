import type { ExportResult } from "../export/exporter.ts";
import type { ExportTableRecord } from "../ledger/exports.ts";
import type { Paint } from "./table.ts";
import { countOf, formatTable, oneLine } from "./table.ts";
import { durationText } from "./time-text.ts";

/** What `export run --json` prints. */
export interface RunAnswer {
  readonly export: string;
  readonly run: number;
  readonly state: ExportResult["state"];
  /** Rows that were inserted, updated or deleted in the warehouse. */
  readonly rows: number;
  readonly datasets: Readonly<Record<string, RunAnswerDataset>>;
  readonly seconds: number;
  /** RFC 3339: what happened on the source before this is in the warehouse, in all of these tables; null where the source cannot tell. */
  readonly watermark: string | null;
  readonly code?: string;
  readonly message?: string;
}

interface RunAnswerDataset {
  readonly table: string;
  readonly rows: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly state: ExportTableRecord["state"];
  readonly watermark: string | null;
  readonly code?: string;
  readonly message?: string;
}

export function runAnswer({
  export: name,
  run,
  state,
  rows,
  seconds,
  tables,
  fault,
}: ExportResult): RunAnswer {
  return {
    export: name,
    run,
    state,
    rows,
    datasets: Object.fromEntries(tables.map((table) => [table.dataset, datasetAnswer(table)])),
    seconds: rounded(seconds),
    watermark: watermarkOf(tables),
    // Being stopped says all there is to say.
    ...(fault === undefined || state === "aborted" ? {} : { code: fault.code, message: fault.message }),
  };
}

function datasetAnswer(record: ExportTableRecord): RunAnswerDataset {
  const { table, inserted, updated, deleted, bytes, seconds, state, asOf, code, message } = record;
  return {
    table,
    rows: inserted + updated + deleted,
    inserted,
    updated,
    deleted,
    bytes,
    seconds: rounded(seconds),
    state,
    watermark: asOf,
    ...(code === null ? {} : { code }),
    ...(message === null ? {} : { message }),
  };
}

/** The table that is furthest behind says how far all of them are. */
export function watermarkOf(tables: readonly Pick<ExportTableRecord, "asOf">[]): string | null {
  const times = tables.map(({ asOf }) => asOf);
  if (times.length === 0 || times.includes(null)) return null;
  return times.toSorted((one, other) => Date.parse(one ?? "") - Date.parse(other ?? ""))[0] ?? null;
}

/** What came of a run, for people. */
export function runText(result: ExportResult, paint: Paint): string {
  const { export: name, state, rows, seconds, tables, fault } = result;
  const lines = tables.length === 0 ? [] : [tableOfTables(tables), ""];
  const facts = `${countOf(tables.length, "table")}, ${countOf(rows, "row")} in ${durationText(seconds * 1000)}`;
  const upTo = watermarkOf(tables);
  const end =
    state === "done"
      ? `${paint.good("done")}${upTo === null ? "" : `, complete up to ${upTo}`}`
      : state === "aborted"
        ? paint.warning("stopped; what was published stays, and the next run goes on from there")
        : paint.bad(`failed: ${fault?.code ?? "internal"}: ${oneLine(fault?.message ?? "")}`);
  return [...lines, `${name}: ${facts}; ${end}`, ...tables.flatMap(leftOutLines)].join("\n");
}

function tableOfTables(tables: readonly ExportTableRecord[]): string {
  const columns = [
    { title: "dataset" },
    { title: "table" },
    ...["new", "changed", "deleted", "size", "time"].map((title) => ({ title, numeric: true })),
    { title: "state" },
  ];
  const rows = tables.map((record) => [
    record.dataset,
    record.table,
    record.inserted,
    record.updated,
    record.deleted,
    bytesText(record.bytes),
    durationText(record.seconds * 1000),
    record.code === null ? record.state : `${record.state}: ${record.code}`,
  ]);
  return formatTable(columns, rows);
}

function leftOutLines({ table, leftOut }: ExportTableRecord): string[] {
  return leftOut.map(({ column, reason }) => `  ${table}.${column} is left out: ${oneLine(reason)}`);
}

/** A size for people: `512 B`, `3.4 kB`, `120 MB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
