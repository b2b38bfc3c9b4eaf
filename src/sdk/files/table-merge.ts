import { rm } from "node:fs/promises";
import { AppError } from "../../errors.ts";
import { runColumn } from "../sink.ts";
import type { CommitRequest, SinkTable } from "../sink.ts";
import { gatheredRows, groupDays } from "./day-groups.ts";
import type { Duckdb } from "./duckdb.ts";
import { tableRows, writtenFiles } from "./early-files.ts";
import type { FileColumn, FileFormat } from "./file-format.ts";
import type { DataFile } from "./manifest.ts";
import { selectPresent } from "./present-rows.ts";
import { identifier, identifiers, literal, sameKey } from "./sql.ts";
import type { SettledChanges } from "./settled-changes.ts";
import type { TableFiles } from "./table-files.ts";

/** Days whose present files are merged in one statement at most. */
const daysAtATime = 64;
/** Files that DuckDB writes at a time. More take twice the CPU; where it closes one too early, the day gets a second file. */
const openFiles = 16;

export interface MergeRequest {
  readonly db: Duckdb;
  readonly files: TableFiles;
  readonly format: FileFormat;
  readonly table: SinkTable;
  readonly layout: readonly FileColumn[];
  readonly written: readonly string[];
  readonly run: number;
  readonly settled: SettledChanges;
  readonly drops: Pick<CommitRequest, "dropOlderThan" | "dropOlderThanIn">;
  /** Present files by their day, those that may have to change and others. */
  readonly present: ReadonlyMap<string, DataFile>;
  readonly rewritesAll: boolean;
  /** Name of the folder for what is staged. */
  readonly folder: string;
}

/** What a day's file will be. */
export interface MergedDay {
  readonly day: string;
  /** Name of the staged file; undefined where no row is left. */
  readonly staged: string | undefined;
  readonly rows: number;
  readonly oldestRun: number;
}

