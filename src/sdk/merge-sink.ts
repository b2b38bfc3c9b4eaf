import { randomBytes } from "node:crypto";
import type { Column } from "../model/dataset.ts";
import type { DayRange } from "./dataset-source.ts";
import type { MergeDialect, MergeStatement } from "./merge-statements.ts";
import {
  addColumns,
  createRecords,
  createStageTable,
  createTable,
  daysOf,
  dropCondition,
  mergeRecords,
  mergeStage,
  stageColumns,
  within,
} from "./merge-statements.ts";
import { createOneAhead } from "./one-ahead.ts";
import { createRowBatch } from "./row-batch.ts";
import type { Row, RowBatch, RowChange } from "./row-batch.ts";
import type { CommitReceipt, CommitRequest, Sink, SinkPosition, SinkRequest, SinkWriter } from "./sink.ts";
import { runColumn } from "./sink.ts";
import { foreignTable, overtakenBy, settleColumns } from "./sink-columns.ts";

/** A warehouse that takes rows by loading them into a table, and SQL with `MERGE` and transactions. Errors are those of the catalogue. */
export interface MergeWarehouse {
  readonly dialect: MergeDialect;
  readonly query: <R extends object>(statement: MergeStatement) => Promise<readonly R[]>;
  /** Runs statements one after the other, each for itself. */
  readonly run: (statements: readonly MergeStatement[]) => Promise<void>;
  /** Runs statements in one transaction: all of them take effect or none. */
  readonly transaction: (statements: readonly MergeStatement[]) => Promise<void>;
  /** Makes the dataset or schema where it is missing. */
  readonly prepare: () => Promise<void>;
  /** Types of a table's columns by name; undefined where there is nothing of that name. */
  readonly columns: (table: string) => Promise<ReadonlyMap<string, string> | undefined>;
  /** Appends rows to a table, of all of whose columns they have a value or null. */
  readonly load: (table: string, columns: readonly Column[], rows: readonly Row[]) => Promise<void>;
  /** A row as it was read, as `Row` says. */
  readonly decode: (columns: readonly Column[], row: Row) => Row;
  /** Never throws. */
  readonly close: () => Promise<void>;
}

/** What was loaded since the last commit. */
interface Counts {
  readonly upserts: number;
  readonly deletes: number;
  readonly bytes: number;
}

/** A load is a job of some seconds, so rows are gathered to this many bytes of JSON, roughly, before one begins. */
const loadBytes = 32 * 1024 ** 2;

interface Gatherer {
  readonly add: (change: RowChange) => Promise<void>;
  /** Loads what is left, and waits for all of it. */
  readonly finish: () => Promise<Counts>;
  /** Forgets what has been gathered and counted. */
  readonly forget: () => Promise<void>;
}

function createGatherer(warehouse: MergeWarehouse, stage: string, columns: readonly Column[]): Gatherer {
  const none = { upserts: 0, deletes: 0, bytes: 0 };
  let [counts, order, pendingBytes]: [Counts, number, number] = [none, 0, 0];
  let pending: Row[] = [];
  const { put, settle } = createOneAhead((rows: readonly Row[]) => warehouse.load(stage, columns, rows));
  const flush = async (): Promise<void> => {
    const rows = pending;
    [pending, pendingBytes] = [[], 0];
    if (rows.length > 0) await put(rows);
  };
  return {
    add: async ({ kind, batch }) => {
      const bytes = batch.csvChunks().reduce((sum, { length }) => sum + length, 0);
      for (const row of batch.rows()) {
        order += 1;
        pending.push({ ...row, [stageColumns.order]: order, [stageColumns.deleted]: kind === "delete" });
      }
      const key = kind === "upsert" ? "upserts" : "deletes";
      counts = { ...counts, [key]: counts[key] + batch.count, bytes: counts.bytes + bytes };
      pendingBytes += bytes;
      if (pendingBytes >= loadBytes) await flush();
    },
    finish: async () => {
      await flush();
      await settle();
      return counts;
    },
    forget: async () => {
      await settle().catch(() => undefined);
      [pending, pendingBytes, counts] = [[], 0, none];
    },
  };
}

interface Record {
  readonly export: string;
  readonly position: SinkPosition | undefined;
  readonly filled: readonly string[];
}

interface OpenTable {
  readonly position: SinkPosition | undefined;
  readonly written: readonly Column[];
  readonly leftOut: SinkWriter["leftOut"];
}

