import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import { AppError } from "../../errors.ts";
import type { Sink, SinkPosition, SinkRequest, SinkWriter } from "../sink.ts";
import { createLazyDuckdb } from "./duckdb.ts";
import type { FormatName } from "./file-format.ts";
import { fileFormats } from "./file-format.ts";
import { changedFiles, inspectColumns } from "./held-columns.ts";
import type { Manifest } from "./manifest.ts";
import { readManifest, writeManifest } from "./manifest.ts";
import { newColumns, requireKey, requirePartition, settleColumns } from "./table-columns.ts";
import type { FileFacts, TableFiles } from "./table-files.ts";
import { manifestName, stagingName, workName } from "./table-files.ts";
import { finishCommit } from "./table-publish.ts";
import { readTable } from "./table-reader.ts";
import { createTableWriter } from "./table-writer.ts";

export interface FileSinkOptions {
  readonly format: FormatName;
  readonly openTable: OpenTableFiles;
  /** How many bytes of rows are taken in at a time; some megabytes when absent. */
  readonly pieceBytes?: number;
  readonly logger: Logger;
  readonly now: () => number;
}

/** Gives the folder of a table by its name; calls under way are given up when `signal` is aborted. What is fetched goes into `workFolder` where it is given. */
export type OpenTableFiles = (
  name: string,
  use: { readonly signal: AbortSignal; readonly workFolder?: string },
) => TableFiles;

/**
 * A warehouse of files: a folder a table, in it a folder a day with one file, and `_manifest.json` with what belongs to the table. A commit writes the files of
 * the days that change anew and puts them in the place of the old ones.
 */
export function createFileSink(options: FileSinkOptions): Sink {
  return {
    open: async (request) => {
      const files = options.openTable(request.table.name, { signal: request.signal });
      try {
        return await openTable(options, files, request);
      } catch (error) {
        await files.close();
        throw error;
      }
    },
    standings: (requests) => Promise.all(requests.map((request) => standingOf(options, request))),
    read: (request) => readTable(options, request),
  };
}

/** Where a table stands whose files are those of its last commit, with just the columns that are exported. */
async function standingOf(
  { format, openTable: openFiles }: FileSinkOptions,
  { table, export: owner, signal }: SinkRequest,
): Promise<SinkPosition | undefined> {
  const files = openFiles(table.name, { signal });
  try {
    const manifest = await readManifest(files);
    if (manifest === undefined || manifest.run === null || manifest.watermark === null) return undefined;
    const { run, watermark, schema, files: ours } = manifest;
    const isOurs =
      manifest.export === owner && manifest.dataset === table.dataset && manifest.format === format;
    const hasKey = schema.day === table.day && isDeepStrictEqual(schema.key, table.key);
    const held = new Map(schema.columns.map((column) => [column.name, column]));
    const hasColumns = newColumns(table.columns).every(({ name, type }) => {
      const column = held.get(name);
      return column?.type === type && column.filled;
    });
    if (!isOurs || !hasKey || !hasColumns) return undefined;
    const listed = await files.list();
    const others = [...listed.keys()].filter((name) => name.endsWith(fileFormats[format].extension));
    const isAsLeft =
      changedFiles(manifest, listed).length === 0 && ours.every(({ path }) => listed.has(path));
    // What a process left that was killed is taken away when the table is opened.
    const isTidy =
      !existsSync(files.workFolder) && ![...listed.keys()].some((name) => name.startsWith(`${stagingName}/`));
    return isAsLeft && others.length === ours.length && isTidy ? { run, watermark } : undefined;
  } finally {
    await files.close();
  }
}

async function openTable(
  options: FileSinkOptions,
  files: TableFiles,
  request: SinkRequest,
): Promise<SinkWriter> {
  const { signal } = request;
  signal.throwIfAborted();
  const format = fileFormats[options.format];
  await requireOwner(files, request, options.format);
  const begun = (await finishCommit(files)) ?? (await beginTable(options, files, request));
  requireKey(files.place, begun.schema, request.table);
  requirePartition(request.table, files.place);
  await rm(files.workFolder, { recursive: true, force: true });
  const listed = await files.list();
  await files.removeFolder(stagingName);
  const manifest = withoutMissing(options, files, begun, listed);
  requireNoOthers(files, begun, listed, format.extension);
  const workFolder = join(files.workFolder, `${request.run}-${randomUUID()}`);
  const database = createLazyDuckdb({ folder: workFolder, signal, threads: format.threads });
  try {
    const changed = changedFiles(manifest, listed);
    const total = manifest.files.length;
    const held = await inspectColumns({ manifest, files, format, changed, total, database: database.open });
    const columns = settleColumns(held, request, files.place);
    const { now, pieceBytes } = options;
    return createTableWriter({
      request,
      files,
      format,
      manifest,
      columns,
      workFolder,
      database,
      pieceBytes,
      now,
    });
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Throws `sink_table_foreign` for a folder that has anything in it that this export did not put there. */
async function requireOwner(files: TableFiles, request: SinkRequest, format: FormatName): Promise<void> {
  const manifest = await readManifest(files);
  const foreign = (what: string): AppError =>
    new AppError("sink_table_foreign", `${files.place} ${what}; nothing in it was touched`);
  if (manifest === undefined) {
    const names = [...(await files.list()).keys()].filter((name) => !name.startsWith(`${manifestName}.`));
    if (names.length > 0) throw foreign(`has files, such as ${names[0]}, but no ${manifestName} of ours`);
    return;
  }
  if (manifest.export !== request.export) throw foreign(`belongs to the export ${manifest.export}`);
  if (manifest.dataset !== request.table.dataset) throw foreign(`holds the dataset ${manifest.dataset}`);
  if (manifest.format !== format) throw foreign(`holds ${manifest.format} files`);
}

async function beginTable(
  { format, now }: FileSinkOptions,
  files: TableFiles,
  { table, export: owner }: SinkRequest,
): Promise<Manifest> {
  const manifest: Manifest = {
    kind: "deskbridge-table",
    formatVersion: 1,
    table: table.name,
    dataset: table.dataset,
    export: owner,
    format,
    schema: { version: 1, columns: newColumns(table.columns), key: [...table.key], day: table.day },
    run: null,
    watermark: null,
    commit: 0,
    writtenAt: new Date(now()).toISOString(),
    rows: 0,
    files: [],
  };
  await writeManifest(files, manifest);
  return manifest;
}

/** Files that somebody took away are taken for meant: `export verify` finds what is missing. */
function withoutMissing(
  { logger }: FileSinkOptions,
  { place }: TableFiles,
  manifest: Manifest,
  listed: ReadonlyMap<string, FileFacts>,
): Manifest {
  const there = manifest.files.filter(({ path }) => listed.has(path));
  const missing = manifest.files.length - there.length;
  if (missing === 0) return manifest;
  logger.warn(
    { place, missing },
    "files of the table are gone; rows of those days are exported again only when they change",
  );
  return { ...manifest, files: there };
}

/** A file that readers would take for one of ours would give them rows twice. */
function requireNoOthers(
  { place }: TableFiles,
  manifest: Manifest,
  listed: ReadonlyMap<string, FileFacts>,
  extension: string,
): void {
  const ours = new Set(manifest.files.map(({ path }) => path));
  const other = [...listed.keys()].find(
    (name) => name.endsWith(`.${extension}`) && !ours.has(name) && !name.startsWith(`${workName}/`),
  );
  if (other === undefined) return;
  throw new AppError("sink_table_foreign", `${place} has a file that is not ours: ${other}; move it away`);
}
