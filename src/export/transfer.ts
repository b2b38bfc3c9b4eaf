import type { ExportConfig } from "../config/config.ts";
import { AppError } from "../errors.ts";
import type { DatasetPage, DatasetSource } from "../sdk/dataset-source.ts";
import type { RowChange } from "../sdk/row-batch.ts";
import type { CommitRequest, SinkWriter } from "../sdk/sink.ts";
import type { TableRun } from "./table-run.ts";
import { columnsOf, datasetSourceOf, hasColumns, recordOf, sinkOf, sinkRequestOf } from "./table-run.ts";
import { sideFaults, sidePages } from "./side.ts";
import type { Transform } from "./transform.ts";
import { createTransform } from "./transform.ts";
import type { Place } from "./watermark.ts";
import { formatPlace, noSelection, parsePlace } from "./watermark.ts";

/**
 * Brings one table of the warehouse up to its source, once: opens it, goes on from where it stands, and publishes chunk after chunk. What it throws leaves
 * the table as the last commit left it, and the next try goes on from there.
 */
export async function transfer(run: TableRun): Promise<void> {
  const { engine, export: config, table } = run;
  const source = datasetSourceOf(engine, config.from, table.table.dataset);
  const writer = await openWriter(run);
  const stop = new AbortController();
  try {
    run.counts.leftOut = writer.leftOut;
    const plan = planOf(run, source, writer);
    run.counts.watermarkFrom ??= plan.after ?? null;
    if (!writer.keepsPosition) await announce(run, plan);
    await stream(run, { source, writer, plan, stop });
  } finally {
    stop.abort();
    await writer.close();
  }
}

async function openWriter(run: TableRun): Promise<SinkWriter> {
  const { engine, export: config, right } = run;
  const open = (): Promise<SinkWriter> =>
    sideFaults(config.to, () => sinkOf(engine, config.to).open(sinkRequestOf(run)));
  const writer = await open();
  const newest = writer.position?.run ?? 0;
  if (newest <= right.run()) return writer;
  // The warehouse knows of later runs than the ledger, which must have been set up anew.
  await writer.close();
  await right.renumber(newest);
  return open();
}

/** How a table is to be read, and what its commits say. */
interface Plan {
  /** Undefined from the beginning. */
  readonly after: string | undefined;
  readonly since: number | undefined;
  /** The place that the table is at before the first commit. */
  readonly held: string;
  /** Rows that are not found again are gone from the source, so they are to go from the warehouse. */
  readonly drops: boolean;
}

/** The place of a table that has to be filled from the beginning. */
const nowhere = formatPlace({ selection: noSelection, since: undefined, watermark: "" });

function planOf(run: TableRun, source: DatasetSource, writer: SinkWriter): Plan {
  const { table, mode, right } = run;
  const held = writer.keepsPosition ? writer.position?.watermark : ledgerWatermark(run);
  const place = parsePlace(held);
  const drops = source.forgets?.includes(table.table.dataset) !== true;
  if (held === undefined || place === undefined || place.selection !== table.selection) {
    return { after: undefined, since: right.run(), held: nowhere, drops };
  }
  // A full run that is tried again goes on with what it began itself.
  if (mode.kind === "full" && place.since !== right.run()) {
    return { after: undefined, since: right.run(), held, drops };
  }
  return { after: place.watermark, since: place.since, held, drops };
}

/**
 * Tells the ledger beforehand that other rows or columns are about to be written. A warehouse that keeps no position publishes them before the ledger
 * knows, and after a crash in between nobody may go on from the old place.
 */
async function announce(run: TableRun, { held }: Plan): Promise<void> {
  const { known, table, export: config, right } = run;
  if (known === undefined || run.committed !== undefined) return;
  if (known.watermark === held && hasColumns(known, table)) return;
  await right.record(recordOf(run, "running"), { sink: config.to, watermark: held, columns: columnsOf(run) });
  run.committed = held;
}

/** What the ledger says of a table whose warehouse does not: nothing, when it has columns now that it lacked. */
function ledgerWatermark({ known, table, committed }: TableRun): string | undefined {
  if (committed !== undefined) return committed;
  const had = new Set(known?.columns.map(({ name }) => name));
  return table.table.columns.every(({ name }) => had.has(name)) ? known?.watermark : undefined;
}

/** One try at a table. */
interface Try {
  readonly source: DatasetSource;
  readonly writer: SinkWriter;
  readonly plan: Plan;
  /** Ends the read when the try is over. */
  readonly stop: AbortController;
}

async function stream(run: TableRun, one: Try): Promise<void> {
  const { engine, export: config, table, mode } = run;
  const transform = createTransform(table);
  let staged = 0;
  let stagedSince = engine.now();
  let last: DatasetPage | undefined;
  for await (const page of pagesOf(run, one)) {
    if (page.preparing !== undefined) tellWait(run, page.preparing);
    staged += await writePage(run, one, page, transform);
    last = page;
    engine.crashPoint("export.read");
    if (!isChunk(config, staged, engine.now() - stagedSince)) continue;
    await commit(run, one, { watermark: placeAfter(run, one.plan, page, false) }, "running");
    staged = 0;
    stagedSince = engine.now();
  }
  run.signal.throwIfAborted();
  if (last === undefined) throw new AppError("target_protocol", "the source gave no page");
  run.counts.asOf = mode.kind === "days" ? null : (last.asOf ?? null);
  const watermark = placeAfter(run, one.plan, last, true);
  const drop = dropOf(run, one.plan);
  if (staged === 0 && drop === undefined && watermark === (run.committed ?? one.plan.held)) {
    await record(run, watermark, "done");
  } else await commit(run, one, { watermark, ...drop }, "done");
}

