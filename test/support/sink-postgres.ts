import pg from "pg";
import postgres from "../../connectors/postgres/index.ts";
import type { Column, SinkTable } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import type { SinkFixture, SinkSuite, Stranger } from "../../src/sdk/testing/index.ts";
import { emptyDatabase } from "./postgres.ts";

const schema = "support";

/** The PostgreSQL sink on a database of its own. Only where the global setup gives a cluster. */
export const postgresSuite: SinkSuite = {
  name: "postgres",
  open: async () => {
    const database = await emptyDatabase();
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    return postgresFixture(database.url, client, async () => {
      await client.end();
      await database.drop();
    });
  },
};

async function postgresFixture(
  url: string,
  client: pg.Client,
  close: () => Promise<void>,
): Promise<SinkFixture> {
  const reopen = async () => {
    const settings = postgres.config.parse({ url, schema, lockTimeoutSeconds: 10 });
    const { sink } = await postgres.open(settings, createTestContext());
    if (sink === undefined) throw new Error("the connector offers no sink");
    return sink;
  };
  return {
    sink: await reopen(),
    reopen,
    rows: (table) => readRows(client, table),
    crash: async () => {
      await client.query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
      );
    },
    stranger: stranger(client),
    close,
  };
}

const nameOf = (table: Pick<SinkTable, "name">): string => `"${schema}"."${table.name}"`;

function stranger(client: pg.Client): Stranger {
  return {
    addColumn: async (table, column) =>
      void (await client.query(`ALTER TABLE ${nameOf(table)} ADD COLUMN "${column}" text`)),
    dropColumn: async (table, column) =>
      void (await client.query(`ALTER TABLE ${nameOf(table)} DROP COLUMN "${column}"`)),
    retypeColumn: async (table, column) => {
      const type = table.columns.some(({ name, type }) => name === column && type === "string")
        ? "bigint"
        : "text";
      await client.query(`ALTER TABLE ${nameOf(table)} ALTER COLUMN "${column}" TYPE ${type} USING NULL`);
    },
    makeTable: async (name) => {
      await client.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
      await client.query(`CREATE TABLE ${nameOf({ name })} (id text, theirs integer)`);
      await client.query(`INSERT INTO ${nameOf({ name })} VALUES ('a', 1)`);
      return async () => JSON.stringify((await client.query(`SELECT * FROM ${nameOf({ name })}`)).rows);
    },
  };
}

/** As text that PostgreSQL makes of the value, apart from what the driver or the connector make of it. */
function asText({ name, type }: Column): string {
  const column = `"${name}"`;
  if (type === "timestamp")
    return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS ${column}`;
  return `${column}::text AS ${column}`;
}

function fromText({ type }: Column, text: string | null | undefined): unknown {
  if (text === null || text === undefined) return null;
  switch (type) {
    case "integer":
    case "number":
      return Number(text);
    case "boolean":
      return text === "true";
    case "json":
      return JSON.parse(text) as unknown;
    case "timestamp":
      return `${text.replace(/\.?0*$/, "")}Z`;
    case "string":
    case "date":
      return text;
  }
}

async function readRows(client: pg.Client, table: SinkTable): Promise<Record<string, unknown>[]> {
  const { rows: there } = await client.query<{ name: string }>(
    "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2",
    [schema, table.name],
  );
  const columns = table.columns.filter(({ name }) => there.some((column) => column.name === name));
  if (columns.length === 0) return [];
  const text = `SELECT ${columns.map(asText).join(", ")} FROM ${nameOf(table)}`;
  const { rows } = await client.query<Record<string, string | null>>(text);
  return rows.map((row) =>
    Object.fromEntries(table.columns.map((column) => [column.name, fromText(column, row[column.name])])),
  );
}
