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
export type EarlyDays = ReadonlyMap<string, { readonly parts: readonly string[]; readonly rows: number }>;

/**
 * Writes rows to files of their days while more come. Most days of a large load are then done when it ends, without a look at their rows: a day has one file, or
 * a few that are put together. Whether a row came twice is seen afterwards.
 */
export interface EarlyFiles {
  /** Whether rows are of few enough days. */
  readonly suits: (rows: string) => Promise<boolean>;
  readonly write: (rows: string) => Promise<void>;
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
  readonly database: () => Promise<Duckdb>;
}

export function createEarlyFiles(request: EarlyRequest): EarlyFiles {
  const { files, folder, database } = request;
  let parts: string[] = [];
  return {
    suits: async (rows) => {
      const [found] = await (
        await database()
      ).rows(`SELECT count(DISTINCT _day)::DOUBLE AS days FROM (${rows})`);
      return Number(found?.["days"]) <= daysAtOnce();
    },
    write: async (rows) => {
      const part = `${folder()}/early/${parts.length}`;
      parts.push(part);
      await writePart(request, part, rows);
    },
    finish: () => findDays(request, parts),
    handOver: () => {
      parts = [];
    },
    discard: async () => {
      if (parts.length > 0) await files.removeFolder(`${folder()}/early`);
      parts = [];
    },
  };
}

async function writePart(request: EarlyRequest, part: string, rows: string): Promise<void> {
  const { files, format, layout, written, run, database } = request;
  const db = await database();
  await db.run(
    `SET preserve_insertion_order = false; SET partitioned_write_max_open_files = ${2 * daysAtOnce()};
     SET partitioned_write_flush_threshold = ${gatheredRows(0, 0)}`,
  );
  await db.run(format.copy(tableRows(layout, written, run, rows), layout, await files.outputFolder(part)));
}

/** What the files have, of their keys alone. */
async function findDays(
  { files, format, table, layout, database }: EarlyRequest,
  parts: readonly string[],
): ReturnType<EarlyFiles["finish"]> {
  const db = await database();
  const names = new Map<string, string[]>();
  for (const part of parts) {
    for (const [day, found] of await writtenFiles(files, part)) {
      names.set(day, [...(names.get(day) ?? []), ...found]);
    }
  }
  const paths = await Promise.all([...names.values()].flat().map((name) => files.outputFolder(name)));
  const keys = await selectPresent({ db, format, layout, paths, names: table.key });
  const found = await db.rows(
    `SELECT _day::VARCHAR AS day, count(*)::DOUBLE AS rows, count(DISTINCT hash(${identifiers(table.key)}))::DOUBLE AS keys
      FROM (${keys}) GROUP BY _day`,
  );
  const days = found.map(({ day, rows }) => {
    const staged = { parts: names.get(String(day)) ?? [], rows: Number(rows) };
    return [String(day), staged] as const;
  });
  return {
    days: new Map(days),
    rows: found.reduce((sum, row) => sum + Number(row["rows"]), 0),
    hasRepeats: found.some(({ rows, keys: different }) => rows !== different),
  };
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