const waitLoggedEveryMs = 60_000;

/** Says now and then in the log what a run waits for that seems to do nothing. */
function tellWait(run: TableRun, preparing: number): void {
  const { engine, export: config, table } = run;
  if (engine.now() - (run.waitLoggedAt ?? -Infinity) < waitLoggedEveryMs) return;
  run.waitLoggedAt = engine.now();
  engine.logger.info(
    { export: config.name, table: table.table.name, from: config.from, preparing },
    "export waits for its source, which is still working out what the rows are",
  );
}

/** What is lost by a crash is read again: with a minute at most, commits cost next to nothing and a slow desk is not asked for much twice. */
const publishEveryMs = 60_000;
const mostRows = 10_000_000;

/** Whether what is staged is to be published. */
function isChunk({ chunkRows }: ExportConfig, rows: number, ms: number): boolean {
  if (chunkRows !== undefined) return rows >= chunkRows;
  return rows >= mostRows || (rows > 0 && ms >= publishEveryMs);
}

function pagesOf(run: TableRun, { source, plan, stop }: Try): AsyncIterable<DatasetPage> {
  const {
    table,
    mode,
    export: { from, lagMs },
    signal,
  } = run;
  const request = {
    dataset: table.table.dataset,
    columns: table.read.map(({ name }) => name),
    signal: AbortSignal.any([signal, stop.signal]),
  };
  if (mode.kind !== "days") return sidePages(from, source.read({ ...request, after: plan.after, lagMs }));
  if (source.readDays !== undefined)
    return sidePages(from, source.readDays({ ...request, from: mode.from, until: mode.until }));
  throw new AppError("capability_missing", `the source of ${request.dataset} cannot give single days`);
}

/** The place that a commit leaves the table at. Days that are exported again move it nowhere. */
function placeAfter({ table, mode }: TableRun, plan: Plan, page: DatasetPage, isEnd: boolean): string {
  if (mode.kind === "days") return plan.held;
  const place: Place = {
    selection: table.selection,
    since: isEnd ? undefined : plan.since,
    watermark: page.watermark,
  };
  return formatPlace(place);
}

function dropOf({ mode }: TableRun, { since, drops }: Plan): Omit<CommitRequest, "watermark"> | undefined {
  if (mode.kind === "days") {
    return drops ? { dropOlderThanIn: { from: mode.from, until: mode.until } } : undefined;
  }
  if (since === undefined) return undefined;
  // An end without anything to drop is a commit, too: the table is whole from here on.
  return drops ? { dropOlderThan: since } : {};
}

/** Writes the changes of a page, and fetches the next while one is being written. Returns how many rows it wrote. */
async function writePage(run: TableRun, one: Try, page: DatasetPage, transform: Transform): Promise<number> {
  const changes = page.changes[Symbol.asyncIterator]();
  let written = 0;
  try {
    let next = await changes.next();
    while (next.done !== true) {
      run.signal.throwIfAborted();
      const { value } = next;
      const out = transform(value);
      [next] = await Promise.all([changes.next(), writeAll(run, one, out)]);
      written += out.reduce((sum, { batch }) => sum + batch.count, 0);
      run.counts.rowsRead += value.batch.count;
      report(run, page);
    }
    report(run, page);
    return written;
  } catch (error) {
    // A read that is under way would hold up its end.
    one.stop.abort();
    await changes.return?.().catch(() => undefined);
    throw error;
  }
}

function writeAll(
  { export: { to } }: TableRun,
  { writer }: Try,
  changes: readonly RowChange[],
): Promise<void> {
  return sideFaults(to, async () => {
    for (const change of changes) await writer.write(change);
  });
}

function report(
  { table: { table }, counts, onProgress }: TableRun,
  { fraction, preparing }: DatasetPage,
): void {
  const seconds = (performance.now() - counts.startedAt) / 1000;
  const { name, dataset } = table;
  onProgress({ table: name, dataset, rows: counts.rowsRead, seconds, fraction, preparing });
}

async function commit(
  run: TableRun,
  { writer, plan }: Try,
  request: CommitRequest,
  state: "running" | "done",
): Promise<void> {
  const { engine, counts } = run;
  await run.right.ensure();
  engine.crashPoint("export.staged");
  const mayDrop = plan.drops && (plan.since !== undefined || run.mode.kind === "days");
  const receipt = await sideFaults(run.export.to, () => writer.commit({ ...request, mayDrop }));
  engine.crashPoint("export.published");
  counts.inserted += receipt.inserted;
  counts.updated += receipt.updated;
  counts.deleted += receipt.deleted;
  counts.bytes += receipt.bytes;
  counts.commits += 1;
  run.committed = request.watermark;
  await record(run, request.watermark, state);
  engine.crashPoint("export.recorded");
}

/** Puts down what was done and where the table stands: only ever after the warehouse has it. */
async function record(run: TableRun, watermark: string, state: "running" | "done"): Promise<void> {
  const { export: config, mode, right, counts } = run;
  counts.watermarkTo = mode.kind === "days" ? null : (parsePlace(watermark)?.watermark ?? null);
  const move = mode.kind === "days" ? undefined : { sink: config.to, watermark, columns: columnsOf(run) };
  await right.record(recordOf(run, state), move);
}
