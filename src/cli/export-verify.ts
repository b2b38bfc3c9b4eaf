import type { Command } from "commander";
import type { Config, ExportConfig } from "../config/config.ts";
import { exportNamed } from "../export/export-named.ts";
import type { Repair, TableVerdict } from "../export/verify.ts";
import { repairsOf, verifyTable } from "../export/verify.ts";
import type { DayRange } from "../sdk/dataset-source.ts";
import { addCommonOptions, addJsonOption } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, printNote } from "./context.ts";
import type { DayOptions } from "./export-days.ts";
import { addDayOptions, daysOf } from "./export-days.ts";
import { createExportProgress } from "./export-progress.ts";
import { runVisited } from "./export-run.ts";
import { verdictText } from "./export-verify-text.ts";
import type { ExportVisit } from "./export-visit.ts";
import { loadExports, withConnections } from "./export-visit.ts";
import { untilInterrupted } from "./interrupt.ts";
import { createPaint } from "./table.ts";

type VerifyOptions = CommonOptions & DayOptions & { readonly repair?: boolean; readonly runFirst?: boolean };

const help = `
Every row of both sides is read and added up by the day (UTC) that it came to be: how many there are, and a checksum of what they hold. What changed on
the desk since the last run counts as different; --run-first runs the export before it compares. --repair sends of each
table the days that differ again, drops what the desk has not, and compares these tables once more. Ends with 1 when the sides differ.

Examples:
  deskbridge export verify nightly --run-first
  deskbridge export verify nightly --from 2026-11-01 --to 2026-11-30 --repair`;

/** `export verify`. */
export function addExportVerify(verb: Command, context: CliContext): void {
  const command = verb
    .command("verify")
    .description("compare the warehouse with the desk, day by day, and repair what differs")
    .argument("<name>", "the export's name")
    .option("--repair", "send the days that differ again, of the tables that do")
    .option("--run-first", "run the export before comparing")
    .addHelpText("after", help);
  addDayOptions(command);
  addJsonOption(addCommonOptions(command)).action(async (name: string, options: VerifyOptions) => {
    const days = daysOf(command, options, Date.now());
    const config = await loadExports(context, options);
    const chosen = exportNamed(config, name);
    const outcome = await untilInterrupted((signal) =>
      withConnections(context, options, config, [chosen.from, chosen.to], (visit) =>
        verify({ context, visit, config, chosen, days, signal }, options),
      ),
    );
    const { verdicts, repaired } = outcome;
    const differ = verdicts.some(({ differences }) => differences.length > 0);
    if (options.json === true)
      printJson(context, { export: name, same: !differ, repaired, tables: verdicts });
    else printLine(context, verdictText(name, outcome, createPaint(context)));
    if (differ) context.fail();
  });
}

interface Verification {
  readonly context: CliContext;
  readonly visit: ExportVisit;
  readonly config: Config;
  readonly chosen: ExportConfig;
  readonly days: DayRange | undefined;
  readonly signal: AbortSignal;
}

/** What the two sides came to, and what was sent again on the way. */
export interface VerifyOutcome {
  readonly verdicts: readonly TableVerdict[];
  readonly repaired: readonly Repair[];
}

async function verify(on: Verification, { repair, runFirst }: VerifyOptions): Promise<VerifyOutcome> {
  if (runFirst === true) await runTo(on, { mode: { kind: "incremental" } });
  const verdicts = await compare(on, on.chosen.tables);
  const repairs = repairsOf(verdicts);
  if (repair !== true || repairs.length === 0) return { verdicts, repaired: [] };
  for (const { tables, from, until } of repairs) {
    printNote(on.context, `sending ${from} up to ${until} of ${tables.join(", ")} again`);
    await runTo(on, { mode: { kind: "days", from, until }, only: tables });
  }
  const sent = new Set(repairs.flatMap(({ tables }) => tables));
  const again = await compare(
    on,
    on.chosen.tables.filter(({ table }) => sent.has(table.name)),
  );
  const latest = new Map(again.map((verdict) => [verdict.table, verdict]));
  return { verdicts: verdicts.map((verdict) => latest.get(verdict.table) ?? verdict), repaired: repairs };
}

async function runTo(
  { context, visit, chosen, signal }: Verification,
  how: Omit<Parameters<typeof runVisited>[3], "signal">,
): Promise<void> {
  const result = await runVisited(context, visit, chosen, { ...how, signal });
  if (result.fault !== undefined) throw result.fault;
}

async function compare(
  { context, visit, chosen, days, signal }: Verification,
  tables: ExportConfig["tables"],
): Promise<readonly TableVerdict[]> {
  const names = tables.map(({ table }) => table.dataset);
  const progress = createExportProgress(context, names, Date.now);
  const verdicts: TableVerdict[] = [];
  try {
    for (const table of tables) {
      const { dataset } = table.table;
      const onProgress = (rows: number): void => progress.show({ dataset, rows });
      verdicts.push(
        await verifyTable({ engine: visit.app.engine, export: chosen, table, days, signal, onProgress }),
      );
    }
    return verdicts;
  } finally {
    progress.end();
  }
}
