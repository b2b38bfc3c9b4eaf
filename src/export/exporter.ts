import { setTimeout as delay } from "node:timers/promises";
import type { ExportConfig, ExportTable } from "../config/config.ts";
import { toAppError } from "../errors.ts";
import type { AppError } from "../errors.ts";
import type { Engine } from "../jobs/engine.ts";
import type {
  ExportMode,
  ExportRight,
  ExportRunState,
  ExportTableRecord,
  ExportTableState,
  ExportTrigger,
} from "../ledger/exports.ts";
import { runWithCallContext } from "../sdk/call-context.ts";
import { exportNamed } from "./export-named.ts";
import { settleIdle } from "./idle-tables.ts";
import type { ExportProgress, TableRun } from "./table-run.ts";
import { newCounts, recordOf } from "./table-run.ts";
import { transfer } from "./transfer.ts";

export interface ExportRequest {
  readonly name: string;
  readonly trigger: ExportTrigger;
  readonly mode: ExportMode;
  /** Names of the tables that it is about; all of the export's when absent. */
  readonly tables?: readonly string[];
  readonly signal: AbortSignal;
  /** Called with every batch of rows; for people. */
  readonly onProgress?: (progress: ExportProgress) => void;
  /** The time of its timetable that it is for, as `BeginExport.dueAt`. */
  readonly dueAt?: number;
  /** Waits before another try; tests bring their own. */
  readonly pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** What came of a run. */
export interface ExportResult {
  readonly export: string;
  readonly run: number;
  readonly state: Exclude<ExportRunState, "running">;
  /** Rows that were inserted, updated or deleted. */
  readonly rows: number;
  readonly seconds: number;
  /** Where each table stands at its source, by the table's name; those that got nowhere are left out. */
  readonly watermark: Readonly<Record<string, string>>;
  readonly tables: readonly ExportTableRecord[];
  /** The first fault, of a run that is not done. */
  readonly fault: AppError | undefined;
}

/** Tries in a row that bring a table no further, before its run is failed. */
const maxTries = 8;
const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** A source or warehouse that asks for a longer rest gets it, but the run is over. */
const longestRestMs = 600_000;

/**
 * Runs an export once: every table goes on from where it stands, and the run is put on record. Faults that may pass are tried again for some minutes. A
 * run that failed or was aborted is told in the result; what was committed stays, and the next run goes on from there. Throws `export_unknown`,
 * `export_busy`, or what the ledger throws when the run cannot begin. Undefined where `dueAt` says that there is nothing to do.
 */
export async function runExport(engine: Engine, request: ExportRequest): Promise<ExportResult | undefined> {
  const config = exportNamed(engine.setup().config, request.name);
  const { trigger, mode, dueAt } = request;
  const right = await engine.ledger.exports.begin({
    export: config.name,
    trigger,
    mode,
    config: engine.setup().config.version,
    ...(dueAt === undefined ? {} : { dueAt }),
  });
  if (right === undefined) return undefined;
  const startedAt = performance.now();
  const signal = AbortSignal.any([request.signal, right.signal]);
  const { records, fault } = await runWithCallContext({ priority: "export", leaving: signal }, () =>
    runTables(engine, config, { ...request, signal }, right),
  );
  // A run that was stopped from outside has not failed; one whose right was lost has.
  const aborted = fault !== undefined && request.signal.aborted;
  const state = fault === undefined ? "done" : aborted ? "aborted" : "failed";
  await right.end({
    state,
    ...(fault === undefined || aborted ? {} : { code: fault.code, message: fault.message }),
  });
  const result = resultOf(config.name, right.run(), state, records, fault);
  const seconds = (performance.now() - startedAt) / 1000;
  tell(engine, request, { ...result, seconds });
  return { ...result, seconds };
}

interface TablesOutcome {
  readonly records: readonly ExportTableRecord[];
  readonly fault: AppError | undefined;
}

async function runTables(
  engine: Engine,
  config: ExportConfig,
  request: ExportRequest,
  right: ExportRight,
): Promise<TablesOutcome> {
  const records: ExportTableRecord[] = [];
  let first: AppError | undefined;
  try {
    const known = await engine.ledger.exports.tables(config.name);
    const wanted = config.tables.filter(({ table }) => request.tables?.includes(table.name) ?? true);
    const runOf = (table: ExportTable): TableRun =>
      tableRun(engine, config, table, { request, right, known });
    const looked = new Map(wanted.map((table) => [table, runOf(table)]));
    const idle = await settleIdle(config, [...looked.values()]);
    for (const [table, look] of looked) {
      if (idle.has(look)) {
        records.push(recordOf(look, "done"));
        continue;
      }
      const run = runOf(table);
      const fault = await runTable(run, request.pause ?? rest);
      // Being stopped is no fault of the table's.
      const told = request.signal.aborted ? undefined : fault;
      records.push(recordOf(run, stateAfter(fault, request.signal), told));
      if (fault === undefined) continue;
      first ??= fault;
      if (request.signal.aborted) break;
      await right.record(recordOf(run, "failed", fault)).catch(() => undefined);
      // What is wrong with one table is none of the others' business; a warehouse that is away is.
      if (fault.retry !== "stop") break;
    }
  } catch (error) {
    first ??= toAppError(error);
  }
  return { records, fault: first };
}

function tableRun(
  engine: Engine,
  config: ExportConfig,
  table: ExportTable,
  run: {
    readonly request: ExportRequest;
    readonly right: ExportRight;
    readonly known: readonly ExportTableState[];
  },
): TableRun {
  const { request, right } = run;
  const known = run.known.find((one) => one.table === table.table.name && one.sink === config.to);
  return {
    engine,
    export: config,
    table,
    mode: request.mode,
    right,
    known,
    signal: request.signal,
    onProgress: request.onProgress ?? (() => undefined),
    counts: newCounts(known, table),
  };
}

function stateAfter(fault: AppError | undefined, signal: AbortSignal): ExportTableRecord["state"] {
  if (fault === undefined) return "done";
  return signal.aborted ? "aborted" : "failed";
}

/** Tries a table until it is done, or cannot be; returns the fault that it was given up for. */
async function runTable(
  run: TableRun,
  pause: NonNullable<ExportRequest["pause"]>,
): Promise<AppError | undefined> {
  const { engine, signal, counts } = run;
  let tries = 0;
  for (;;) {
    const commits = counts.commits;
    try {
      await transfer(run);
      return undefined;
    } catch (error) {
      const fault = toAppError(signal.aborted ? signal.reason : error);
      tries = counts.commits > commits ? 1 : tries + 1;
      const waitMs = pauseBefore(fault, tries, engine.random);
      if (signal.aborted || waitMs === undefined) return fault;
      engine.logger.warn(
        { export: run.export.name, table: run.table.table.name, code: fault.code, tries },
        `export is tried again: ${fault.message}`,
      );
      // So that `export status` says what it is waiting for.
      await run.right.record(recordOf(run, "running", fault)).catch(() => undefined);
      await pause(waitMs, signal).catch(() => undefined);
      if (signal.aborted) return toAppError(signal.reason);
    }
  }
}

/** How long to wait before another try; undefined when there is to be none. */
function pauseBefore(fault: AppError, tries: number, random: () => number): number | undefined {
  if (tries >= maxTries || (fault.retry !== "retry" && fault.retry !== "retry_after")) return undefined;
  const ceiling = Math.min(longestPauseMs, firstPauseMs * 2 ** (tries - 1));
  const restMs = Math.max(fault.retryAfterMs ?? 0, ceiling / 2 + (random() * ceiling) / 2);
  return restMs > longestRestMs ? undefined : restMs;
}

async function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal });
}

