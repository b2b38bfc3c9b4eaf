import { foreignTable, settleColumns } from "deskbridge/sdk";
import type { Column, SinkPosition, SinkRequest, SinkTable, SinkWriter } from "deskbridge/sdk";
import { listed, namesOf, own, quoted, typeIn } from "./column.ts";
import type { Names } from "./column.ts";
import { currentRecord, note, prepareRecords, readRecords } from "./record.ts";
import type { ExportRecord } from "./record.ts";
import type { Server } from "./server.ts";

/** A table that is ready to be written to. */
export interface OpenTable {
  readonly names: Names;
  readonly position: SinkPosition | undefined;
  readonly written: readonly Column[];
  readonly leftOut: SinkWriter["leftOut"];
  /** The greatest version that was ever given. */
  readonly version: number;
}

/** What is in the database under the names of a table. */
export interface FoundTable {
  /** Types of the columns of the table of rows; undefined where there is none. */
  readonly held: ReadonlyMap<string, string> | undefined;
  /** Whether something of the view's name is there that is not the view. */
  readonly isTaken: boolean;
  readonly hasView: boolean;
}

/** Makes the tables where they are missing, or holds those that are there against what is exported. */
export async function openTable(server: Server, database: string, request: SinkRequest): Promise<OpenTable> {
  const { table } = request;
  const names = namesOf(database, table.name);
  await prepareRecords(server, quoted(database), names);
  const records = await readRecords(server, names, table.name);
  const found = await findTable(server, database, names, table);
  requireOurs(found, records, request);
  const version = records[0]?.version ?? 0;
  if (found.held === undefined) return await makeTable(server, names, request, version + 1);
  const settled = await settle(server, names, request, { held: found.held, records, version });
  if (!found.hasView || settled.isChanged) await makeView(server, names, table.name);
  return { ...settled.open, names };
}

export async function findTable(
  server: Server,
  database: string,
  names: Names,
  table: SinkTable,
): Promise<FoundTable> {
  const columns = await server.query<{ name: string; type: string }>(
    "SELECT name, type FROM system.columns WHERE database = {database: String} AND table = {table: String}",
    { database, table: names.rowsName },
  );
  const [view] = await server.query<{ engine: string; as_select: string }>(
    "SELECT engine, as_select FROM system.tables WHERE database = {database: String} AND name = {table: String}",
    { database, table: table.name },
  );
  const hasView = view?.engine === "View" && view.as_select.includes(names.rowsName);
  return {
    held: columns.length === 0 ? undefined : new Map(columns.map(({ name, type }) => [name, type])),
    isTaken: view !== undefined && !hasView,
    hasView,
  };
}

/** Throws `sink_table_foreign` for a table that this export did not make. */
export function requireOurs(
  { held, isTaken }: FoundTable,
  records: readonly ExportRecord[],
  request: Pick<SinkRequest, "table" | "export">,
): void {
  const owner = records[0]?.export;
  if (isTaken || (held !== undefined && (owner === undefined || !held.has(own.run))))
    throw foreignTable(request);
  if (owner !== undefined && owner !== request.export) throw foreignTable(request, owner);
}

async function makeTable(
  server: Server,
  names: Names,
  request: SinkRequest,
  version: number,
): Promise<OpenTable> {
  const { table } = request;
  const typeOf = typeIn(table);
  const columns = table.columns.map((column) => `${quoted(column.name)} ${typeOf(column)}`);
  const ours = [`${own.run} UInt64`, `${own.version} UInt64`, `${own.deleted} UInt8`];
  const indexes = [
    `INDEX day_index ${quoted(table.day)} TYPE minmax`,
    `INDEX version_index ${own.version} TYPE minmax`,
  ];
  // What was noted of a table that is there no more has no effect on the new one.
  await note(server, names, request, { position: undefined, filled: [], version, firstVersion: undefined });
  // Without partitions, so that a whole chunk comes in by one step.
  await server.run(
    `CREATE TABLE ${names.rows} (${[...columns, ...ours, ...indexes].join(", ")})
     ENGINE = ReplacingMergeTree(${own.version}, ${own.deleted}) ORDER BY (${listed(table.key)})`,
  );
  await makeView(server, names, table.name);
  return { names, position: undefined, written: table.columns, leftOut: [], version };
}

/** The view shows the latest version of each row, without those that are gone and without the sink's own columns. */
async function makeView(server: Server, names: Names, table: string): Promise<void> {
  await server.run(
    `CREATE OR REPLACE VIEW ${names.view} AS SELECT * EXCEPT (${Object.values(own).join(", ")}) FROM ${names.rows} FINAL
     COMMENT 'The rows of ${names.rowsName} as they are now. ${table} is kept by deskbridge.'`,
  );
}

interface Held {
  readonly held: ReadonlyMap<string, string>;
  readonly records: readonly ExportRecord[];
  readonly version: number;
}

async function settle(
  server: Server,
  names: Names,
  request: SinkRequest,
  { held, records, version }: Held,
): Promise<{ readonly open: Omit<OpenTable, "names">; readonly isChanged: boolean }> {
  const { table } = request;
  const typeOf = typeIn(table);
  const { written, missing, leftOut } = settleColumns(request, held, typeOf);
  const record = await currentRecord(server, names, records);
  if (missing.length === 0) {
    const isFilled = written.every(({ name }) => record?.filled.includes(name));
    return {
      open: { position: isFilled ? record?.position : undefined, written, leftOut, version },
      isChanged: leftOut.length > 0,
    };
  }
  const lacking = new Set(missing.map(({ name }) => name));
  const filled = (record?.filled ?? []).filter((name) => !lacking.has(name));
  // Noted first: a column that was added without a note would be taken for one that all rows have.
  await note(server, names, request, {
    position: record?.position,
    filled,
    version: version + 1,
    firstVersion: undefined,
  });
  const added = missing.map((column) => `ADD COLUMN ${quoted(column.name)} ${typeOf(column)}`);
  await server.run(`ALTER TABLE ${names.rows} ${added.join(", ")}`);
  return { open: { position: undefined, written, leftOut, version: version + 1 }, isChanged: true };
}
