import { readdir } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { SinkTable } from "../sink.ts";
import { runColumn } from "../sink.ts";
import { daysAtOnce, gatheredRows } from "./day-groups.ts";
import type { Duckdb } from "./duckdb.ts";
import type { FileColumn, FileFormat } from "./file-format.ts";
import { partitionColumn } from "./file-format.ts";
import { selectPresent } from "./present-rows.ts";
import { identifier, identifiers } from "./sql.ts";
import type { TableFiles } from "./table-files.ts";

/** Rows that were written before the commit: by their day the names of the files, and how many there are. */
export type EarlyDays = ReadonlyMap<string, EarlyDay>;

interface EarlyDay {
  readonly parts: readonly string[];
  readonly rows: number;
}

/**
 * Writes rows to files of their days while more come. Most days of a large load are then done when it ends, without another look at their rows: a day has one
 * file, or a few that are put together. Whether a row came twice is seen by the keys, once the files are there.
 */
export interface EarlyFiles {
  /** Whether it is worth it: the rows are of few enough days to be written at a time, of enough that most are done with them, and few of those are there. */
  readonly suits: (rows: string) => Promise<boolean>;
  /** Tells whether all of them are there and none came twice. */
  readonly write: (rows: string, count: number) => Promise<boolean>;
  readonly finish: () => Promise<{
    readonly days: EarlyDays;
    readonly rows: number;
    readonly hasRepeats: boolean;
  }>;
  /** Leaves the files to the commit that they are of. */
  readonly handOver: () => void;
  readonly discard: () => Promise<void>;
}

interface EarlyRequest {
  readonly files: TableFiles;
  readonly format: FileFormat;
  readonly table: SinkTable;
  readonly layout: readonly FileColumn[];
  readonly written: readonly string[];
  readonly run: number;
  /** Name of the folder for what is staged, as it is then. */
  readonly folder: () => string;
  /** Whether a day has a file already. */
  readonly isPresent: (day: string) => boolean;
  readonly database: () => Promise<Duckdb>;
}

/** With fewer days at a time most would have to be put together of several parts. */
const fewestDays = 4;
/** One of so many days may be there: a file that is there has to be written again with what came. */
const presentDays = 4;

export function createEarlyFiles(request: EarlyRequest): EarlyFiles {
  const { files, folder, isPresent, database } = request;
  let days = new Map<string, EarlyDay>();
  let parts = 0;
  const forget = (): void => {
    days = new Map();
    parts = 0;
  };
  return {
    suits: async (rows) => {
      const db = await database();
      const found = await db.rows(`SELECT DISTINCT _day::VARCHAR AS day FROM (${rows})`);
      const present = found.filter(({ day }) => isPresent(String(day))).length;
      const isSpread = found.length >= fewestDays && found.length <= daysAtOnce();
      return isSpread && present * presentDays <= found.length;
    },
    write: async (rows, count) => {
      const part = `${folder()}/early/${parts}`;
      parts += 1;
      return (await writePart(request, days, part, rows)) === count;
    },
    finish: async () => ({
      days,
      rows: [...days.values()].reduce((sum, day) => sum + day.rows, 0),
      hasRepeats: await isRepeatedAcross(request, days),
    }),
    handOver: forget,
    discard: async () => {
      const name = folder();
      const hasFiles = parts > 0;
      forget();
      // Nothing else is in it before the commit.
      if (hasFiles) await files.removeFolder(name);
    },
  };
}

/** How many threads work while rows are still being read: the rest is for whoever reads them, and for the database that they come from. */
function spareThreads({ threads }: Duckdb): number {
  return Math.max(1, Math.floor(threads / 2));
}

/** Writes rows and notes their files; gives back how many different keys these have, day by day. */
async function writePart(
  request: EarlyRequest,
  days: Map<string, EarlyDay>,
  part: string,
  rows: string,
): Promise<number> {
  const { files, format, layout, written, run, database } = request;
  const db = await database();
  await db.run(
    `SET threads = ${spareThreads(db)}; SET preserve_insertion_order = false;
     SET partitioned_write_max_open_files = ${2 * daysAtOnce()}; SET partitioned_write_flush_threshold = ${gatheredRows(0, 0)}`,
  );
  await db.run(format.copy(tableRows(layout, written, run, rows), layout, await files.outputFolder(part)));
  const names = await writtenFiles(files, part);
  const found = await countKeys(request, [...names.values()].flat());
  for (const { day, rows: count } of found) {
    const before = days.get(day) ?? { parts: [], rows: 0 };
    days.set(day, { parts: [...before.parts, ...(names.get(day) ?? [])], rows: before.rows + count });
  }
  return found.reduce((sum, { keys }) => sum + keys, 0);
}

interface KeyCount {
  readonly day: string;
  readonly rows: number;
  readonly keys: number;
}

/** How many rows and different keys files have, by day; of files that `COPY` has written. */
async function countKeys(
  { files, format, table, layout, database }: EarlyRequest,
  names: readonly string[],
): Promise<readonly KeyCount[]> {
  const db = await database();
  const paths = await Promise.all(names.map((name) => files.outputFolder(name)));
  const keys = await selectPresent({ db, format, layout, paths, names: table.key });
  const found = await db.rows(
    `SELECT _day::VARCHAR AS day, count(*)::DOUBLE AS rows, count(DISTINCT hash(${identifiers(table.key)}))::DOUBLE AS keys
      FROM (${keys}) GROUP BY _day`,
  );
  return found.map(({ day, rows, keys: different }) => ({
    day: String(day),
    rows: Number(rows),
    keys: Number(different),
  }));
}

/** Rows whose keys are looked at together: they have to fit into memory. */
const rowsAtOnce = 250_000;

/** Whether a row is in two parts of a day. */
async function isRepeatedAcross(request: EarlyRequest, days: EarlyDays): Promise<boolean> {
  let parts: string[] = [];
  let rows = 0;
  const isRepeated = async (): Promise<boolean> => {
    const found = parts.length > 0 ? await countKeys(request, parts) : [];
    [parts, rows] = [[], 0];
    return found.some((day) => day.rows !== day.keys);
  };
  for (const day of days.values()) {
    if (day.parts.length < 2) continue;
    parts.push(...day.parts);
    rows += day.rows;
    if (rows >= rowsAtOnce && (await isRepeated())) return true;
  }
  return isRepeated();
}

/** Rows as the table's files have them, of a query that gives the columns that are written and `_day`. */
export function tableRows(
  layout: readonly FileColumn[],
  written: readonly string[],
  run: number,
  query: string,
): string {
  const ours = new Set(written);
  const values = layout.map(({ name, type }) =>
    ours.has(name) ? identifier(name) : `NULL::${type} AS ${identifier(name)}`,
  );
  return `SELECT ${values.join(", ")}, ${run}::BIGINT AS ${identifier(runColumn)}, _day FROM (${query})`;
}

/** The files of each day in a folder that `COPY` has written, by the names that they are staged under. */
export async function writtenFiles(
  files: TableFiles,
  name: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  const folder = await files.outputFolder(name);
  if (!existsSync(folder)) return found;
  for (const partition of await readdir(folder)) {
    const names = await readdir(join(folder, partition));
    const day = partition.slice(`${partitionColumn}=`.length);
    found.set(
      day,
      names.map((file) => `${name}/${partition}/${file}`),
    );
  }
  return found;
}
