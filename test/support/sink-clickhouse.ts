import { createClient } from "@clickhouse/client";
import type { ClickHouseClient } from "@clickhouse/client";
import connector from "../../connectors/clickhouse/index.ts";
import type { Column, SinkTable } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import type { SinkFixture, SinkSuite, Stranger } from "../../src/sdk/testing/index.ts";
import type { ClickHouse } from "./clickhouse.ts";
import { openClickHouse } from "./clickhouse.ts";

let server: Promise<ClickHouse> | undefined;
let count = 0;

/** One engine for all cases of a file, each with a database of its own. */
export function sharedClickHouse(): Promise<ClickHouse> {
  server ??= openClickHouse();
  return server;
}

export async function closeSharedClickHouse(): Promise<void> {
  await (await server)?.close();
  server = undefined;
}

/** The ClickHouse sink on the real engine. */
export const clickhouseSuite: SinkSuite = {
  name: "clickhouse",
  open: async () => {
    const engine = await sharedClickHouse();
    count += 1;
    return await clickhouseFixture(engine, `support_${count}`);
  },
  without: {
    "all times": "its `Date32` ends with the years 1900 and 2299, and a day beyond is held as the nearest",
  },
};

async function clickhouseFixture(
  { close: _close, ...engine }: ClickHouse,
  database: string,
): Promise<SinkFixture> {
  const client = createClient(engine);
  const reopen = async () => {
    const { sink } = await connector.open(
      connector.config.parse({ ...engine, database }),
      createTestContext(),
    );
    if (sink === undefined) throw new Error("the connector offers no sink");
    return sink;
  };
  return {
    sink: await reopen(),
    reopen,
    rows: (table) => readRows(client, database, table),
    stranger: stranger(client, database),
    close: async () => {
      await client.command({ query: `DROP DATABASE IF EXISTS ${database}` });
      await client.close();
    },
  };
}

function stranger(client: ClickHouseClient, database: string): Stranger {
  const alter = async ({ name }: SinkTable, change: string): Promise<void> => {
    await client.command({ query: `ALTER TABLE ${database}._deskbridge_${name} ${change}` });
  };
  return {
    addColumn: (table, column) => alter(table, `ADD COLUMN ${column} Nullable(String)`),
    // A column of the day goes with its index only.
    dropColumn: (table, column) =>
      alter(table, `${column === table.day ? "DROP INDEX day_index, " : ""}DROP COLUMN \`${column}\``),
    retypeColumn: async (table, column) => {
      await alter(table, `DROP COLUMN \`${column}\``);
      await alter(table, `ADD COLUMN \`${column}\` Array(String)`);
    },
    makeTable: async (name) => {
      await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` });
      await client.command({
        query: `CREATE TABLE ${database}.${name} (theirs String) ENGINE = MergeTree ORDER BY theirs AS SELECT 'a' AS theirs`,
      });
      return async () =>
        (await client.query({ query: `SELECT * FROM ${database}.${name}`, format: "TabSeparated" })).text();
    },
  };
}

async function readRows(
  client: ClickHouseClient,
  database: string,
  table: SinkTable,
): Promise<Record<string, unknown>[]> {
  const ask = async <R>(query: string): Promise<R[]> =>
    await (await client.query({ query, format: "JSONEachRow" })).json<R>();
  const held = await ask<{ name: string }>(
    `SELECT name FROM system.columns WHERE database = '${database}' AND table = '_deskbridge_${table.name}'`,
  );
  const columns = table.columns.filter(({ name }) => held.some((one) => one.name === name));
  if (columns.length === 0) return [];
  const text = ({ name, type }: Column): string =>
    type === "string" || type === "json" ? `\`${name}\`` : `toString(\`${name}\`)`;
  const list = columns.map((column, index) => `${text(column)} AS c${index}`).join(", ");
  const rows = await ask<Record<string, string | null>>(`SELECT ${list} FROM ${database}.${table.name}`);
  return rows.map((row) =>
    Object.fromEntries(
      table.columns.map((column) => [column.name, valueOf(column, row[`c${columns.indexOf(column)}`])]),
    ),
  );
}

function valueOf({ type }: Column, text: string | null | undefined): unknown {
  if (text === null || text === undefined) return null;
  if (type === "integer" || type === "number") return Number(text);
  if (type === "boolean") return text === "true";
  if (type === "json") return JSON.parse(text) as unknown;
  if (type === "timestamp") return `${text.replace(" ", "T").replace(/\.?0*$/, "")}Z`;
  return text;
}
