import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { AppError } from "../../errors.ts";
import type { Sink, SinkPosition, SinkRequest, SinkWriter } from "../sink.ts";
import type { DatabasePlace, TableRecord } from "./database-record.ts";
import { columnsOf, createDatabaseTable, heldColumns, qualified, readRecordRow } from "./database-record.ts";
import { createDatabaseWriter } from "./database-writer.ts";
import type { Duckdb } from "./duckdb.ts";
import { createLazyDuckdb, openDuckdbFile } from "./duckdb.ts";
import { canonicalBatch, readableColumns } from "./readable-rows.ts";
import { identifier, literal } from "./sql.ts";
import { newColumns, requireKey, settleColumns } from "./table-columns.ts";

export interface DatabaseSinkOptions extends DatabasePlace {
  /** For what is staged; beside the database when absent. */
  readonly workDir?: string | undefined;
  readonly now: () => number;
}

/** A warehouse in a DuckDB database file. The file is open while a table is opened, committed to or read, and can be opened by others in between. */
export function createDatabaseSink(options: DatabaseSinkOptions): Sink {
  return {
    open: (request) => openTable(options, request),
    standings: (requests) => readStandings(options, requests),
    read: (request) => readTable(options, request),
  };
}

/** The database is opened once for all of them. */
async function readStandings(
  options: DatabaseSinkOptions,
  requests: readonly SinkRequest[],
): Promise<readonly (SinkPosition | undefined)[]> {
  const { path } = options;
  const [first] = requests;
  if (first === undefined || !existsSync(path)) return requests.map(() => undefined);
  return withDatabase(path, first.signal, async (db) => {
    const standings: (SinkPosition | undefined)[] = [];
    for (const { table, export: owner } of requests) {
      const record = await readRecordRow(db, options, table.name);
      const held = await columnsOf(db, options, table.name);
      const { run, watermark, filled = [] } = record ?? {};
      const isOurs = record?.export === owner && record.dataset === table.dataset;
      const hasKey = record?.day === table.day && isDeepStrictEqual(record.key, table.key);
      const hasColumns = newColumns(table.columns).every(
        ({ name, type }) => held?.get(name) === type && filled.includes(name),
      );
      const isKnown = run !== undefined && watermark !== undefined;
      // What a process left that was killed is taken away when the table is opened.
      const isTidy = !existsSync(workFolder(options, table.name));
      standings.push(isOurs && hasKey && hasColumns && isKnown && isTidy ? { run, watermark } : undefined);
    }
    return standings;
  });
}

async function withDatabase<T>(
  path: string,
  signal: AbortSignal,
  work: (db: Duckdb) => Promise<T>,
): Promise<T> {
  const db = await openWarehouse(path, signal);
  try {
    return await work(db);
  } finally {
    db.close();
  }
}

/** Faults that say what there is to say of the file. */
const isSaid: ReadonlySet<string> = new Set(["sink_full", "sink_path_blocked", "target_unauthorized"]);

export async function openWarehouse(path: string, signal: AbortSignal): Promise<Duckdb> {
  try {
    return await openDuckdbFile(path, signal);
  } catch (error) {
    if (!(error instanceof AppError) || isSaid.has(error.code)) throw error;
    throw new AppError(
      "target_unavailable",
      `${path} cannot be opened: another process has it open, it is no DuckDB database, or this process may not write to it`,
      { cause: error },
    );
  }
}

async function openTable(options: DatabaseSinkOptions, request: SinkRequest): Promise<SinkWriter> {
  const { path, now } = options;
  const { signal, table } = request;
  const place = `${path}: ${options.schema}.${table.name}`;
  const leftovers = workFolder(options, table.name);
  await rm(leftovers, { recursive: true, force: true });
  const { record, columns } = await withDatabase(path, signal, async (db) => {
    const record = await requireTable(db, options, request, place);
    const held = (await columnsOf(db, options, table.name)) ?? new Map<string, string>();
    const facts = {
      columns: heldColumns(held, record),
      lacking: new Set<string>(),
      mixed: new Set<string>(),
    };
    return { record, columns: settleColumns(facts, request, place) };
  });
  const own = join(leftovers, `${request.run}-${randomUUID()}`);
  return createDatabaseWriter({
    request,
    place: options,
    record,
    columns,
    workFolder: own,
    staging: createLazyDuckdb({ folder: own, signal }),
    withDatabase: (work) => withDatabase(path, signal, work),
    now,
  });
}

/** The note of the table, which is made where it is missing. Throws `sink_table_foreign` where it is not this export's. */
async function requireTable(
  db: Duckdb,
  options: DatabaseSinkOptions,
  request: SinkRequest,
  place: string,
): Promise<TableRecord> {
  const { table } = request;
  const record = await readRecordRow(db, options, table.name);
  const isThere = (await columnsOf(db, options, table.name)) !== undefined;
  const foreign = (what: string): AppError =>
    new AppError("sink_table_foreign", `${place} ${what}; nothing in it was touched`);
  if (record === undefined) {
    if (isThere) throw foreign("was not made by an export");
    return createDatabaseTable(db, options, request, options.now());
  }
  if (record.export !== request.export) throw foreign(`belongs to the export ${record.export}`);
  if (record.dataset !== table.dataset) throw foreign(`holds the dataset ${record.dataset}`);
  // Somebody took the whole table away: it begins anew.
  if (!isThere) return createDatabaseTable(db, options, request, options.now());
  requireKey(place, record, table);
  return record;
}

/** The same for a table in every process, so that what one leaves behind is found by the next. */
function workFolder({ path, schema, workDir }: DatabaseSinkOptions, table: string): string {
  const name = createHash("sha256").update(`${path} ${schema} ${table}`).digest("hex").slice(0, 16);
  return join(workDir ?? dirname(path), `.deskbridge-${name}`);
}

async function* readTable(
  options: DatabaseSinkOptions,
  request: Parameters<NonNullable<Sink["read"]>>[0],
): ReturnType<NonNullable<Sink["read"]>> {
  const { table, days } = request;
  if (!existsSync(options.path)) return;
  const db = await openWarehouse(options.path, request.signal);
  try {
    const record = await readRecordRow(db, options, table.name);
    const held = await columnsOf(db, options, table.name);
    if (record === undefined || held === undefined) return;
    if (record.export !== request.export) {
      throw new AppError(
        "sink_table_foreign",
        `${options.path}: ${table.name} belongs to the export ${record.export}`,
      );
    }
    const day = `CAST(${identifier(table.day)} AS DATE)`;
    const range =
      days === undefined ? "" : `WHERE ${day} >= ${literal(days.from)} AND ${day} < ${literal(days.until)}`;
    const values = readableColumns(table.columns, new Set(held.keys()));
    for await (const rows of db.stream(`SELECT ${values} FROM ${qualified(options, table.name)} ${range}`)) {
      yield canonicalBatch(table.columns, rows);
    }
  } finally {
    db.close();
  }
}
