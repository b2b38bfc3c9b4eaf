import type { ExportConfig } from "../config/config.ts";
import type { DatasetSource } from "../sdk/dataset-source.ts";
import type { SinkPosition } from "../sdk/sink.ts";
import type { TableRun } from "./table-run.ts";
import { columnsOf, datasetSourceOf, recordOf, sinkOf, sinkRequestOf } from "./table-run.ts";
import { parsePlace } from "./watermark.ts";

/**
 * Those of some tables for which there is nothing to do: the warehouse has them as the last run left them, and at the source nothing happened since. That is
 * put on record. Found out for all at once, and without opening any; a table of which anything is not so, or cannot be told, is left to be opened.
 */
export async function settleIdle(
  config: ExportConfig,
  runs: readonly TableRun[],
): Promise<ReadonlySet<TableRun>> {
  const [first] = runs;
  if (first === undefined || first.mode.kind !== "incremental") return new Set();
  const idle = await findIdle(config, first, runs).catch(() => []);
  if (idle.length === 0) return new Set();
  await first.right.recordAll(
    idle.map(({ run, watermark }) => ({
      record: recordOf(run, "done"),
      move: { sink: config.to, watermark, columns: columnsOf(run) },
    })),
  );
  return new Set(idle.map(({ run }) => run));
}

interface Idle {
  readonly run: TableRun;
  /** The place of the table, which stays. */
  readonly watermark: string;
}

async function findIdle(
  config: ExportConfig,
  { engine }: TableRun,
  runs: readonly TableRun[],
): Promise<readonly Idle[]> {
  const sourceOf = ({ table }: TableRun): DatasetSource =>
    datasetSourceOf(engine, config.from, table.table.dataset);
  // A first run need not ask, nor one of a source that cannot tell.
  const known = runs.filter((run) => run.known !== undefined && sourceOf(run).unchanged !== undefined);
  const sink = sinkOf(engine, config.to);
  if (known.length === 0 || sink.standings === undefined) return [];
  const standings = await sink.standings(known.map(sinkRequestOf));
  const found = await Promise.all(known.map((run, index) => idleAt(run, standings[index])));
  return found.filter((one) => one !== undefined);
}

/** Whether a run would find its table at a place behind which nothing happened, and leave it there. */
async function idleAt(run: TableRun, position: SinkPosition | undefined): Promise<Idle | undefined> {
  const { engine, export: config, table, right, signal, counts } = run;
  const place = parsePlace(position?.watermark);
  if (position === undefined || place === undefined || position.run > right.run()) return undefined;
  // A load of everything that is not over goes on, and another selection begins anew.
  if (place.selection !== table.selection || place.since !== undefined) return undefined;
  const { dataset } = table.table;
  const source = datasetSourceOf(engine, config.from, dataset);
  const same = await source.unchanged?.({ dataset, after: place.watermark, signal });
  if (same === undefined) return undefined;
  counts.watermarkFrom = place.watermark;
  counts.watermarkTo = place.watermark;
  counts.asOf = same.asOf ?? null;
  return { run, watermark: position.watermark };
}
