import { readFile, rm } from "node:fs/promises";
import { AppError } from "../../errors.ts";
import type { RowChange } from "../row-batch.ts";
import type { SinkTable } from "../sink.ts";
import { daysAtOnce, gatheredRows, groupDays } from "./day-groups.ts";
import type { Duckdb } from "./duckdb.ts";
import { createSpool } from "./spool.ts";
import type { Spool, SpoolFile } from "./spool.ts";
import { identifier, identifiers, literal, sameKey, sqlTypes, typeStruct } from "./sql.ts";

/** What came since the last commit, one change a row. */
export interface SettledChanges {
  /** Rows of `staged`, the last of each key, none of them deleted later. */
  readonly rows: number;
  /** Bytes of CSV that they came in, duplicates included. */
  readonly bytes: number;
  /** Whether there are keys in the table `gone`. Some of them may have come again and be in `staged`. */
  readonly hasGone: boolean;
}

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
  /** Opens the database when it is first needed. */
  readonly database: () => Promise<Duckdb>;
}

/** From this many rows on (of deletions), so many rows had been upserted: which of them a deletion takes away. */
interface Mark {
  readonly first: number;
  readonly before: number;
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
  loading: Promise.resolve(),
});

export function createStagedChanges(request: StagingRequest): StagedChanges {
  const spools = {
    upsert: createSpool(request.folder, "upserts"),
    delete: createSpool(request.folder, "deletes"),
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
      const csv = batch.csv();
      progress.bytes += csv.length;
      await takeIn(kind, await spools[kind].write({ ...batch, csv: () => csv }));
    },
    isEmpty: () => progress.upserts + progress.deletes === 0,
    settle: async () => {
      for (const kind of ["upsert", "delete"] as const) await takeIn(kind, await spools[kind].finish());
      await progress.loading;
      await requireTables(request, progress);
      return keepLast(request, progress);
    },
    clear: async () => {
      const { hasTables, loading, files } = progress;
      await loading.catch(() => undefined);
      progress = noProgress();
      for (const { path } of files) await rm(path, { force: true });
      await clearSpools(Object.values(spools));
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
  await db.run("DROP VIEW IF EXISTS staged");
  for (const name of ["staged_rows", "staged_keys", "gone", "losers"])
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
  await db.run(`CREATE TABLE staged_keys (${keys}, _day DATE); CREATE TABLE gone (${keys})`);
}

function definitions(columns: SinkTable["columns"]): string {
  return columns.map(({ name, type }) => `${identifier(name)} ${sqlTypes[type]}`).join(", ");
}

async function load(
  request: StagingRequest,
  progress: Progress,
  kind: RowChange["kind"],
  file: SpoolFile,
): Promise<void> {
  const db = await requireTables(request, progress);
  const insert = (): Promise<void> => {
    const into = kind === "delete" ? "gone" : "staged_keys";
    const names = kind === "delete" ? request.table.key : keysOf(request);
    return db.run(`INSERT INTO ${into} ${selection(request, file, names, progress.rowBytes)}`);
  };
  // The rows themselves are read where they are when they are needed.
  if (kind === "upsert") progress.files.push(file);
  try {
    await insert();
  } catch (error) {
    const longest = longestRow(await readFile(file.path));
    if (longest <= progress.rowBytes) throw error;
    if (longest > mostRowBytes) {
      const message = `table ${request.table.name}: a row has ${longest} bytes; ${mostRowBytes} are the most`;
      throw new AppError("target_rejected", message);
    }
    progress.rowBytes = longest + 1;
    await insert();
  }
  if (kind === "delete") await rm(file.path, { force: true });
}

const dayName = "_day";
const keysOf = ({ table }: StagingRequest): readonly string[] => [...table.key, dayName];

/** The longest row that DuckDB is prepared for at first, the longest that it is ever, and how much it reads at a time. */
const usualRowBytes = 2 * 1024 ** 2;
const mostRowBytes = 16 * 1024 ** 2;
const readBytes = 8 * 1024 ** 2;

/** A query of a file: some of its columns in the table's order, and the day where it is asked for. */
function selection(
  { table }: StagingRequest,
  { path, columns }: SpoolFile,
  wanted: readonly string[],
  rowBytes: number,
): string {
  const given = new Set(columns.map(({ name }) => name));
  const names = table.columns.map(({ name }) => name).filter((name) => wanted.includes(name));
  const values = names.map((name) => (given.has(name) ? identifier(name) : `NULL AS ${identifier(name)}`));
  if (wanted.includes(dayName)) values.push(`CAST(${identifier(table.day)} AS DATE) AS ${dayName}`);
  return `SELECT ${values.join(", ")} FROM read_csv(${literal(path)}, columns = ${typeStruct(columns)}, auto_detect = false, header = false, skip = 1,
    delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false,
    max_line_size = ${rowBytes}, buffer_size = ${Math.max(readBytes, rowBytes)})`;
}

function longestRow(csv: Buffer): number {
  let longest = 0;
  let begin = 0;
  let isQuoted = false;
  for (let at = 0; at < csv.length; at += 1) {
    if (csv[at] === 0x22) isQuoted = !isQuoted;
    if (csv[at] !== 0x0a || isQuoted) continue;
    longest = Math.max(longest, at + 1 - begin);
    begin = at + 1;
  }
  return Math.max(longest, csv.length - begin);
}

async function keepLast(request: StagingRequest, progress: Progress): Promise<SettledChanges> {
  const db = await request.database();
  const { key } = request.table;
  const [counts] = await db.rows(
    `SELECT (SELECT count(*) FROM staged_keys)::DOUBLE AS upserts, (SELECT count(*) FROM gone)::DOUBLE AS deletes,
      (SELECT count(*) FROM staged_keys WHERE _day IS NULL OR NOT isfinite(_day))::DOUBLE AS dayless`,
  );
  if (counts?.["upserts"] !== progress.upserts || counts["deletes"] !== progress.deletes) {
    throw new AppError(
      "target_protocol",
      `table ${request.table.name}: batches do not hold as many rows as they say`,
    );
  }
  if (counts["dayless"] !== 0) {
    throw new AppError("target_rejected", `table ${request.table.name}: a row has no ${request.table.day}`);
  }
  await db.run("CREATE OR REPLACE TABLE losers (row BIGINT)");
  if (await hasRepeats(db, key)) await db.run(repeats(key));
  if (progress.deletes > 0) await db.run(deletions(key, progress.marks));
  await showRows(request, progress);
  const [left] = await db.rows("SELECT count(*)::DOUBLE AS rows FROM staged_keys");
  return { rows: Number(left?.["rows"]), bytes: progress.bytes, hasGone: progress.deletes > 0 };
}

/** Times that the files may be read rather than taken in. */
const mostReads = 4;

/** How the rows that came are spread over days. */
interface Spread {
  /** Whether rows of more days come mixed than DuckDB can write at a time. */
  readonly isMixed: boolean;
  /** Statements that they are written by. */
  readonly statements: number;
}

async function spreadOf(db: Duckdb, { upserts, bytes }: Progress): Promise<Spread> {
  const found = await db.rows(
    `SELECT _day::VARCHAR AS day, count(*)::DOUBLE AS rows, (max(rowid) - min(rowid) + 1)::DOUBLE AS span
      FROM staged_keys GROUP BY _day ORDER BY _day`,
  );
  const rowsOf = new Map(found.map(({ day, rows }) => [String(day), Number(rows)]));
  // How many days a stretch of rows is of, on average, as they came.
  const mixed = found.reduce((sum, { span }) => sum + Number(span), 0) / Math.max(upserts, 1);
  const groups = groupDays([...rowsOf.keys()], (day) => rowsOf.get(day) ?? 0, gatheredRows(upserts, bytes));
  return {
    isMixed: found.length > daysAtOnce() && mixed > daysAtOnce() / 4,
    statements: groups.length,
  };
}

/**
 * Makes `staged`. As long as every row counts and they came by day, it is the files themselves: taking them in would cost half as much as writing them. Else they
 * are taken in, and come under the same numbers as their keys did.
 */
async function showRows(request: StagingRequest, progress: Progress): Promise<void> {
  const db = await request.database();
  const names = [...request.written, dayName];
  const columns = request.table.columns.filter(({ name }) => request.written.includes(name));
  const { isMixed, statements } = await spreadOf(db, progress);
  const [lost] = await db.rows("SELECT count(*)::DOUBLE AS rows FROM losers");
  const queries = progress.files.map((file) => selection(request, file, names, progress.rowBytes));
  if (queries.length > 0 && lost?.["rows"] === 0 && !isMixed && statements <= mostReads) {
    return db.run(`CREATE OR REPLACE VIEW staged AS ${queries.join(" UNION ALL ")}`);
  }
  await db.run(`CREATE OR REPLACE TABLE staged_rows (${definitions(columns)}, ${dayName} DATE)`);
  for (const query of queries) await db.run(`INSERT INTO staged_rows ${query}`);
  for (const name of ["staged_rows", "staged_keys"]) {
    await db.run(`DELETE FROM ${name} WHERE rowid IN (SELECT row FROM losers)`);
  }
  if (isMixed) {
    await db.run(`CREATE OR REPLACE TABLE staged_by_day AS SELECT * FROM staged_rows ORDER BY ${dayName}`);
    await db.run("DROP TABLE staged_rows; ALTER TABLE staged_by_day RENAME TO staged_rows");
  }
  await db.run("CREATE OR REPLACE VIEW staged AS SELECT * FROM staged_rows");
}

/** Hashes take less memory than keys; where two keys share one, the exact search that follows finds nothing. */
async function hasRepeats(db: Duckdb, key: readonly string[]): Promise<boolean> {
  const [found] = await db.rows(
    `SELECT count(*) > 0 AS found FROM (SELECT 1 FROM staged_keys GROUP BY _day HAVING count(*) > count(DISTINCT hash(${identifiers(key)})))`,
  );
  return found?.["found"] === true;
}

// Rows are numbered in the order in which they came.
function repeats(key: readonly string[]): string {
  return `INSERT INTO losers SELECT row FROM (
      SELECT rowid AS row, row_number() OVER (PARTITION BY ${identifiers(key)} ORDER BY rowid DESC) AS place FROM staged_keys
      WHERE hash(${identifiers(key)}) IN (SELECT hash(${identifiers(key)}) FROM staged_keys GROUP BY ALL HAVING count(*) > 1))
    WHERE place > 1`;
}

function deletions(key: readonly string[], marks: readonly Mark[]): string {
  const values = marks.map(({ first, before }) => `(${first}, ${before})`).join(", ");
  return `INSERT INTO losers SELECT DISTINCT s.rowid
    FROM (SELECT *, rowid AS row FROM gone) g ASOF JOIN (VALUES ${values}) m(first, before) ON g.row >= m.first
    JOIN staged_keys s ON ${sameKey(key, "g", "s")} WHERE s.rowid < m.before`;
}
