import { rm, rmdir } from "node:fs/promises";
import { AppError } from "../../errors.ts";
import type { CommitReceipt, CommitRequest, SinkRequest, SinkWriter } from "../sink.ts";
import { atOnce } from "./at-once.ts";
import type { LazyDuckdb } from "./duckdb.ts";
import { createEarlyFiles } from "./early-files.ts";
import type { EarlyFiles } from "./early-files.ts";
import type { FileFormat } from "./file-format.ts";
import type { DataFile, Manifest } from "./manifest.ts";
import { writeManifest } from "./manifest.ts";
import { createStagedChanges } from "./staged-changes.ts";
import type { StagedChanges } from "./staged-changes.ts";
import type { SettledColumns } from "./table-columns.ts";
import type { TableFiles } from "./table-files.ts";
import { recordName, stagingName } from "./table-files.ts";
import { mergeDays } from "./table-merge.ts";
import type { Merge, MergedDay } from "./table-merge.ts";
import { publish, requireSame } from "./table-publish.ts";

/** A table that was opened: everything that a run needs to write to it. */
export interface OpenTable {
  readonly request: SinkRequest;
  readonly files: TableFiles;
  readonly format: FileFormat;
  readonly manifest: Manifest;
  readonly columns: SettledColumns;
  /** Of this writer alone; it is not there yet. */
  readonly workFolder: string;
  /** Opened when it is first needed, closed by the writer. */
  readonly database: LazyDuckdb;
  readonly pieceBytes?: number | undefined;
  readonly now: () => number;
}

interface State {
  manifest: Manifest;
  rewritesAll: boolean;
  /** Set when it is not known whether a commit was decided on: only opening the table anew tells. */
  isUnsure: boolean;
}

export function createTableWriter(table: OpenTable): SinkWriter {
  const { request, files, columns } = table;
  const { run, watermark } = table.manifest;
  const state: State = { manifest: table.manifest, rewritesAll: columns.rewritesAll, isUnsure: false };
  const staged = createStagedChanges({
    table: request.table,
    written: columns.written,
    folder: table.workFolder,
    pieceBytes: table.pieceBytes,
    mostRowBytes: table.format.mostRowBytes,
    database: table.database.open,
    // Only of Parquet the keys can be looked at without the rest.
    ...(table.format.name === "parquet" ? { early: earlyFilesOf(table, state) } : {}),
  });
  const position = run === null || watermark === null ? undefined : { run, watermark };
  return {
    keepsPosition: true,
    position: columns.isComplete ? position : undefined,
    leftOut: columns.leftOut,
    write: async (change) => {
      requireSure(state, files);
      request.signal.throwIfAborted();
      await staged.write(change);
    },
    commit: async (commit) => {
      requireSure(state, files);
      request.signal.throwIfAborted();
      await requireSame(files, state.manifest.commit);
      const receipt = isPlain(state, staged, commit)
        ? await commitWatermark(table, state, commit)
        : await commitChanges(table, state, staged, commit);
      await staged.clear();
      return receipt;
    },
    abort: () => staged.clear(),
    close: async () => {
      await staged.clear().catch(() => undefined);
      await table.database.close().catch(() => undefined);
      await rm(table.workFolder, { recursive: true, force: true }).catch(() => undefined);
      await rmdir(files.workFolder).catch(() => undefined);
      await files.close().catch(() => undefined);
    },
  };
}

function earlyFilesOf({ request, files, format, columns, database }: OpenTable, state: State): EarlyFiles {
  return createEarlyFiles({
    files,
    format,
    table: request.table,
    layout: columns.layout,
    written: columns.written,
    run: request.run,
    folder: () => folderOf(request, state),
    isPresent: (day) => state.manifest.files.some((file) => dayOf(file) === day),
    database: database.open,
  });
}

/** Name of the folder for what the next commit stages. */
function folderOf({ run }: SinkRequest, { manifest }: State): string {
  return `${stagingName}/${run}-${manifest.commit + 1}`;
}

function requireSure({ isUnsure }: State, { place }: TableFiles): void {
  if (!isUnsure) return;
  throw new AppError(
    "target_unavailable",
    `${place}: the last commit broke off; the table has to be opened anew`,
  );
}

