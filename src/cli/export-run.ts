import type { Command } from "commander";
import type { Config, ExportConfig } from "../config/config.ts";
import { runExport } from "../export/exporter.ts";
import { exportNamed } from "../export/export-named.ts";
import type { ExportResult } from "../export/exporter.ts";
import type { ExportMode } from "../ledger/exports.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import { addCommonOptions, addJsonOption } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine } from "./context.ts";
import type { DayOptions } from "./export-days.ts";
import { addDayOptions, daysOf } from "./export-days.ts";
import { createExportProgress } from "./export-progress.ts";
import { runAnswer, runText } from "./export-run-text.ts";
import type { ExportVisit } from "./export-visit.ts";
import { loadExports, withConnections } from "./export-visit.ts";
import { untilInterrupted } from "./interrupt.ts";
import { createPaint } from "./table.ts";

type RunOptions = CommonOptions &
  DayOptions & { readonly full?: boolean; readonly dataset?: readonly string[] };

const examples = `
Examples:
  deskbridge export run nightly                      what changed since the last run
  deskbridge export run nightly --full               everything again; what is gone from the desk goes from the warehouse
  deskbridge export run nightly --from 2026-11-01 --to 2026-11-30
  deskbridge export run nightly --dataset tickets messages --json | tail -n 1

Running it again changes nothing. Ctrl-C stops it: what was published stays, and the next run goes on from there. It works beside a deskbridge
that runs, and without one: the built-in desk then answers this command alone.`;

/** `export run`. */
export function addExportRun(verb: Command, context: CliContext): void {
  const command = verb
    .command("run")
    .description("bring the warehouse up to what the desk has now")
    .argument("<name>", "the export's name")
    .option("--full", "everything from the beginning")
    .option("--dataset <names...>", "only these of its datasets")
    .addHelpText("after", examples);
  addDayOptions(command);
  addJsonOption(addCommonOptions(command)).action(async (name: string, options: RunOptions) => {
    const mode = modeOf(command, options);
    const config = await loadExports(context, options);
    const chosen = withDatasets(command, exportNamed(config, name), options.dataset);
    const result = await untilInterrupted((signal) =>
      runOnce(context, options, config, chosen, { mode, signal }),
    );
    if (options.json === true) printJson(context, runAnswer(result));
    else printLine(context, runText(result, createPaint(context)));
    if (result.state !== "done") context.fail();
  });
}

function modeOf(command: Command, options: RunOptions): ExportMode {
  const days = daysOf(command, options, Date.now());
  if (days === undefined) return { kind: options.full === true ? "full" : "incremental" };
  if (options.full === true) command.error("error: --full takes no --from", { exitCode: 2 });
  return { kind: "days", ...days };
}

function withDatasets(
  command: Command,
  chosen: ExportConfig,
  names: readonly string[] | undefined,
): ExportConfig {
  if (names === undefined) return chosen;
  const has = chosen.tables.map(({ table }) => table.dataset);
  const unknown = names.find((name) => !has.some((one) => one === name));
  if (unknown !== undefined) {
    const message = `error: the export ${chosen.name} has no dataset ${unknown}; it has ${has.join(", ")}.${didYouMean(unknown, has)}`;
    command.error(message, { exitCode: 2 });
  }
  return { ...chosen, tables: chosen.tables.filter(({ table }) => names.includes(table.dataset)) };
}

interface How {
  readonly mode: ExportMode;
  /** Tables by their names; all when absent. */
  readonly only?: readonly string[];
  readonly signal: AbortSignal;
}

async function runOnce(
  context: CliContext,
  options: CommonOptions,
  config: Config,
  chosen: ExportConfig,
  how: How,
): Promise<ExportResult> {
  const narrowed = { ...config, exports: [chosen] };
  return withConnections(context, options, narrowed, [chosen.from, chosen.to], (visit) =>
    runVisited(context, visit, chosen, how),
  );
}

/** Runs an export whose connections are open, and shows how far it has come. */
export async function runVisited(
  context: CliContext,
  { app }: ExportVisit,
  { name, tables }: ExportConfig,
  { mode, only, signal }: How,
): Promise<ExportResult> {
  const wanted = tables.filter(({ table }) => only?.includes(table.name) ?? true);
  const datasets = wanted.map(({ table }) => table.dataset);
  const progress = createExportProgress(context, datasets, Date.now);
  try {
    const request = { name, trigger: "hand", mode, signal, onProgress: progress.show } as const;
    const result = await runExport(app.engine, { ...request, ...(only && { tables: only }) });
    // Only a run by the timetable is left out where another has been.
    if (result === undefined) throw new Error("a run by hand was left out");
    return result;
  } finally {
    progress.end();
  }
}
