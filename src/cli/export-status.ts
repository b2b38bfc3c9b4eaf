import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import { AppError } from "../errors.ts";
import type { ExportLedger, ExportRunRecord, ExportTableState } from "../ledger/exports.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import { addCommonOptions, addJsonOption } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, withLedger } from "./context.ts";
import { watermarkOf } from "./export-run-text.ts";
import { nextRun } from "./export-schedule.ts";
import { statusText } from "./export-status-text.ts";
import { loadExports } from "./export-visit.ts";
import { createPaint } from "./table.ts";

/** How an export stands. */
export interface ExportStatus {
  readonly export: string;
  /** False for one that has run and is not configured any more. */
  readonly configured: boolean;
  readonly state: "never ran" | ExportRunRecord["state"];
  /** RFC 3339: what happened on the source before this is in the warehouse; null where nobody can tell. */
  readonly watermark: string | null;
  /** How long ago that is. */
  readonly lagSeconds: number | null;
  readonly nextRun: string | null;
  readonly tables: readonly ExportTableState[];
  /** Newest first. */
  readonly runs: readonly ExportRunRecord[];
}

const runsOfOne = 10;

/** `export status`. */
export function addExportStatus(verb: Command, context: CliContext): void {
  const command = verb
    .command("status")
    .description("last runs, how far each export is behind, when it runs next, and what went wrong")
    .argument("[name]", "one export, with its tables and its last runs")
    .addHelpText(
      "after",
      "\nExamples:\n  deskbridge export status\n  deskbridge export status nightly --json",
    );
  addJsonOption(addCommonOptions(command)).action(
    async (name: string | undefined, options: CommonOptions) => {
      const config = await loadExports(context, options);
      const statuses = await withLedger(context, options, ({ foundation }) =>
        readStatuses(foundation.ledger.exports, config, name, Date.now()),
      );
      if (options.json === true) printJson(context, name === undefined ? statuses : statuses[0]);
      else printLine(context, statusText(statuses, name !== undefined, createPaint(context), Date.now()));
      if (statuses.some(({ state }) => state === "failed")) context.fail();
    },
  );
}

async function readStatuses(
  exports: ExportLedger,
  config: Config,
  name: string | undefined,
  now: number,
): Promise<readonly ExportStatus[]> {
  const configured = config.exports.map((one) => one.name);
  const ran = (await exports.standings()).map((standing) => standing.export);
  const known = [...new Set([...configured, ...ran])];
  if (name !== undefined && !known.includes(name)) {
    throw new AppError("export_unknown", `there is no export ${name}.${didYouMean(name, known)}`);
  }
  const wanted = name === undefined ? known : [name];
  return Promise.all(
    wanted.map((one) => statusOf(exports, config, one, { limit: name === undefined ? 1 : runsOfOne, now })),
  );
}

async function statusOf(
  exports: ExportLedger,
  config: Config,
  name: string,
  { limit, now }: { readonly limit: number; readonly now: number },
): Promise<ExportStatus> {
  const configured = config.exports.find((one) => one.name === name);
  const runs = await exports.runs({ export: name, limit });
  const all = await exports.tables(name);
  // Tables in a warehouse that it went to before say nothing about the one that it goes to now.
  const names = new Set(configured?.tables.map(({ table }) => table.name));
  const tables = all.filter(
    ({ table, sink }) => configured === undefined || (sink === configured.to && names.has(table)),
  );
  const isWhole = configured === undefined || tables.length === configured.tables.length;
  const watermark = isWhole ? watermarkOf(tables) : null;
  return {
    export: name,
    configured: configured !== undefined,
    state: runs[0]?.state ?? "never ran",
    watermark,
    lagSeconds: watermark === null ? null : Math.max(0, (now - Date.parse(watermark)) / 1000),
    nextRun: nextRun(configured?.schedule, now),
    tables,
    runs,
  };
}
