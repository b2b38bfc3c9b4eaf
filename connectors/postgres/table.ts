import { foreignTable, runColumn, settleColumns } from "deskbridge/sdk";
import type { Column, SinkPosition, SinkRequest, SinkWriter } from "deskbridge/sdk";
import { definition, quoted, sqlTypes } from "./column.ts";
import { makeTable, mayBeMadeLater } from "./new-table.ts";
import { lockRecord, noteNewTable, noteUnfilled, prepareRecords } from "./record.ts";
import type { ExportRecord } from "./record.ts";
import type { Session } from "./session.ts";
import { isEmptyTable } from "./straight.ts";

/** A table that is ready to be written to. */
export interface OpenTable {
  readonly position: SinkPosition | undefined;
  /** The columns that are written. */
  readonly written: readonly Column[];
  readonly leftOut: SinkWriter["leftOut"];
  /** `missing` where its first commit is to make it; into one that is empty, the rows of a first load can be copied straight. */
  readonly state: "missing" | "empty" | "filled";
}

/** Notes a table that is missing as this export's, or holds the one that is there against what is exported. Nothing is changed when it throws. */
export async function openTable(session: Session, schema: string, request: SinkRequest): Promise<OpenTable> {
  return await session.transaction(async () => {
    await prepareRecords(session, schema);
    const { table } = request;
    const name = `${quoted(schema)}.${quoted(table.name)}`;
    const record = await lockRecord(session, schema, table.name);
    const held = await columnsOf(session, schema, table.name);
    if (held === undefined) {
      requireOwner(record, request);
      await noteNewTable(session, schema, table, request.export);
      const isLater = await mayBeMadeLater(session);
      if (!isLater) await makeTable(session, name, table);
      return {
        position: undefined,
        written: table.columns,
        leftOut: [],
        state: isLater ? "missing" : "empty",
      };
    }
    requireOurs(record, held, request);
    const settled = await settle(session, schema, request, { record, held });
    // A table that stands somewhere may be large, and its rows are there.
    const isEmpty = settled.position === undefined && (await isEmptyTable(session, name));
    return { ...settled, state: isEmpty ? "empty" : "filled" };
  });
}

/** Types of the columns of a table, or whatever else has its name; undefined when there is nothing. */
export async function columnsOf(
  session: Session,
  schema: string,
  table: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const rows = await session.query<{ name: string | null; type: string | null; kind: string }>(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, c.relkind AS kind
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, table],
  );
  if (rows.length === 0) return undefined;
  // A view or an index of that name has no column of ours and is refused for that.
  const isTable = rows.every(({ kind }) => kind === "r" || kind === "p");
  return new Map(
    isTable ? rows.flatMap(({ name, type }) => (name === null ? [] : [[name, type ?? ""]])) : [],
  );
}

function requireOwner(
  record: ExportRecord | undefined,
  request: Pick<SinkRequest, "table" | "export">,
): void {
  if (record !== undefined && record.export !== request.export) throw foreignTable(request, record.export);
}

/** Throws `sink_table_foreign` for a table that this export did not make. */
export function requireOurs(
  record: ExportRecord | undefined,
  held: ReadonlyMap<string, string>,
  request: Pick<SinkRequest, "table" | "export">,
): asserts record is ExportRecord {
  if (record === undefined || !held.has(runColumn)) throw foreignTable(request);
  requireOwner(record, request);
}

interface Held {
  readonly record: ExportRecord;
  readonly held: ReadonlyMap<string, string>;
}

async function settle(
  session: Session,
  schema: string,
  request: SinkRequest,
  { record, held }: Held,
): Promise<Omit<OpenTable, "state">> {
  const { table } = request;
  const { written, missing, leftOut } = settleColumns(request, held, ({ type }) => sqlTypes[type]);
  if (missing.length === 0) return { position: positionOf(record, written), written, leftOut };
  const added = missing.map((column) => `ADD COLUMN ${definition(column)}`);
  await session.query(`ALTER TABLE ${quoted(schema)}.${quoted(table.name)} ${added.join(", ")}`);
  const names = missing.map(({ name }) => name);
  await noteUnfilled(session, schema, table.name, names);
  return { position: undefined, written, leftOut };
}

function positionOf(record: ExportRecord, written: readonly Column[]): SinkPosition | undefined {
  return written.every(({ name }) => record.filled.includes(name)) ? record.position : undefined;
}