/** A sink on such a warehouse: rows are loaded into a stage, and a commit merges them in one transaction with the record of where the table stands. */
export function createMergeSink(open: (signal: AbortSignal) => Promise<MergeWarehouse>): Sink {
  return {
    open: async (request) => {
      const warehouse = await open(request.signal);
      try {
        return await openWriter(warehouse, request);
      } catch (error) {
        await warehouse.close();
        throw error;
      }
    },
    read: (request) => readTable(open, request),
  };
}

async function openWriter(warehouse: MergeWarehouse, request: SinkRequest): Promise<SinkWriter> {
  const { dialect } = warehouse;
  const { table, signal } = request;
  const open = await openTable(warehouse, request);
  const stage = `_deskbridge_stage_${table.name}_${randomBytes(6).toString("hex")}`;
  await warehouse.run([createStageTable(dialect, stage, table)]);
  const gathered = createGatherer(warehouse, stage, [...table.columns, ...stageOnly]);
  const clear = async (): Promise<void> => {
    await gathered.forget();
    await warehouse.run([{ sql: `DELETE FROM ${dialect.table(stage)} WHERE TRUE` }]);
  };
  return {
    keepsPosition: true,
    position: open.position,
    leftOut: open.leftOut,
    write: async (change) => {
      signal.throwIfAborted();
      await gathered.add(change);
    },
    commit: async (commit) => {
      signal.throwIfAborted();
      const counts = await gathered.finish();
      const receipt = await commitStage(warehouse, { request, open, stage, counts }, commit);
      await clear();
      return receipt;
    },
    abort: clear,
    close: async () => {
      await gathered.forget();
      await warehouse.run([{ sql: `DROP TABLE IF EXISTS ${dialect.table(stage)}` }]).catch(() => undefined);
      await warehouse.close();
    },
  };
}

const stageOnly: readonly Column[] = [
  {
    name: stageColumns.order,
    type: "integer",
    nullable: false,
    description: "The order in which rows came.",
  },
  { name: stageColumns.deleted, type: "boolean", nullable: false, description: "Whether the row is gone." },
];

async function openTable(warehouse: MergeWarehouse, request: SinkRequest): Promise<OpenTable> {
  const { dialect } = warehouse;
  const { table } = request;
  await warehouse.prepare();
  await warehouse.run([createRecords(dialect)]);
  const record = await readRecord(warehouse, table.name);
  const held = await warehouse.columns(table.name);
  if (record !== undefined && record.export !== request.export) throw foreignTable(request, record.export);
  if (held === undefined) {
    // Noted first: a table without a note would be taken for somebody else's. What was noted of one that is there no more is forgotten.
    const fresh = { position: undefined, filled: [] };
    await warehouse.transaction([...forget(dialect, table.name), note(dialect, request, fresh)]);
    await warehouse.run([createTable(dialect, table)]);
    return { position: undefined, written: table.columns, leftOut: [] };
  }
  if (record === undefined || !held.has(runColumn)) throw foreignTable(request);
  const { written, missing, leftOut } = settleColumns(request, held, ({ type }) => dialect.types[type]);
  if (missing.length > 0) {
    // Noted first: a column that was added without a note would be taken for one that all rows have.
    const lacking = new Set(missing.map(({ name }) => name));
    const filled = record.filled.filter((name) => !lacking.has(name));
    await warehouse.transaction([
      ...forget(dialect, table.name),
      note(dialect, request, { ...record, filled }),
    ]);
    await warehouse.run(addColumns(dialect, table, missing));
    return { position: undefined, written, leftOut };
  }
  const isFilled = written.every(({ name }) => record.filled.includes(name));
  return { position: isFilled ? record.position : undefined, written, leftOut };
}

async function readRecord({ dialect, query }: MergeWarehouse, table: string): Promise<Record | undefined> {
  const names = ["export", "run", "watermark", "filled_columns"].map((name) => dialect.quoted(name));
  const [row] = await query<{
    export: string;
    run: number | string | null;
    watermark: string | null;
    filled_columns: string | null;
  }>({
    sql: `SELECT ${names.join(", ")} FROM ${dialect.table(mergeRecords)} WHERE ${dialect.quoted("table_name")} = ?`,
    values: [table],
  });
  if (row === undefined) return undefined;
  const { run, watermark } = row;
  return {
    export: row.export,
    position: run === null || watermark === null ? undefined : { run: Number(run), watermark },
    filled: JSON.parse(row.filled_columns ?? "[]") as string[],
  };
}

