import { readFile, rm } from "node:fs/promises";
import { AppError } from "../../errors.ts";
import type { RowChange } from "../row-batch.ts";
import type { SinkTable } from "../sink.ts";
import { inTransaction } from "./database-record.ts";
import type { Duckdb } from "./duckdb.ts";
import type { EarlyFiles } from "./early-files.ts";
import { keepLast } from "./settled-changes.ts";
import type { Mark, SettledChanges } from "./settled-changes.ts";
import { createSpool } from "./spool.ts";
import type { Spool, SpoolFile } from "./spool.ts";
import { dayName, definitions, longestRow, selection, usualRowBytes } from "./staged-rows.ts";
import type { SpooledRows } from "./staged-rows.ts";

/**
 * Changes of one table on their way into a warehouse. Rows are spooled to files, and their keys taken into a DuckDB on disk while more come, so that memory
 * does not grow with them. Once they are settled there are `staged`, the rows with the columns that are written and their UTC day in `_day`, `staged_keys` with
 * their keys and days, and `gone` with keys that were deleted.
 */
export interface StagedChanges {
  /** Resolves when it is ready for more. */
  readonly write: (change: RowChange) => Promise<void>;
  /** Whether anything was written. */
  readonly isEmpty: () => boolean;
  /** Takes in what is left, and of several changes of a row keeps the last. The tables are there then, be they empty. */
  readonly settle: () => Promise<SettledChanges>;
  /** Forgets everything, be it half done. */
  readonly clear: () => Promise<void>;
}

interface StagingRequest {
  readonly table: SinkTable;
  /** Names of the columns that are written; those of the key and the day are among them. */
  readonly written: readonly string[];
  readonly folder: string;
  /** How many bytes of rows are taken in at a time; the spool's own number when absent. */
  readonly pieceBytes?: number | undefined;
  /** The longest row that is taken, in bytes of CSV. */
  readonly mostRowBytes: number;
  /** Opens the database when it is first needed. */
  readonly database: () => Promise<Duckdb>;
  /** Writes rows as they come; absent where they have to be merged with others anyway. */
  readonly early?: EarlyFiles;
}

interface Progress {
  upserts: number;
  deletes: number;
  bytes: number;
  marks: Mark[];
  /** Files of rows, in the order in which they came. */
  files: SpoolFile[];
  /** The longest row that DuckDB has to be prepared for. */
  rowBytes: number;
  hasTables: boolean;
  /** Whether rows are written early. It cannot be gone back to. */
  early: "on" | "off";
  loading: Promise<void>;
}

const noProgress = (): Progress => ({
  upserts: 0,
  deletes: 0,
  bytes: 0,
  marks: [],
  files: [],
  rowBytes: usualRowBytes,
  hasTables: false,
  early: "on",
  loading: Promise.resolve(),
});

export function createStagedChanges(request: StagingRequest): StagedChanges {
  const spools = {
    upsert: createSpool(request.folder, "upserts", request.pieceBytes),
    delete: createSpool(request.folder, "deletes", request.pieceBytes),
  };
  let progress = noProgress();

  const takeIn = async (kind: RowChange["kind"], file: SpoolFile | undefined): Promise<void> => {
    if (file === undefined) return;
    // One file at a time, and one waiting: a source that is quicker than DuckDB is held back.
    await progress.loading;
    progress.loading = load(request, progress, kind, file);
    // Looked at by the next write or by the end; not an unhandled fault until then.
    progress.loading.catch(() => undefined);
  };

  return {
    write: async ({ kind, batch }) => {
      if (batch.count === 0) return;
      if (kind === "delete") mark(progress);
      progress[kind === "delete" ? "deletes" : "upserts"] += batch.count;
      const chunks = batch.csvChunks();
      progress.bytes += chunks.reduce((sum, { length }) => sum + length, 0);
      await takeIn(kind, await spools[kind].write({ ...batch, csvChunks: () => chunks }));
    },
    isEmpty: () => progress.upserts + progress.deletes === 0,
    settle: async () => {
      for (const kind of ["upsert", "delete"] as const) await takeIn(kind, await spools[kind].finish());
      await progress.loading;
      return settle(request, progress);
    },
    clear: async () => {
      const { hasTables, loading, files } = progress;
      await loading.catch(() => undefined);
      progress = noProgress();
      for (const { path } of files) await rm(path, { force: true });
      // First what is on this machine for sure: a bucket may be away.
      await clearSpools(Object.values(spools));
      await request.early?.discard();
      if (hasTables) await dropTables(await request.database());
    },
  };
}

function mark({ marks, deletes, upserts }: Progress): void {
  if (marks.at(-1)?.before !== upserts) marks.push({ first: deletes, before: upserts });
}

async function clearSpools(spools: readonly Spool[]): Promise<void> {
  for (const spool of spools) await spool.clear();
}

async function dropTables(db: Duckdb): Promise<void> {
  await db.run("DROP VIEW IF EXISTS staged; DROP VIEW IF EXISTS staged_keys");
  for (const name of ["staged_rows", "key_rows", "gone", "losers"])
    await db.run(`DROP TABLE IF EXISTS ${name}`);
}