/** Whether a commit changes nothing but the watermark, so that DuckDB is not needed. */
function isPlain({ manifest, rewritesAll }: State, staged: StagedChanges, commit: CommitRequest): boolean {
  const drops = commit.dropOlderThan !== undefined || commit.dropOlderThanIn !== undefined;
  return staged.isEmpty() && manifest.files.length === 0 ? true : staged.isEmpty() && !rewritesAll && !drops;
}

async function commitWatermark(
  table: OpenTable,
  state: State,
  { watermark }: CommitRequest,
): Promise<CommitReceipt> {
  const manifest = nextManifest(table, state.manifest, watermark, state.manifest.files);
  await writeManifest(table.files, manifest);
  state.manifest = manifest;
  return { inserted: 0, updated: 0, deleted: 0, bytes: 0 };
}

async function commitChanges(
  table: OpenTable,
  state: State,
  staged: StagedChanges,
  commit: CommitRequest,
): Promise<CommitReceipt> {
  const { request, files, format, columns } = table;
  const folder = folderOf(request, state);
  try {
    const settled = await staged.settle();
    const present = new Map(state.manifest.files.map((file) => [dayOf(file), file]));
    const merge = await mergeDays({
      db: await table.database.open(),
      files,
      format,
      table: request.table,
      layout: columns.layout,
      written: columns.written,
      run: request.run,
      settled,
      drops: commit,
      present,
      rewritesAll: state.rewritesAll,
      folder,
    });
    const { dataFiles, moves, removals, bytes } = await stageFiles(table, merge, present);
    const manifest = nextManifest(table, state.manifest, commit.watermark, dataFiles);
    request.signal.throwIfAborted();
    await publish(files, { manifest, folder, moves, removals });
    state.manifest = manifest;
    state.rewritesAll = false;
    return { inserted: merge.inserted, updated: merge.updated, deleted: merge.deleted, bytes };
  } catch (error) {
    state.isUnsure = await isDecided(files);
    if (!state.isUnsure) await files.removeFolder(folder).catch(() => undefined);
    // What a later run took away as a leftover is missed here; that it was overtaken is the reason.
    await requireSame(files, state.manifest.commit);
    throw error;
  }
}

async function isDecided(files: TableFiles): Promise<boolean> {
  try {
    return (await files.read(recordName)) !== undefined;
  } catch {
    return true;
  }
}

/** Makes the merged files durable and says what is to be done with them. */
async function stageFiles(table: OpenTable, { days }: Merge, present: ReadonlyMap<string, DataFile>) {
  const { files, format, request } = table;
  const all = new Map(present);
  const moves: { from: string; to: string }[] = [];
  const removals: string[] = [];
  let bytes = 0;
  const stage = async ({ day, staged, rows, oldestRun }: MergedDay): Promise<void> => {
    request.signal.throwIfAborted();
    const path = `day=${day}/data.${format.extension}`;
    if (staged === undefined) {
      if (all.delete(day)) removals.push(path);
      return;
    }
    const stored = await files.stage(staged);
    bytes += stored.bytes;
    moves.push({ from: staged, to: path });
    all.set(day, { path, rows, oldestRun, ...stored });
  };
  await atOnce(days, filesAtATime, stage);
  const dataFiles = [...all.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return { dataFiles, moves, removals, bytes };
}

/** Files that are read for their sums and put on the disk at a time. */
const filesAtATime = 8;

function dayOf({ path }: DataFile): string {
  return path.slice("day=".length, path.indexOf("/"));
}

function nextManifest(
  { request, columns, now }: OpenTable,
  manifest: Manifest,
  watermark: string,
  files: readonly DataFile[],
): Manifest {
  const written = new Set(columns.written);
  const layout = columns.layout.map((column) => ({ ...column, filled: written.has(column.name) }));
  const isSame = JSON.stringify(layout.map(shape)) === JSON.stringify(manifest.schema.columns.map(shape));
  return {
    ...manifest,
    schema: { ...manifest.schema, version: manifest.schema.version + (isSame ? 0 : 1), columns: layout },
    run: request.run,
    watermark,
    commit: manifest.commit + 1,
    writtenAt: new Date(now()).toISOString(),
    rows: files.reduce((total, { rows }) => total + rows, 0),
    files: [...files],
  };
}

function shape({ name, type }: { readonly name: string; readonly type: string }): readonly string[] {
  return [name, type];
}
