import { AppError } from "../../src/errors.ts";
import type { Column } from "../../src/model/dataset.ts";
import { createRowBatch } from "../../src/sdk/row-batch.ts";
import type { Row, RowChange } from "../../src/sdk/row-batch.ts";
import type {
  CommitReceipt,
  CommitRequest,
  Sink,
  SinkPosition,
  SinkRequest,
  SinkTable,
  SinkWriter,
} from "../../src/sdk/sink.ts";
import type { SinkFixture } from "../../src/sdk/testing/index.ts";

/** One way in which a sink can be wrong. */
export type SinkFault =
  | "publishes at once"
  | "publishes half of a commit"
  | "keeps what was aborted"
  | "keeps what was not committed"
  | "lets the first change win"
  | "forgets deletions"
  | "never drops"
  | "drops rows of the run itself"
  | "drops rows that were written unchanged"
  | "drops a day too many"
  | "takes empty text for null"
  | "trims text"
  | "loses microseconds"
  | "keeps what a row lacks"
  | "moves its position early"
  | "takes any table"
  | "goes on when it is aborted"
  | "does not mind being overtaken"
  | "counts nothing"
  | "keeps its position when a column is new"
  | "drops columns that are not its own"
  | "takes another export's table"
  | "converts what was retyped";

interface HeldRow {
  readonly row: Row;
  readonly run: number;
}

interface HeldTable {
  owner: string | undefined;
  columns: Map<string, Column["type"] | "theirs">;
  /** Columns that every row has. */
  filled: ReadonlySet<string>;
  rows: Map<string, HeldRow>;
  position: SinkPosition | undefined;
}

type Tables = Map<string, HeldTable>;

const newTable = (owner: string | undefined): HeldTable => ({
  owner,
  columns: new Map(),
  filled: new Set(),
  rows: new Map(),
  position: undefined,
});

/** A warehouse in memory with one fault or none, to tell whether the suite sees it. */
export function memorySinkFixture(fault?: SinkFault): SinkFixture {
  const tables: Tables = new Map();
  return {
    sink: createSink(tables, fault),
    rows: async (table) => {
      const held = tables.get(table.name);
      return [...(held?.rows.values() ?? [])].map(({ row }) => cutTo(table.columns, row));
    },
    stranger: {
      addColumn: async (table, column) => void tables.get(table.name)?.columns.set(column, "theirs"),
      dropColumn: async (table, column) => {
        const held = tables.get(table.name);
        if (held?.columns.delete(column) !== true) throw new Error(`there is no column ${column}`);
        for (const [key, { row, run }] of held.rows)
          held.rows.set(key, { row: { ...row, [column]: null }, run });
      },
      retypeColumn: async (table, column) => void tables.get(table.name)?.columns.set(column, "theirs"),
      makeTable: async (name) => {
        tables.set(name, { ...newTable(undefined), rows: new Map([["1", { row: { theirs: 1 }, run: 0 }]]) });
        return async () =>
          JSON.stringify([...(tables.get(name)?.rows ?? []), ...(tables.get(name)?.columns ?? [])]);
      },
    },
    close: async () => tables.clear(),
  };
}

function createSink(tables: Tables, fault: SinkFault | undefined): Sink {
  return {
    open: async (request) => openWriter(tables, request, fault),
    async *read({ table, days }) {
      const held = [...(tables.get(table.name)?.rows.values() ?? [])].map(({ row }) => row);
      const wanted = held.filter((row) => days === undefined || isWithin(row, table, days));
      yield createRowBatch(
        table.columns,
        wanted.map((row) => cutTo(table.columns, row)),
      );
    },
  };
}

function openWriter(tables: Tables, request: SinkRequest, fault: SinkFault | undefined): SinkWriter {
  const { table } = request;
  const held = tables.get(table.name) ?? newTable(request.export);
  requireOwner(held, request, fault);
  const leftOut = settleColumns(held, request, fault);
  tables.set(table.name, held);
  const written = table.columns.filter(({ name }) => !leftOut.some(({ column }) => column === name));
  const isWhole =
    written.every(({ name }) => held.filled.has(name)) || fault === "keeps its position when a column is new";
  let staged: RowChange[] = [];
  const publish = (commit: CommitRequest, changes = staged): CommitReceipt => {
    if (fault !== "goes on when it is aborted") request.signal.throwIfAborted();
    if ((held.position?.run ?? 0) > request.run && fault !== "does not mind being overtaken")
      throw new AppError("lease_lost", "A later run has committed.");
    const receipt = applyChanges(held, request, written, changes, fault);
    const dropped = dropOld(held, request, commit, fault);
    held.filled = new Set(written.map(({ name }) => name));
    held.position = { run: request.run, watermark: commit.watermark };
    staged = [];
    return fault === "counts nothing"
      ? { ...receipt, inserted: 0, updated: 0 }
      : { ...receipt, deleted: receipt.deleted + dropped };
  };
  return {
    keepsPosition: true,
    position: isWhole ? held.position : undefined,
    leftOut,
    write: async (change) => {
      if (fault !== "goes on when it is aborted") request.signal.throwIfAborted();
      staged.push(change);
      if (fault === "moves its position early") held.position = { run: request.run, watermark: "early" };
      if (fault === "publishes at once") applyChanges(held, request, written, [change], fault);
    },
    commit: async (commit) =>
      publish(commit, fault === "publishes half of a commit" ? staged.slice(0, 1) : staged),
    abort: async () => {
      if (fault !== "keeps what was aborted") staged = [];
    },
    close: async () => {
      if (fault === "keeps what was not committed" && staged.length > 0) publish({ watermark: "closed" });
    },
  };
}