export interface Merge {
  readonly days: readonly MergedDay[];
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

/** Writes the files of all days that change: what was staged, and of the present file what is neither replaced nor taken away. */
export async function mergeDays(request: MergeRequest): Promise<Merge> {
  const { db, settled } = request;
  const done = await takeEarlyDays(request);
  const staged = await stagedDays(db);
  const days = await touchedDays(request, new Set(staged.keys()));
  const gathered = gatheredRows(settled.rows, settled.bytes);
  await db.run(
    `SET threads = ${db.threads}; SET preserve_insertion_order = false; SET partitioned_write_flush_threshold = ${gathered};
     SET partitioned_write_max_open_files = ${openFiles}`,
  );
  const merged: MergedDay[] = [...done];
  let updated = 0;
  let deleted = 0;
  const rowsOf = (day: string): number => (staged.get(day) ?? 0) + (request.present.get(day)?.rows ?? 0);
  const most = days.some((day) => request.present.has(day)) ? daysAtATime : undefined;
  for (const [index, group] of groupDays(days, rowsOf, gathered, most).entries()) {
    const done = await mergeGroup(request, { days: group, name: `g${index}`, staged });
    merged.push(...done.days);
    updated += done.replaced;
    deleted += done.dropped;
  }
  return { days: merged, inserted: settled.rows - updated, updated, deleted };
}

/**
 * Days whose file is done already. Of the others, those with several files or with rows in the table, `staged` and `staged_keys` are made.
 */
async function takeEarlyDays(request: MergeRequest): Promise<readonly MergedDay[]> {
  const { db, files, format, layout, table, written, present, settled, run } = request;
  if (settled.early === undefined) return [];
  const all = [...settled.early];
  const isDone = ([day, { parts }]: (typeof all)[number]): boolean => parts.length === 1 && !present.has(day);
  const open = all.filter((one) => !isDone(one));
  // A query has to be of some file, be it of no rows.
  const parts = (open.length > 0 ? open : all.slice(0, 1)).flatMap(([, early]) => early.parts);
  const paths = await Promise.all(parts.map((part) => files.outputFolder(part)));
  const rows = await selectPresent({ db, format, layout, paths, names: layout.map(({ name }) => name) });
  const some = open.length > 0 ? "" : "WHERE false";
  await db.run(
    `CREATE OR REPLACE VIEW staged AS SELECT ${identifiers(written)}, _day FROM (${rows}) ${some}`,
  );
  await db.run(`CREATE OR REPLACE VIEW staged_keys AS SELECT ${identifiers(table.key)}, _day FROM staged`);
  return all
    .filter(isDone)
    .map(([day, early]) => ({ day, staged: early.parts[0], rows: early.rows, oldestRun: run }));
}

async function stagedDays(db: Duckdb): Promise<ReadonlyMap<string, number>> {
  const rows = await db.rows(
    "SELECT _day::VARCHAR AS day, count(*)::DOUBLE AS rows FROM staged_keys GROUP BY ALL",
  );
  return new Map(rows.map(({ day, rows: count }) => [String(day), Number(count)]));
}

async function touchedDays(request: MergeRequest, staged: ReadonlySet<string>): Promise<string[]> {
  const { drops, present, rewritesAll, run, settled } = request;
  const range = drops.dropOlderThanIn;
  const touched = new Set(staged);
  for (const [day, { oldestRun }] of present) {
    const isInRange = range !== undefined && day >= range.from && day < range.until && oldestRun < run;
    if (rewritesAll || isInRange || oldestRun < (drops.dropOlderThan ?? 0)) touched.add(day);
  }
  if (settled.hasGone) {
    const others = [...present.keys()].filter((day) => !touched.has(day));
    for (const day of await daysOfGone(request, others)) touched.add(day);
  }
  return [...touched].toSorted();
}

/** Those of the days that have a row with a key that was deleted. The day is not known of such a row, unless the key tells. */
async function daysOfGone(request: MergeRequest, days: readonly string[]): Promise<string[]> {
  const { db, files, table } = request;
  const found: string[] = [];
  if (table.key.includes(table.day)) {
    const rows = await db.rows(
      `SELECT DISTINCT CAST(${identifier(table.day)} AS DATE)::VARCHAR AS day FROM gone`,
    );
    const asked = new Set(rows.map(({ day }) => String(day)));
    return days.filter((day) => asked.has(day));
  }
  for (let from = 0; from < days.length; from += daysAtATime) {
    const query = await presentRows(request, days.slice(from, from + daysAtATime), table.key);
    const rows = await db.rows(
      `SELECT DISTINCT p._day::VARCHAR AS day FROM (${query}) p SEMI JOIN gone g ON ${sameKey(table.key, "p", "g")}`,
    );
    found.push(...rows.map(({ day }) => String(day)));
    await files.release();
  }
  return found;
}

/** What becomes of the rows of a present file. */
interface Fate {
  readonly replaced: number;
  readonly dropped: number;
  readonly kept: number;
  readonly oldestKept: number;
}

interface Group {
  readonly days: readonly string[];
  /** Of the folder for its files, within that of the commit. */
  readonly name: string;
  /** How many rows are staged, by day. */
  readonly staged: ReadonlyMap<string, number>;
}

async function mergeGroup(
  request: MergeRequest,
  group: Group,
): Promise<{ readonly days: readonly MergedDay[]; readonly replaced: number; readonly dropped: number }> {
  const { db, files, format, layout, table, present, rewritesAll } = request;
  const there = group.days.filter((day) => present.has(day));
  const range = `_day BETWEEN ${literal(group.days[0] ?? "")} AND ${literal(group.days.at(-1) ?? "")}`;
  const fates =
    there.length === 0
      ? new Map<string, Fate>()
      : await fatesOf(db, withFate(request, await presentRows(request, there, table.key), range));
  const affected = group.days.filter(
    (day) => group.staged.has(day) || rewritesAll || (fates.get(day)?.dropped ?? 0) > 0,
  );
  const sources = affected.filter((day) => (fates.get(day)?.kept ?? 0) > 0);
  const folder = `${request.folder}/${group.name}`;
  const parts = affected.some((day) => group.staged.has(day))
    ? [tableRows(layout, request.written, request.run, `SELECT * FROM staged WHERE ${range}`)]
    : [];
  if (sources.length > 0) {
    const names = layout.map(({ name }) => name);
    const rows = withFate(request, await presentRows(request, sources, names), range);
    parts.push(`SELECT ${identifiers([...names, runColumn])}, _day FROM (${rows}) WHERE _fate = 'kept'`);
  }
  const expected = affected.reduce(
    (sum, day) => sum + (group.staged.get(day) ?? 0) + (fates.get(day)?.kept ?? 0),
    0,
  );
  const count =
    parts.length === 0
      ? 0
      : await db.change(format.copy(parts.join(" UNION ALL "), layout, await files.outputFolder(folder)));
  if (count !== expected) throw new AppError("internal", `${count} rows of ${expected} were written`);
  await files.release();
  const written = await oneFileEach(request, folder, await writtenFiles(files, folder));
  const days = affected.map((day): MergedDay => {
    const fate = fates.get(day);
    const staged = group.staged.get(day) ?? 0;
    const file = written.get(day);
    return {
      day,
      staged: file,
      rows: staged + (fate?.kept ?? 0),
      oldestRun: Math.min(staged > 0 ? request.run : Infinity, fate?.oldestKept ?? Infinity),
    };
  });
  const sum = (of: "replaced" | "dropped"): number =>
    affected.reduce((total, day) => total + (fates.get(day)?.[of] ?? 0), 0);
  return { days, replaced: sum("replaced"), dropped: sum("dropped") };
}

async function fatesOf(db: Duckdb, query: string): Promise<ReadonlyMap<string, Fate>> {
  const count = (fate: string): string => `count(*) FILTER (_fate = '${fate}')::DOUBLE AS ${fate}`;
  const rows = await db.rows(
    `SELECT _day::VARCHAR AS day, ${count("replaced")}, ${count("dropped")}, ${count("kept")},
      min(${identifier(runColumn)}) FILTER (_fate = 'kept')::DOUBLE AS oldest FROM (${query}) GROUP BY _day`,
  );
  return new Map(
    rows.map(({ day, replaced, dropped, kept, oldest }) => [
      String(day),
      {
        replaced: Number(replaced),
        dropped: Number(dropped),
        kept: Number(kept),
        oldestKept: oldest === null ? Infinity : Number(oldest),
      },
    ]),
  );
}

/** Rows of present files with what becomes of them in `_fate`. */
function withFate({ table, drops, run, settled }: MergeRequest, query: string, range: string): string {
  const { dropOlderThan, dropOlderThanIn: days } = drops;
  const runOf = `p.${identifier(runColumn)}`;
  const dropped = [
    ...(settled.hasGone ? ["g._there IS NOT NULL"] : []),
    ...(dropOlderThan === undefined ? [] : [`${runOf} < ${dropOlderThan}`]),
    ...(days === undefined
      ? []
      : [`(${runOf} < ${run} AND p._day >= ${literal(days.from)} AND p._day < ${literal(days.until)})`]),
  ];
  const keys = identifiers(table.key);
  const gone = `LEFT JOIN (SELECT DISTINCT ${keys}, true AS _there FROM gone) g ON ${sameKey(table.key, "p", "g")}`;
  return `SELECT p.*, CASE WHEN s._there IS NOT NULL THEN 'replaced' WHEN ${dropped.join(" OR ") || "false"} THEN 'dropped' ELSE 'kept' END AS _fate
    FROM (${query}) p
    LEFT JOIN (SELECT ${keys}, true AS _there FROM staged_keys WHERE ${range}) s ON ${sameKey(table.key, "p", "s")} ${settled.hasGone ? gone : ""}`;
}

/** Rows of present files with some of the columns, the number of their run and the day of their folder. */
async function presentRows(
  { db, files, format, layout, present }: MergeRequest,
  days: readonly string[],
  names: readonly string[],
): Promise<string> {
  const paths = await files.fetch(days.flatMap((day) => present.get(day)?.path ?? []));
  return selectPresent({ db, format, layout, paths, names });
}

/** Puts days together that were written as several files, so few at a time that none is written as several again. */
async function oneFileEach(
  request: MergeRequest,
  name: string,
  written: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyMap<string, string>> {
  const { db, files, format, layout } = request;
  const names = layout.map((column) => column.name);
  const single = new Map<string, string>();
  const several: string[] = [];
  for (const [day, [file, ...more]] of written) {
    if (more.length > 0) several.push(day);
    else if (file !== undefined) single.set(day, file);
  }
  for (let from = 0; from < several.length; from += openFiles) {
    const days = several.slice(from, from + openFiles);
    const parts = days.flatMap((day) => written.get(day) ?? []);
    const paths = await Promise.all(parts.map((part) => files.outputFolder(part)));
    const rows = await selectPresent({ db, format, layout, paths, names });
    const folder = `${name}-${from}`;
    await db.run(format.copy(rows, layout, await files.outputFolder(folder)));
    for (const path of paths) await rm(path);
    for (const [day, [file, ...more]] of await writtenFiles(files, folder)) {
      if (file === undefined || more.length > 0)
        throw new AppError("internal", `the rows of ${day} were not written as one file`);
      single.set(day, file);
    }
  }
  return single;
}
