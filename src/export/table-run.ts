import type { ExportConfig, ExportTable } from "../config/config.ts";
import { AppError } from "../errors.ts";
import type { Engine } from "../jobs/engine.ts";
import type {
  ExportMode,
  ExportRight,
  ExportTableRecord,
  ExportTableState,
  TableMove,
} from "../ledger/exports.ts";
import { workerDatasets } from "../model/dataset.ts";
import type { DatasetSource } from "../sdk/dataset-source.ts";
import type { Sink, SinkRequest } from "../sdk/sink.ts";

/** How far a table of a run has come. */
export interface ExportProgress {
  readonly table: string;
  readonly dataset: string;
  /** Rows and deletions read so far. */
  readonly rows: number;
  readonly seconds: number;
  /** Between 0 and 1; undefined where the source cannot tell. */
  readonly fraction: number | undefined;
  /** Between 0 and 1, while the source has still to work out what the rows are: how much of that is done. */
  readonly preparing?: number | undefined;
}

/** One table of one run: what is needed to carry it out, and what came of it so far. */
export interface TableRun {
  readonly engine: Engine;
  readonly export: ExportConfig;
  readonly table: ExportTable;
  readonly mode: ExportMode;
  readonly right: ExportRight;
  /** As the ledger has it from runs before; undefined for a table that it does not know in this warehouse. */
  readonly known: ExportTableState | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ExportProgress) => void;
  readonly counts: TableCounts;
  /** The place of the last commit of this run, for warehouses that keep none. */
  committed?: string;
  /** When it was last put into the log that the source has no rows yet, in milliseconds since the epoch. */
  waitLoggedAt?: number;
}

/** What a run has done to a table. Only grows; rows count again when they come again after a fault. */
export interface TableCounts {
  readonly startedAt: number;
  rowsRead: number;
  inserted: number;
  updated: number;
  deleted: number;
  bytes: number;
  commits: number;
  watermarkFrom: string | null;
  watermarkTo: string | null;
  asOf: string | null;
  leftOut: ExportTableRecord["leftOut"];
  /** Columns are those of the last commit, or they have changed: then the version is the next one. */
  schemaVersion: number;
}

export function newCounts(known: ExportTableState | undefined, table: ExportTable): TableCounts {
  return {
    startedAt: performance.now(),
    rowsRead: 0,
    inserted: 0,
    updated: 0,
    deleted: 0,
    bytes: 0,
    commits: 0,
    watermarkFrom: null,
    watermarkTo: null,
    asOf: null,
    leftOut: [],
    schemaVersion: (known?.schemaVersion ?? 0) + (known !== undefined && hasColumns(known, table) ? 0 : 1),
  };
}

/** Whether the table had these very columns at its last commit. */
export function hasColumns({ columns }: ExportTableState, { table }: ExportTable): boolean {
  const text = (list: readonly { readonly name: string; readonly type: string }[]): string =>
    list.map(({ name, type }) => `${name} ${type}`).join();
  return text(columns) === text(table.columns);
}

/** What a sink is asked to open for a table of a run. */
export function sinkRequestOf({ export: config, table, right, signal }: TableRun): SinkRequest {
  const { name, onSchemaChange } = config;
  return { table: table.table, export: name, run: right.run(), onSchemaChange, signal };
}

/** The columns of a table as the ledger notes them with its place. */
export function columnsOf({ table: { table } }: TableRun): TableMove["columns"] {
  return table.columns.map(({ name, type }) => ({ name, type }));
}

/** What is put on record of a table. */
export function recordOf(
  { table: { table }, counts }: TableRun,
  state: ExportTableRecord["state"],
  fault?: AppError,
): ExportTableRecord {
  const { startedAt, ...counted } = counts;
  return {
    table: table.name,
    dataset: table.dataset,
    state,
    ...counted,
    seconds: Math.max(0, performance.now() - startedAt) / 1000,
    code: fault?.code ?? null,
    message: fault?.message ?? null,
  };
}

/** What gives the rows of a table. Asked anew for each try, so a configuration that was loaded again takes hold. */
export function datasetSourceOf({ ledger, setup }: Engine, from: string, dataset: string): DatasetSource {
  if (workerDatasets.some((name) => name === dataset)) return ledger.deliveries;
  const source = connectionOf(setup, from).datasets;
  if (source?.datasets.some((name) => name === dataset) === true) return source;
  throw new AppError("capability_missing", `the connection ${from} does not give the dataset ${dataset}`);
}

/** The warehouse of an export. */
export function sinkOf({ setup }: Engine, to: string): Sink {
  const { sink } = connectionOf(setup, to);
  if (sink !== undefined) return sink;
  throw new AppError("capability_missing", `the connection ${to} takes no rows`);
}

function connectionOf(setup: Engine["setup"], name: string) {
  const opened = setup().connections.get(name);
  if (opened !== undefined) return opened.connection;
  throw new AppError("connection_unknown", `there is no connection ${name}`);
}