function requireOwner(held: HeldTable, request: SinkRequest, fault: SinkFault | undefined): void {
  if (held.owner === request.export || fault === "takes any table") return;
  if (held.owner !== undefined && fault === "takes another export's table") return;
  throw new AppError("sink_table_foreign", `The table ${request.table.name} is somebody else's.`);
}

function settleColumns(
  held: HeldTable,
  { table, onSchemaChange }: SinkRequest,
  fault: SinkFault | undefined,
): SinkWriter["leftOut"] {
  if (held.columns.size === 0) held.columns = new Map(table.columns.map(({ name, type }) => [name, type]));
  if (fault === "drops columns that are not its own") {
    for (const [name] of held.columns)
      if (!table.columns.some((column) => column.name === name)) held.columns.delete(name);
  }
  const misfits = table.columns.filter(({ name, type }) => held.columns.get(name) !== type);
  const needed = misfits.find(({ name }) => table.key.includes(name) || name === table.day);
  const retyped = misfits.find(({ name }) => held.columns.has(name));
  const cannot = onSchemaChange === "fail" ? misfits[0] : onSchemaChange === "evolve" ? retyped : undefined;
  const refused = needed ?? (fault === "converts what was retyped" ? undefined : cannot);
  if (refused !== undefined)
    throw new AppError("sink_schema_changed", `The column ${refused.name} does not fit.`);
  if (onSchemaChange === "freeze")
    return misfits.map(({ name }) => ({ column: name, reason: "the table does not have it" }));
  for (const { name, type } of misfits) held.columns.set(name, type);
  held.filled = new Set([...held.filled].filter((name) => !misfits.some((column) => column.name === name)));
  return [];
}

function applyChanges(
  held: HeldTable,
  { table, run }: SinkRequest,
  written: readonly Column[],
  changes: readonly RowChange[],
  fault: SinkFault | undefined,
): CommitReceipt {
  const before = new Set(held.rows.keys());
  const touched = new Map<string, "upsert" | "delete">();
  for (const { kind, batch } of changes) {
    for (const row of batch.rows()) {
      const key = JSON.stringify(table.key.map((name) => row[name]));
      if (fault === "lets the first change win" && touched.has(key)) continue;
      touched.set(key, kind);
      const old = held.rows.get(key);
      if (kind === "delete" && fault !== "forgets deletions") held.rows.delete(key);
      if (kind === "upsert") held.rows.set(key, heldRow(cutTo(written, row), old, run, fault));
    }
  }
  const kept = [...touched].filter(([, kind]) => kind === "upsert").map(([key]) => key);
  const updated = kept.filter((key) => before.has(key)).length;
  const deleted = [...touched].filter(([key, kind]) => kind === "delete" && before.has(key)).length;
  return { inserted: kept.length - updated, updated, deleted, bytes: changes.length };
}

function heldRow(row: Row, old: HeldRow | undefined, run: number, fault: SinkFault | undefined): HeldRow {
  const same = old !== undefined && JSON.stringify(old.row) === JSON.stringify(row);
  if (fault === "drops rows that were written unchanged" && same) return old;
  const values = Object.entries(row).map(([name, value]) => [name, damaged(name, value, fault)]);
  const merged = Object.fromEntries(values) as Row;
  if (fault !== "keeps what a row lacks" || old === undefined) return { row: merged, run };
  const filled = Object.entries(merged).filter(([, value]) => value !== null);
  return { row: { ...old.row, ...Object.fromEntries(filled) }, run };
}

function damaged(name: string, value: unknown, fault: SinkFault | undefined): unknown {
  if (typeof value !== "string") return value;
  if (fault === "takes empty text for null" && name === "text" && value === "") return null;
  if (fault === "trims text" && name === "text") return value.trim();
  if (fault === "loses microseconds" && name.endsWith("_at")) return value.replace(/(\.\d{3})\d+Z/, "$1Z");
  return value;
}

function dropOld(
  held: HeldTable,
  { table, run }: SinkRequest,
  commit: CommitRequest,
  fault: SinkFault | undefined,
): number {
  if (fault === "never drops") return 0;
  const days = commit.dropOlderThanIn;
  const slack = fault === "drops rows of the run itself" ? 1 : 0;
  const until = fault === "drops a day too many" ? "9999-12-31" : (days?.until ?? "");
  const old = [...held.rows].filter(
    ([, one]) =>
      (commit.dropOlderThan !== undefined && one.run < commit.dropOlderThan + slack) ||
      (days !== undefined && one.run < run && isWithin(one.row, table, { ...days, until })),
  );
  for (const [key] of old) held.rows.delete(key);
  return old.length;
}

function isWithin(
  row: Row,
  table: SinkTable,
  days: { readonly from: string; readonly until: string },
): boolean {
  const day = String(row[table.day]).slice(0, 10);
  return day >= days.from && day < days.until;
}

function cutTo(columns: readonly Column[], row: Row): Row {
  return Object.fromEntries(columns.map(({ name }) => [name, row[name] ?? null]));
}