async function requireTables(request: StagingRequest, progress: Progress): Promise<Duckdb> {
  const db = await request.database();
  if (!progress.hasTables) await createTables(db, request);
  progress.hasTables = true;
  return db;
}

async function createTables(db: Duckdb, { table }: StagingRequest): Promise<void> {
  await dropTables(db);
  const keys = definitions(table.columns.filter(({ name }) => table.key.includes(name)));
  await db.run(`CREATE TABLE key_rows (${keys}, _day DATE); CREATE TABLE gone (${keys})`);
}

async function load(
  request: StagingRequest,
  progress: Progress,
  kind: RowChange["kind"],
  file: SpoolFile,
): Promise<void> {
  const { table } = request;
  if (kind === "delete") {
    const into = (rowBytes: number) =>
      `INSERT INTO gone ${selection(table, alone(file), table.key, rowBytes)}`;
    await withRows(request, progress, file, into);
    return rm(file.path, { force: true });
  }
  // The rows themselves are read where they are when they are needed.
  progress.files.push(file);
  if (await writeEarly(request, progress, file)) return;
  await takeKeys(request, progress, file);
}

/** Writes rows to files of their days at once, where they are many and came by day; tells whether it did. */
async function writeEarly(request: StagingRequest, progress: Progress, file: SpoolFile): Promise<boolean> {
  const { early, table, written } = request;
  if (early === undefined || progress.early === "off") return false;
  const isFirst = progress.files.length === 1;
  const rows = selection(table, alone(file), [...written, dayName], progress.rowBytes);
  try {
    if (isFirst && !(file.isFull && (await early.suits(rows)))) progress.early = "off";
    else if (!(await early.write(rows, file.rows))) progress.early = "off";
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "sink_full") throw error;
    // A row that is too long, or rows of too many days: the careful way takes them, or says what is wrong.
    progress.early = "off";
  }
  if (progress.early === "on") return true;
  await goCarefully(request, progress, progress.files.slice(0, -1));
  return false;
}

/** Takes in the keys of files that were to be written early. */
async function goCarefully(
  request: StagingRequest,
  progress: Progress,
  files: readonly SpoolFile[],
): Promise<void> {
  progress.early = "off";
  await request.early?.discard();
  await requireTables(request, progress);
  for (const file of files) await takeKeys(request, progress, file);
}

async function takeKeys(request: StagingRequest, progress: Progress, file: SpoolFile): Promise<void> {
  const { table } = request;
  await withRows(
    request,
    progress,
    file,
    (rowBytes) => `INSERT INTO key_rows ${selection(table, alone(file), [...table.key, dayName], rowBytes)}`,
  );
}

const alone = ({ columns, path }: SpoolFile): SpooledRows => ({ columns, paths: [path] });

/**
 * Runs an `INSERT` of all rows of a file; once more where the file turns out to have a longer row than DuckDB was prepared for. That it may meet such a row with
 * an error or by leaving rows out.
 */
async function withRows(
  request: StagingRequest,
  progress: Progress,
  file: SpoolFile,
  statement: (rowBytes: number) => string,
): Promise<void> {
  const db = await requireTables(request, progress);
  const { name } = request.table;
  // Rows are numbered as they came: which of them is the last of its key goes by that.
  await db.run(`SET threads = ${db.threads}; SET preserve_insertion_order = true`);
  const insert = (): Promise<void> =>
    inTransaction(db, async () => {
      if ((await db.change(statement(progress.rowBytes))) === file.rows) return;
      throw new AppError("target_protocol", `table ${name}: batches do not hold as many rows as they say`);
    });
  try {
    await insert();
  } catch (error) {
    const longest = longestRow(await readFile(file.path));
    if (longest <= progress.rowBytes) throw error;
    if (longest > request.mostRowBytes) {
      const message = `table ${name}: a row has ${longest} bytes; ${request.mostRowBytes} are the most`;
      throw new AppError("target_rejected", message);
    }
    progress.rowBytes = longest + 1;
    await insert();
  }
}

async function finishEarly({ early }: StagingRequest) {
  try {
    return await early?.finish();
  } catch (error) {
    // Such as a row without a day: the careful way says what is wrong.
    if (error instanceof AppError && error.code !== "sink_full") return undefined;
    throw error;
  }
}

async function settle(request: StagingRequest, progress: Progress): Promise<SettledChanges> {
  const db = await requireTables(request, progress);
  const { upserts, deletes, bytes, marks, files } = progress;
  if (request.early !== undefined && progress.early === "on" && files.length > 0) {
    const early = deletes === 0 ? await finishEarly(request) : undefined;
    if (early !== undefined && !early.hasRepeats && early.rows === upserts) {
      request.early?.handOver();
      return { rows: upserts, bytes, hasGone: false, early: early.days };
    }
    await goCarefully(request, progress, files);
  }
  const { table, written } = request;
  return keepLast({ db, table, written, upserts, deletes, bytes, marks, files, rowBytes: progress.rowBytes });
}