function forget(dialect: MergeDialect, table: string): MergeStatement[] {
  const sql = `DELETE FROM ${dialect.table(mergeRecords)} WHERE ${dialect.quoted("table_name")} = ?`;
  return [{ sql, values: [table] }];
}

function note(
  dialect: MergeDialect,
  request: SinkRequest,
  { position, filled }: Omit<Record, "export">,
): MergeStatement {
  const names = ["table_name", "export", "dataset", "run", "watermark", "filled_columns"].map(dialect.quoted);
  const { name, dataset } = request.table;
  return {
    // A value that is null has no type of its own.
    sql: `INSERT INTO ${dialect.table(mergeRecords)} (${names.join(", ")}) VALUES (?, ?, ?, ${position?.run ?? "NULL"}, ${position === undefined ? "NULL" : "?"}, ?)`,
    values: [
      name,
      request.export,
      dataset,
      ...(position === undefined ? [] : [position.watermark]),
      JSON.stringify(filled),
    ],
  };
}

interface Chunk {
  readonly request: SinkRequest;
  readonly open: OpenTable;
  readonly stage: string;
  readonly counts: Counts;
}

async function commitStage(
  warehouse: MergeWarehouse,
  { request, open, stage, counts }: Chunk,
  commit: CommitRequest,
): Promise<CommitReceipt> {
  const { dialect } = warehouse;
  const { table, run } = request;
  const last = (await readRecord(warehouse, table.name))?.position?.run ?? 0;
  if (last > run) throw overtakenBy(last, request);
  const drop = dropCondition(dialect, table, run, commit);
  const dropped = drop === undefined ? 0 : await countDropped(warehouse, { request, stage, drop });
  const hasRows = counts.upserts + counts.deletes > 0;
  const position = { run, watermark: commit.watermark };
  await warehouse.transaction([
    ...(hasRows ? [mergeStage(dialect, stage, { table, run, written: open.written })] : []),
    ...(drop === undefined
      ? []
      : [{ ...drop, sql: `DELETE FROM ${dialect.table(table.name)} WHERE ${drop.sql}` }]),
    ...forget(dialect, table.name),
    note(dialect, request, { position, filled: open.written.map(({ name }) => name) }),
  ]);
  return { inserted: 0, updated: counts.upserts, deleted: counts.deletes + dropped, bytes: counts.bytes };
}

/** How many rows a drop is going to take away: those of it that the chunk does not write anew. */
async function countDropped(
  { dialect, query }: MergeWarehouse,
  {
    request,
    stage,
    drop,
  }: { readonly request: SinkRequest; readonly stage: string; readonly drop: MergeStatement },
): Promise<number> {
  const { table } = request;
  const same = table.key.map((name) => `s.${dialect.quoted(name)} = t.${dialect.quoted(name)}`).join(" AND ");
  const [row] = await query<{ count: number | string }>({
    sql: `SELECT COUNT(*) AS ${dialect.quoted("count")} FROM ${dialect.table(table.name)} AS t WHERE (${drop.sql})
      AND NOT EXISTS (SELECT 1 FROM ${dialect.table(stage)} AS s WHERE ${same})`,
    values: drop.values ?? [],
  });
  return Number(row?.count ?? 0);
}

async function* readTable(
  open: (signal: AbortSignal) => Promise<MergeWarehouse>,
  request: Pick<SinkRequest, "table" | "export" | "signal"> & { readonly days?: DayRange },
): AsyncGenerator<RowBatch> {
  const warehouse = await open(request.signal);
  const { dialect } = warehouse;
  const { table, days } = request;
  try {
    const held = await warehouse.columns(table.name);
    if (held === undefined) return;
    const hasRecords = (await warehouse.columns(mergeRecords)) !== undefined;
    const record = hasRecords ? await readRecord(warehouse, table.name) : undefined;
    if (record === undefined || record.export !== request.export) throw foreignTable(request, record?.export);
    const columns = table.columns.filter(({ name, type }) => held.get(name) === dialect.types[type]);
    const list = columns.map(({ name }) => dialect.quoted(name)).join(", ");
    const rows = await warehouse.query<Row>({
      sql: `SELECT ${list} FROM ${dialect.table(table.name)}${days === undefined ? "" : ` WHERE ${within(dialect, table)}`}`,
      values: days === undefined ? [] : daysOf(table, days),
    });
    yield createRowBatch(
      columns,
      rows.map((row) => warehouse.decode(columns, row)),
    );
  } finally {
    await warehouse.close();
  }
}
