import type { Command } from "commander";
import { Argument, InvalidArgumentError } from "commander";
import type { Config, ExportTable } from "../config/config.ts";
import { AppError } from "../errors.ts";
import { exportNamed } from "../export/export-named.ts";
import { datasetSourceOf } from "../export/table-run.ts";
import { createTransform } from "../export/transform.ts";
import { datasetCatalogue } from "../model/dataset-catalogue.ts";
import type { Column, DatasetName } from "../model/dataset.ts";
import { datasetNames } from "../model/dataset.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import type { Row, RowChange } from "../sdk/row-batch.ts";
import { addCommonOptions, addJsonOption, parseCount } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine } from "./context.ts";
import { previewText } from "./export-preview-text.ts";
import type { ExportVisit } from "./export-visit.ts";
import { loadExports, withConnections } from "./export-visit.ts";
import { untilInterrupted } from "./interrupt.ts";
import { createPaint } from "./table.ts";

interface PreviewOptions extends CommonOptions {
  readonly from?: string;
  readonly export?: string;
  readonly limit: number;
}

/** What is looked at: a connection's dataset, as it is or as an export would write it. */
interface Subject {
  readonly from: string;
  readonly dataset: DatasetName;
  readonly columns: readonly Column[];
  /** Absent for rows as they are. */
  readonly table?: ExportTable;
}

/** `export preview`. */
export function addExportPreview(verb: Command, context: CliContext): void {
  const command = verb
    .command("preview")
    .description(
      "some rows of a dataset; with --export as that export would write them, personal data included or not",
    )
    .addArgument(new Argument("<dataset>", "the dataset").argParser(parseDataset))
    .option("--from <connection>", "the desk; that of the first export unless told")
    .option("--export <name>", "with this export's columns, filter and personal policy")
    .option("--limit <number>", "so many rows", parseCount, 5)
    .addHelpText(
      "after",
      "\nExamples:\n  deskbridge export preview ticket_metrics --limit 3\n  deskbridge export preview contacts --export nightly --json",
    );
  addJsonOption(addCommonOptions(command)).action(async (dataset: DatasetName, options: PreviewOptions) => {
    const config = await loadExports(context, options);
    const subject = subjectOf(command, config, dataset, options);
    const rows = await untilInterrupted((signal) =>
      withConnections(context, options, config, [subject.from], (visit) =>
        firstRows(visit, subject, options.limit, signal),
      ),
    );
    if (options.json === true) printJson(context, { dataset, from: subject.from, rows });
    else if (rows.length === 0) printLine(context, `${subject.from} has no rows of ${dataset}.`);
    else printLine(context, previewText(subject.columns, rows, createPaint(context), context.stdout.columns));
  });
}

function parseDataset(text: string): DatasetName {
  const found = datasetNames.find((name) => name === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`There are ${datasetNames.join(", ")}.${didYouMean(text, datasetNames)}`);
}

function subjectOf(command: Command, config: Config, dataset: DatasetName, options: PreviewOptions): Subject {
  const chosen = options.export === undefined ? undefined : exportNamed(config, options.export);
  const from = options.from ?? chosen?.from ?? config.exports[0]?.from;
  if (from === undefined) command.error("error: --from is needed: no export is configured", { exitCode: 2 });
  if (!config.connections.has(from))
    throw new AppError(
      "connection_unknown",
      `there is no connection ${from}.${didYouMean(from, config.connections.keys())}`,
    );
  if (chosen === undefined) return { from, dataset, columns: datasetCatalogue[dataset].columns };
  const table = chosen.tables.find((one) => one.table.dataset === dataset);
  if (table === undefined) {
    const has = chosen.tables.map((one) => one.table.dataset).join(", ");
    command.error(`error: the export ${chosen.name} has no dataset ${dataset}; it has ${has}`, {
      exitCode: 2,
    });
  }
  return { from, dataset, columns: table.table.columns, table };
}

async function firstRows(
  { app }: ExportVisit,
  { from, dataset, columns, table }: Subject,
  limit: number,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const source = datasetSourceOf(app.engine, from, dataset);
  const transform = table === undefined ? undefined : createTransform(table);
  const read = (table?.read ?? columns).map(({ name }) => name);
  const enough = new AbortController();
  const rows: Row[] = [];
  try {
    const request = {
      dataset,
      columns: read,
      after: undefined,
      signal: AbortSignal.any([signal, enough.signal]),
    };
    for await (const page of source.read(request)) {
      for await (const change of page.changes) {
        rows.push(...rowsOf(transform?.(change) ?? [change]).slice(0, limit - rows.length));
        if (rows.length >= limit) return rows;
      }
    }
    return rows;
  } finally {
    enough.abort();
  }
}

function rowsOf(changes: readonly RowChange[]): readonly Row[] {
  return changes.flatMap(({ kind, batch }) => (kind === "upsert" ? batch.rows() : []));
}
