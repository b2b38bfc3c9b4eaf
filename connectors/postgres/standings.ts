import { runColumn } from "deskbridge/sdk";
import type { SinkPosition, SinkRequest } from "deskbridge/sdk";
import { sqlTypes } from "./column.ts";
import type { Config } from "./config.ts";
import type { ExportRecord } from "./record.ts";
import { readRecordsOf, recordTable } from "./record.ts";
import type { Session } from "./session.ts";
import { openSession } from "./session.ts";

/** Where tables stand that are as the last run left them, in two queries on one connection; undefined for every other. */
export async function readStandings(
  config: Config,
  requests: readonly SinkRequest[],
): Promise<readonly (SinkPosition | undefined)[]> {
  const [first] = requests;
  if (first === undefined) return [];
  const session = await openSession(config, first.signal);
  try {
    const names = requests.map(({ table }) => table.name);
    const columns = await columnsOf(session, config.schema, [...names, recordTable]);
    if (!columns.has(recordTable)) return requests.map(() => undefined);
    const records = await readRecordsOf(session, config.schema, names);
    return requests.map((request) => {
      const { name } = request.table;
      return positionOf(request, columns.get(name), records.get(name));
    });
  } finally {
    await session.close();
  }
}

type Types = ReadonlyMap<string, string>;

/** Types of the columns of tables, by the tables' names. */
async function columnsOf(
  session: Session,
  schema: string,
  tables: readonly string[],
): Promise<ReadonlyMap<string, Types>> {
  const rows = await session.query<{ table: string; names: string[]; types: string[] }>(
    `SELECT c.relname AS table, array_agg(a.attname::text) AS names, array_agg(format_type(a.atttypid, a.atttypmod)) AS types
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind IN ('r', 'p') GROUP BY c.relname`,
    [schema, tables],
  );
  return new Map(
    rows.map(({ table, names, types }) => [
      table,
      new Map(names.map((name, index) => [name, types[index] ?? ""])),
    ]),
  );
}

function positionOf(
  { table, export: owner }: SinkRequest,
  held: Types | undefined,
  record: ExportRecord | undefined,
): SinkPosition | undefined {
  if (record === undefined || record.export !== owner || held?.has(runColumn) !== true) return undefined;
  const isWhole = table.columns.every(
    ({ name, type }) => held.get(name) === sqlTypes[type] && record.filled.includes(name),
  );
  return isWhole ? record.position : undefined;
}
