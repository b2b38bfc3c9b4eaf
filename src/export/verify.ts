import type { ExportConfig, ExportTable } from "../config/config.ts";
import { AppError } from "../errors.ts";
import type { Engine } from "../jobs/engine.ts";
import type { Column } from "../model/dataset.ts";
import type { DatasetPage, DatasetSource, DayRange } from "../sdk/dataset-source.ts";
import { createRowBatch } from "../sdk/row-batch.ts";
import type { Row, RowBatch } from "../sdk/row-batch.ts";
import type { Sink } from "../sdk/sink.ts";
import type { DayDifference, DayTally } from "./day-tally.ts";
import { createDayTally, differingDays } from "./day-tally.ts";
import { datasetSourceOf, sinkOf } from "./table-run.ts";
import { createTransform } from "./transform.ts";

/** What a comparison of the two sides of a table found. */
export interface TableVerdict {
  readonly table: string;
  readonly dataset: string;
  readonly sourceRows: number;
  readonly sinkRows: number;
  /** Days on which the sides do not have the same rows, in order. */
  readonly differences: readonly DayDifference[];
}

export interface VerifyRequest {
  readonly engine: Engine;
  readonly export: ExportConfig;
  readonly table: ExportTable;
  /** All days when absent. */
  readonly days?: DayRange | undefined;
  readonly signal: AbortSignal;
  /** How many rows have been looked at, on both sides together. */
  readonly onProgress: (rows: number) => void;
}

interface Sides {
  readonly source: DatasetSource;
  readonly sink: Required<Pick<Sink, "read">>;
}

/**
 * Adds both sides of a table up by day and compares them. Nothing is locked meanwhile: days that differ are looked at once more, so that what changed during
 * the reading is told from what is missing; what changed since the last run stays different. Throws `capability_missing` for a warehouse that cannot be read.
 */
export async function verifyTable(request: VerifyRequest): Promise<TableVerdict> {
  const sides = sidesOf(request);
  const seen = counting(request.onProgress);
  const { sink, source } = await tallyBoth(request, sides, request.days, seen);
  const first = differingDays(source.days(), sink.days());
  const differences = await lookAgain(request, sides, first, seen);
  const { dataset, name: table } = request.table.table;
  return { table, dataset, sourceRows: source.rows(), sinkRows: sink.rows(), differences };
}

/** Days of some tables that are to be exported again. */
export interface Repair extends DayRange {
  /** By their names in the warehouse. */
  readonly tables: readonly string[];
}

/** What makes the sides the same again: of each table the days on which it differs, and no more. Tables that differ on the same days go together. */
export function repairsOf(verdicts: readonly TableVerdict[]): readonly Repair[] {
  const repairs = new Map<string, { from: string; until: string; tables: string[] }>();
  for (const { table, differences } of verdicts) {
    for (const { from, until } of stretchesOf(differences)) {
      const days = `${from} ${until}`;
      const repair = repairs.get(days) ?? { from, until, tables: [] };
      repair.tables.push(table);
      repairs.set(days, repair);
    }
  }
  return [...repairs.values()].toSorted((one, other) => (one.from < other.from ? -1 : 1));
}

/** Days one after the other as stretches, for exporting them again. */
function stretchesOf(differences: readonly Pick<DayDifference, "day">[]): readonly DayRange[] {
  const stretches: { from: string; until: string }[] = [];
  for (const { day } of differences) {
    const last = stretches.at(-1);
    if (last?.until === day) last.until = dayAfter(day);
    else stretches.push({ from: day, until: dayAfter(day) });
  }
  return stretches;
}

/** The day after one, both `YYYY-MM-DD`. */
export function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}

function sidesOf({ engine, export: config, table }: VerifyRequest): Sides {
  const sink = sinkOf(engine, config.to);
  if (sink.read === undefined) {
    throw new AppError(
      "capability_missing",
      `the warehouse ${config.to} cannot be read, so it cannot be compared with ${config.from}`,
    );
  }
  return {
    source: datasetSourceOf(engine, config.from, table.table.dataset),
    sink: { read: sink.read.bind(sink) },
  };
}

