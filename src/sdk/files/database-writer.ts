import { rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "../../errors.ts";
import { runColumn } from "../sink.ts";
import type { CommitReceipt, CommitRequest, SinkRequest, SinkWriter } from "../sink.ts";
import type { DatabasePlace, TableRecord } from "./database-record.ts";
import { columnsOf, inTransaction, qualified, readRecordRow, writeRecordRow } from "./database-record.ts";
import type { Duckdb, LazyDuckdb } from "./duckdb.ts";
import { stagedName } from "./duckdb.ts";
import { identifier, identifiers, literal, sameKey } from "./sql.ts";
import { createStagedChanges } from "./staged-changes.ts";
import { mostRowBytes } from "./staged-rows.ts";
import type { SettledChanges } from "./settled-changes.ts";
import type { StagedChanges } from "./staged-changes.ts";
import type { SettledColumns } from "./table-columns.ts";

export interface OpenDatabaseTable {
  readonly request: SinkRequest;
  readonly place: DatabasePlace;
  readonly record: TableRecord;
  readonly columns: SettledColumns;
  /** Of this writer alone; it is not there yet. */
  readonly workFolder: string;
  /** Where changes are staged. */
  readonly staging: LazyDuckdb;
  /** Works with the database file, which is closed for others meanwhile. */
  readonly withDatabase: <T>(work: (db: Duckdb) => Promise<T>) => Promise<T>;
  readonly now: () => number;
}

/** Writes to a table of a database file. Changes are staged elsewhere, so that others can open the file until a commit. */
export function createDatabaseWriter(table: OpenDatabaseTable): SinkWriter {
  const { request, columns, workFolder, staging } = table;
  const { run, watermark } = table.record;
  const staged = createStagedChanges({
    table: request.table,
    written: columns.written,
    folder: workFolder,
    mostRowBytes,
    database: staging.open,
  });
  const state = { record: table.record };
  const position = run === undefined || watermark === undefined ? undefined : { run, watermark };
  return {
    keepsPosition: true,
    position: columns.isComplete ? position : undefined,
    leftOut: columns.leftOut,
    write: async (change) => {
      request.signal.throwIfAborted();
      await staged.write(change);
    },
    commit: async (commit) => {
      request.signal.throwIfAborted();
      const settled = staged.isEmpty() ? undefined : await settle(table, state.record, staged);
      const receipt = await table.withDatabase((db) => publish(table, state, { db, commit, settled }));
      await staged.clear();
      return receipt;
    },
    abort: () => staged.clear(),
    close: async () => {
      await staged.clear().catch(() => undefined);
      await staging.close().catch(() => undefined);
      await rm(workFolder, { recursive: true, force: true }).catch(() => undefined);
      await rmdir(dirname(workFolder)).catch(() => undefined);
    },
  };
}

/** Settles what is staged and closes its database, so that it can be attached to another. */
async function settle(
  table: OpenDatabaseTable,
  record: TableRecord,
  staged: StagedChanges,
): Promise<SettledChanges> {
  try {
    const settled = await staged.settle();
    await (await table.staging.open()).run("CHECKPOINT");
    await table.staging.close();
    return settled;
  } catch (error) {
    // What a later run took away as a leftover is missed here; that it was overtaken is the reason.
    await table.withDatabase((db) => requireSame(db, table, record));
    throw error;
  }
}

interface Publication {
  readonly db: Duckdb;
  readonly commit: CommitRequest;
  readonly settled: SettledChanges | undefined;
}

async function publish(
  table: OpenDatabaseTable,
  state: { record: TableRecord },
  publication: Publication,
): Promise<CommitReceipt> {
  const { request, place, columns, workFolder } = table;
  const { db, commit, settled } = publication;
  if (settled !== undefined) {
    await db.run(`ATTACH ${literal(join(workFolder, stagedName))} AS ${workName} (READ_ONLY)`);
  }
  const record: TableRecord = {
    ...state.record,
    run: request.run,
    watermark: commit.watermark,
    commits: state.record.commits + 1,
    filled: columns.written,
  };
  try {
    const counts = await inTransaction(db, async () => {
      await requireSame(db, table, state.record);
      await addColumns(db, table);
      const merged = settled === undefined ? nothing : await merge(db, table, settled);
      const dropped = await drop(db, table, commit);
      await db.run(writeRecordRow(place, request.table.name, record, table.now()));
      return { ...merged, deleted: merged.deleted + dropped };
    });
    state.record = record;
    return { ...counts, bytes: settled?.bytes ?? 0 };
  } finally {
    if (settled !== undefined) await db.run(`DETACH ${workName}`).catch(() => undefined);
  }
}

const workName = "_deskbridge_work";
const nothing = { inserted: 0, updated: 0, deleted: 0 };

/** A run that was overtaken finds that there have been other commits since it began. */
async function requireSame(
  db: Duckdb,
  { place, request }: OpenDatabaseTable,
  record: TableRecord,
): Promise<void> {
  const now = await readRecordRow(db, place, request.table.name);
  if (now?.commits === record.commits && now.export === record.export) return;
  throw new AppError("lease_lost", `${place.path}: another run has committed meanwhile; this one stops`);
}

async function addColumns(db: Duckdb, { place, request, columns }: OpenDatabaseTable): Promise<void> {
  const held = await columnsOf(db, place, request.table.name);
  const wanted = [...columns.layout, { name: runColumn, type: "BIGINT" }];
  for (const { name, type } of wanted) {
    if (held?.has(name) === true) continue;
    await db.run(
      `ALTER TABLE ${qualified(place, request.table.name)} ADD COLUMN ${identifier(name)} ${type}`,
    );
  }
}

async function merge(
  db: Duckdb,
  { place, request, columns }: OpenDatabaseTable,
  settled: SettledChanges,
): Promise<typeof nothing> {
  const { key } = request.table;
  const target = qualified(place, request.table.name);
  const names = columns.written;
  const [staged, keys] = [`${workName}.main.staged`, `${workName}.main.staged_keys`];
  let deleted = 0;
  if (settled.hasGone) {
    // What came again after it was deleted is staged, and replaced below.
    deleted =
      await db.change(`DELETE FROM ${target} t USING (SELECT DISTINCT * FROM ${workName}.main.gone g ANTI JOIN ${keys} s ON ${sameKey(key, "g", "s")}) d
        WHERE ${sameKey(key, "t", "d")}`);
  }
  const [found] = await db.rows(
    `SELECT count(*)::DOUBLE AS rows FROM ${target} t SEMI JOIN ${keys} s ON ${sameKey(key, "t", "s")}`,
  );
  const updated = Number(found?.["rows"]);
  const values = `${identifiers(names, "s.")}, ${request.run}`;
  if (updated === 0) {
    await db.run(
      `INSERT INTO ${target} (${identifiers(names)}, ${identifier(runColumn)}) SELECT ${values} FROM ${staged} s`,
    );
    return { inserted: settled.rows, updated, deleted };
  }
  const sets = [
    ...names
      .filter((name) => !key.includes(name))
      .map((name) => `${identifier(name)} = s.${identifier(name)}`),
    `${identifier(runColumn)} = ${request.run}`,
  ];
  await db.run(
    `MERGE INTO ${target} t USING ${staged} s ON ${sameKey(key, "t", "s")}
      WHEN MATCHED THEN UPDATE SET ${sets.join(", ")}
      WHEN NOT MATCHED THEN INSERT (${identifiers(names)}, ${identifier(runColumn)}) VALUES (${values})`,
  );
  return { inserted: settled.rows - updated, updated, deleted };
}

async function drop(
  db: Duckdb,
  { place, request }: OpenDatabaseTable,
  { dropOlderThan, dropOlderThanIn: days }: CommitRequest,
): Promise<number> {
  const run = `coalesce(${identifier(runColumn)}, 0)`;
  const day = `CAST(${identifier(request.table.day)} AS DATE)`;
  const conditions = [
    ...(dropOlderThan === undefined ? [] : [`${run} < ${dropOlderThan}`]),
    ...(days === undefined
      ? []
      : [
          `(${run} < ${request.run} AND ${day} >= ${literal(days.from)} AND ${day} < ${literal(days.until)})`,
        ]),
  ];
  if (conditions.length === 0) return 0;
  return db.change(`DELETE FROM ${qualified(place, request.table.name)} WHERE ${conditions.join(" OR ")}`);
}
