import { canonicalTimestamp } from "deskbridge/sdk";
import type { Column, ColumnType, MergeDialect, MergeStatement, MergeWarehouse, Row } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { createLoader } from "./load.ts";
import { openSession } from "./session.ts";
import type { Session } from "./session.ts";

/** As the service's catalogue names them. */
const types: Readonly<Record<ColumnType, string>> = {
  string: "TEXT",
  integer: "NUMBER",
  number: "FLOAT",
  boolean: "BOOLEAN",
  timestamp: "TIMESTAMP_TZ",
  date: "DATE",
  json: "VARIANT",
};

function dialectOf({ schema }: Config): MergeDialect {
  const quoted = (name: string): string => `"${name}"`;
  return {
    quoted,
    table: (name) => `${quoted(schema)}.${quoted(name)}`,
    types,
    boolean: types.boolean,
    integer: types.integer,
    text: types.string,
    // Gone with the session, also where the process dies.
    stageTable: "TEMPORARY TABLE",
  };
}

/** Signs in to the account, for one run. */
export async function openWarehouse(config: Config, signal: AbortSignal): Promise<MergeWarehouse> {
  const session = await openSession(config, signal);
  const dialect = dialectOf(config);
  const { ask } = session;
  return {
    dialect,
    query: async <R extends object>({ sql, values }: MergeStatement) => (await ask(sql, values)) as R[],
    run: async (statements) => {
      for (const { sql, values } of statements) await ask(sql, values);
    },
    transaction: (statements) => runTransaction(session, statements),
    prepare: () => prepare(session, dialect, config),
    columns: (table) => readColumns(session, config, table),
    load: createLoader(session, dialect),
    decode: decodeRow,
    close: session.close,
  };
}

async function runTransaction({ ask }: Session, statements: readonly MergeStatement[]): Promise<void> {
  await ask("BEGIN TRANSACTION");
  try {
    for (const { sql, values } of statements) await ask(sql, values);
    // Where no answer comes to this, nobody knows here what became of it: the record tells the next run.
    await ask("COMMIT");
  } catch (error) {
    await ask("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** Looked for first: a role that may not make schemas is refused even where there is nothing to be made. */
async function prepare({ ask }: Session, { quoted }: MergeDialect, { schema }: Config): Promise<void> {
  const found = await ask('SELECT 1 AS "one" FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME = ?', [
    schema,
  ]);
  if (found.length === 0) await ask(`CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}`);
}

async function readColumns(
  { ask }: Session,
  { schema }: Config,
  table: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const rows = await ask(
    'SELECT COLUMN_NAME AS "name", DATA_TYPE AS "type" FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
    [schema, table],
  );
  if (rows.length === 0) return undefined;
  return new Map(rows.map(({ name, type }) => [String(name), String(type)]));
}

function decodeRow(columns: readonly Column[], row: Row): Row {
  return Object.fromEntries(columns.map(({ name, type }) => [name, decoded(type, row[name] ?? null)]));
}

interface SnowflakeDate extends Date {
  readonly getNanoSeconds: () => number;
}

/** The driver gives instants and days as dates of JavaScript, with what is finer than a millisecond beside. */
function decoded(type: ColumnType, value: unknown): unknown {
  if (!(value instanceof Date)) return value;
  const text = value.toISOString();
  if (type === "date") return text.slice(0, 10);
  const nanoseconds = "getNanoSeconds" in value ? (value as SnowflakeDate).getNanoSeconds() : 0;
  const micros = String(Math.floor(nanoseconds / 1000)).padStart(6, "0");
  return canonicalTimestamp(`${text.slice(0, 19)}.${micros}Z`);
}