/** A source without single days gives everything once more; that was compared already. */
async function lookAgain(
  request: VerifyRequest,
  sides: Sides,
  differences: readonly DayDifference[],
  seen: (batch: RowBatch) => void,
): Promise<readonly DayDifference[]> {
  if (sides.source.readDays === undefined) return differences;
  const again: DayDifference[] = [];
  for (const stretch of stretchesOf(differences)) {
    const { sink, source } = await tallyBoth(request, sides, stretch, seen);
    again.push(...differingDays(source.days(), sink.days()));
  }
  return again;
}

interface Tallies {
  readonly sink: DayTally;
  readonly source: DayTally;
}

/** The warehouse first: where it lacks columns (`onSchemaChange: freeze`), they are not compared. */
async function tallyBoth(
  { export: config, table, signal }: VerifyRequest,
  { source, sink }: Sides,
  days: DayRange | undefined,
  seen: (batch: RowBatch) => void,
): Promise<Tallies> {
  const { table: sinkTable } = table;
  const rows: { columns: readonly Column[] } = { columns: sinkTable.columns };
  let sinkTally: DayTally | undefined;
  const reading = { table: sinkTable, export: config.name, signal, ...(days && { days }) };
  for await (const batch of sink.read(reading)) {
    if (sinkTally === undefined) {
      const names = new Set(batch.columns.map(({ name }) => name));
      rows.columns = sinkTable.columns.filter(({ name }) => names.has(name));
      sinkTally = createDayTally(rows.columns, sinkTable.day);
    }
    sinkTally.add(batch);
    seen(batch);
  }
  const sourceTally = createDayTally(rows.columns, sinkTable.day);
  for await (const batch of sourceRows({ source, table, days, signal })) {
    sourceTally.add(batch);
    seen(batch);
  }
  return { sink: sinkTally ?? createDayTally(rows.columns, sinkTable.day), source: sourceTally };
}

interface SourceReading {
  readonly source: DatasetSource;
  readonly table: ExportTable;
  readonly days: DayRange | undefined;
  readonly signal: AbortSignal;
}

/** The source's rows as the warehouse should have them: filtered, hashed, cut to its columns, each once. */
async function* sourceRows(reading: SourceReading): AsyncGenerator<RowBatch> {
  const { source, table, days } = reading;
  const transform = createTransform(table);
  const wanted = (batch: RowBatch): readonly RowBatch[] =>
    transform({ kind: "upsert", batch }).flatMap(({ kind, batch: made }) =>
      kind === "upsert" ? [made] : [],
    );
  const request = {
    dataset: table.table.dataset,
    columns: table.read.map(({ name }) => name),
    signal: reading.signal,
  };
  if (days !== undefined && source.readDays !== undefined) {
    for await (const change of changesOf(source.readDays({ ...request, ...days })))
      yield* wanted(change.batch);
    return;
  }
  const all = changesOf(source.read({ ...request, after: undefined }));
  if (source.readDays !== undefined) {
    // What comes twice in it shows as a difference of that day, which is then read by itself.
    for await (const { kind, batch } of all) if (kind === "upsert") yield* wanted(batch);
    return;
  }
  yield* lastRows(all, reading, wanted);
}

async function* changesOf(pages: AsyncIterable<DatasetPage>) {
  for await (const page of pages) yield* page.changes;
}

/** A source that can only be read from its beginning may give a row more than once: the last of it counts, so all are kept until the end. */
async function* lastRows(
  changes: ReturnType<typeof changesOf>,
  { table: { table }, days }: SourceReading,
  wanted: (batch: RowBatch) => readonly RowBatch[],
): AsyncGenerator<RowBatch> {
  const rows = new Map<string, Row>();
  const keyOf = (row: Row): string => JSON.stringify(table.key.map((name) => row[name]));
  let columns: readonly Column[] = [];
  for await (const { kind, batch } of changes) {
    if (kind === "upsert") columns = batch.columns;
    for (const row of batch.rows()) {
      if (kind === "delete") rows.delete(keyOf(row));
      else rows.set(keyOf(row), row);
    }
  }
  const isIn = (day: string): boolean => days === undefined || (day >= days.from && day < days.until);
  const kept = [...rows.values()].filter((row) => isIn(String(row[table.day]).slice(0, 10)));
  yield* wanted(createRowBatch(columns, kept));
}

function counting(onProgress: (rows: number) => void): (batch: RowBatch) => void {
  let rows = 0;
  return ({ count }) => onProgress((rows += count));
}
