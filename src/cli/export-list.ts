import type { Command } from "commander";
import type { ExportConfig } from "../config/config.ts";
import { addConfigOption, addJsonOption } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine } from "./context.ts";
import { nextRun } from "./export-schedule.ts";
import { loadExports } from "./export-visit.ts";
import { formatTable } from "./table.ts";

/** An export as `export list` shows it. */
interface ListedExport {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly datasets: readonly { readonly dataset: string; readonly table: string }[];
  readonly schedule: ExportConfig["schedule"] | null;
  /** RFC 3339; null for one that is run by hand only. */
  readonly nextRun: string | null;
}

/** `export list`. */
export function addExportList(verb: Command, context: CliContext): void {
  const command = verb
    .command("list")
    .description("the exports that are configured: what of, where to, when")
    .addHelpText("after", "\nExample:\n  deskbridge export list --config config/deskbridge.yaml");
  addJsonOption(addConfigOption(command)).action(async (options: Pick<CommonOptions, "config" | "json">) => {
    const { exports } = await loadExports(context, options);
    const listed = exports.map((one) => listedExport(one, Date.now()));
    if (options.json === true) printJson(context, listed);
    else if (listed.length === 0)
      printLine(context, "No exports. See docs/guides/exports.md for a first one.");
    else printLine(context, exportTable(listed, context.stdout.columns));
  });
}

function listedExport({ name, from, to, tables, schedule }: ExportConfig, now: number): ListedExport {
  return {
    name,
    from,
    to,
    datasets: tables.map(({ table }) => ({ dataset: table.dataset, table: table.name })),
    schedule: schedule ?? null,
    nextRun: nextRun(schedule, now),
  };
}

function exportTable(exports: readonly ListedExport[], width: number | undefined): string {
  const rows = exports.map(({ name, from, to, datasets, schedule, nextRun: next }) => [
    name,
    `${from} ▶ ${to}`,
    schedule ? `${schedule.cron} (${schedule.timezone})` : "by hand",
    next ?? "-",
    datasets.map(({ dataset, table }) => (dataset === table ? dataset : `${dataset} as ${table}`)).join(", "),
  ]);
  const columns = ["export", "way", "schedule", "next run"].map((title) => ({ title }));
  return formatTable([...columns, { title: "datasets", long: true }], rows, width);
}
