import { randomBytes } from "node:crypto";
import { createOneAhead } from "deskbridge/sdk";
import type { CommitRequest, RowChange, SinkRequest } from "deskbridge/sdk";
import { listed, literal, own, quoted, typeIn } from "./column.ts";
import type { OpenTable } from "./table.ts";
import type { Server } from "./server.ts";

/** What waits for the commit. */
interface Staged {
  upserts: number;
  deletes: number;
  bytes: number;
  batches: number;
  /** Version that what a full run takes away gets: before all rows of the chunk. */
  firstVersion: number;
  version: number;
}

/** A table of the same form as that of the rows, in which a chunk is gathered and from which it is brought in at once. */
export interface Stage {
  /** Its name as SQL. */
  readonly table: string;
  readonly put: (change: RowChange) => Promise<void>;
  readonly settle: () => Promise<void>;
  /** Stages the taking away of what a full run or a repair did not write. Gives back how many rows. */
  readonly drop: (commit: CommitRequest) => Promise<number>;
  readonly staged: () => Readonly<Staged>;
  readonly clear: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Makes the stage, and takes away those that processes left behind which ended: one that is merely slow then finds that it has been overtaken. */
export async function openStage(
  server: Server,
  database: string,
  request: SinkRequest,
  open: OpenTable,
): Promise<Stage> {
  const { names } = open;
  const left = await server.query<{ name: string }>(
    "SELECT name FROM system.tables WHERE database = {database: String} AND match(name, {pattern: String})",
    { database, pattern: `^${names.stagePrefix}[0-9a-f]{12}$` },
  );
  for (const { name } of left) await server.run(`DROP TABLE IF EXISTS ${names.inDatabase(name)}`);
  const table = names.inDatabase(`${names.stagePrefix}${randomBytes(6).toString("hex")}`);
  await server.run(`CREATE TABLE ${table} AS ${names.rows}`);
  return createStage(server, request, open, table);
}

function createStage(server: Server, request: SinkRequest, open: OpenTable, table: string): Stage {
  const staged = freshStage(open.version);
  const { put, settle } = createOneAhead<RowChange>(async ({ kind, batch }) => {
    const csv = batch.csv();
    staged.version += 1;
    await server.insertCsv(
      insertStatement(request, open, { kind, batch }, { table, version: staged.version }),
      csv,
    );
    staged.batches += 1;
    staged.bytes += csv.length;
    staged[kind === "upsert" ? "upserts" : "deletes"] += batch.count;
  });
  return {
    table,
    put,
    settle,
    drop: (commit) => stageDrops(server, request, open, { commit, staged, table }),
    staged: () => staged,
    clear: async () => {
      await settle().catch(() => undefined);
      await server.run(`TRUNCATE TABLE ${table}`);
      Object.assign(staged, freshStage(staged.version));
    },
    close: async () => {
      await settle().catch(() => undefined);
      await server.run(`DROP TABLE IF EXISTS ${table}`).catch(() => undefined);
    },
  };
}

function freshStage(version: number): Staged {
  return { upserts: 0, deletes: 0, bytes: 0, batches: 0, firstVersion: version + 1, version: version + 1 };
}

/**
 * All rows of a batch have one version. They are one block of one insert, in which the engine keeps the last of several with the same key; of two batches the
 * later has the greater version.
 */
function insertStatement(
  { table, run }: SinkRequest,
  { written }: OpenTable,
  { kind, batch }: RowChange,
  into: { readonly table: string; readonly version: number },
): string {
  const typeOf = typeIn(table);
  const form = batch.columns.map((column) => `${quoted(column.name)} ${typeOf(column)}`).join(", ");
  const names = batch.columns
    .map(({ name }) => name)
    .filter((name) => kind === "delete" || written.some((column) => column.name === name));
  const deleted = kind === "delete" ? 1 : 0;
  return `INSERT INTO ${into.table} (${listed(names)}, ${own.run}, ${own.version}, ${own.deleted})
    SELECT ${listed(names)}, ${run}, ${into.version}, ${deleted} FROM input(${literal(form)}) FORMAT CSV`;
}

async function stageDrops(
  server: Server,
  { table, run }: SinkRequest,
  { names }: OpenTable,
  {
    commit,
    staged,
    table: stage,
  }: { readonly commit: CommitRequest; readonly staged: Staged; readonly table: string },
): Promise<number> {
  const { dropOlderThan, dropOlderThanIn: days } = commit;
  const key = listed(table.key);
  const conditions = [
    ...(dropOlderThan === undefined ? [] : [`${own.run} < ${dropOlderThan}`]),
    ...(days === undefined ? [] : [`(${own.run} < ${run} AND ${within(table.day)})`]),
  ];
  if (conditions.length === 0) return 0;
  // What is written again by this very chunk is not gone.
  const gone = `FROM ${names.rows} FINAL WHERE (${conditions.join(" OR ")}) AND (${key}) NOT IN (SELECT ${key} FROM ${stage})`;
  const values = days === undefined ? {} : { from: days.from, until: days.until };
  const [row] = await server.query<{ count: number }>(`SELECT count() AS count ${gone}`, values);
  const count = row?.count ?? 0;
  if (count === 0) return 0;
  await server.run(
    `INSERT INTO ${stage} (${key}, ${own.run}, ${own.version}, ${own.deleted})
     SELECT ${key}, ${run}, ${staged.firstVersion}, 1 ${gone}`,
    values,
  );
  return count;
}

/** Rows whose day is within the parameters `from` and `until`. */
export function within(day: string): string {
  return `toDate32(${quoted(day)}) >= toDate32({from: String}) AND toDate32(${quoted(day)}) < toDate32({until: String})`;
}