function resultOf(
  name: string,
  run: number,
  state: ExportResult["state"],
  tables: readonly ExportTableRecord[],
  fault: AppError | undefined,
): Omit<ExportResult, "seconds"> {
  const rows = tables.reduce((sum, one) => sum + one.inserted + one.updated + one.deleted, 0);
  const places = tables.flatMap(({ table, watermarkTo }) =>
    watermarkTo === null ? [] : ([[table, watermarkTo]] as const),
  );
  return { export: name, run, state, rows, watermark: Object.fromEntries(places), tables, fault };
}

/** One line a run, and what is counted of it. */
function tell({ logger, metrics }: Engine, { trigger, mode }: ExportRequest, result: ExportResult): void {
  const { export: name, run, state, rows, seconds, tables, fault } = result;
  metrics.exportRun(name, state, seconds * 1000);
  for (const { dataset, inserted, updated, deleted } of tables) {
    metrics.exportRows(name, dataset, { inserted, updated, deleted });
  }
  const facts = { export: name, run, trigger, mode: mode.kind, tables: tables.length, rows, seconds };
  if (state === "done") logger.info(facts, "exported");
  else if (state === "aborted") logger.info(facts, "export was stopped; the next run goes on from there");
  else
    logger.error(
      { ...facts, code: fault?.code, err: fault },
      "export failed; the next run goes on from its last commit",
    );
}
