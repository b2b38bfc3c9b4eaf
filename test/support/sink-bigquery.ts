import connector from "../../connectors/bigquery/index.ts";
import { canonicalTimestamp } from "../../src/sdk/index.ts";
import type { Column, SinkTable } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import type { SinkSuite, Stranger } from "../../src/sdk/testing/index.ts";
import { openBigQueryStub } from "./bigquery-stub.ts";
import type { Engine } from "./duckdb-engine.ts";

const dataset = "support";

/** The BigQuery sink on a stub: the official client and the statements are real, the warehouse is not. */
export const bigquerySuite: SinkSuite = {
  name: "bigquery (on a stub)",
  open: async () => {
    const stub = await openBigQueryStub();
    const reopen = async () => {
      const settings = connector.config.parse({ project: "acme-analytics", dataset, apiUrl: stub.url });
      const { sink } = await connector.open(settings, createTestContext());
      if (sink === undefined) throw new Error("the connector offers no sink");
      return sink;
    };
    return {
      sink: await reopen(),
      reopen,
      rows: (table) => engineRows(stub.engine, dataset, table),
      stranger: engineStranger(stub.engine, dataset),
      close: stub.close,
    };
  },
};

/** What somebody else does to the tables that an engine keeps for a stub. */
export function engineStranger(engine: Engine, schema: string): Stranger {
  const alter = async ({ name }: SinkTable, change: string): Promise<void> => {
    await engine.run(`ALTER TABLE "${schema}"."${name}" ${change}`);
  };
  return {
    addColumn: (table, column) => alter(table, `ADD COLUMN "${column}" VARCHAR`),
    dropColumn: (table, column) => alter(table, `DROP COLUMN "${column}"`),
    retypeColumn: (table, column) => alter(table, `ALTER COLUMN "${column}" TYPE VARCHAR[] USING NULL`),
    makeTable: async (name) => {
      await engine.run(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
      await engine.run(`CREATE TABLE "${schema}"."${name}" AS SELECT 'a' AS theirs`);
      return async () => JSON.stringify((await engine.run(`SELECT * FROM "${schema}"."${name}"`)).rows);
    },
  };
}

export async function engineRows(
  engine: Engine,
  schema: string,
  table: SinkTable,
): Promise<Record<string, unknown>[]> {
  const held = await engine.run(
    "SELECT column_name FROM information_schema.columns WHERE table_schema = ? AND table_name = ?",
    [schema, table.name],
  );
  const columns = table.columns.filter(({ name }) => held.rows.some(([found]) => found === name));
  if (columns.length === 0) return [];
  const text = ({ name, type }: Column): string => {
    if (type === "timestamp") return `strftime("${name}" AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')`;
    // The engine's driver takes a byte order mark at the beginning of a text away.
    return type === "string" ? `to_json("${name}")::VARCHAR` : `"${name}"`;
  };
  const { rows } = await engine.run(
    `SELECT ${columns.map(text).join(", ")} FROM "${schema}"."${table.name}"`,
  );
  return rows.map((row) =>
    Object.fromEntries(
      table.columns.map((column) => {
        const index = columns.indexOf(column);
        return [column.name, index === -1 ? null : valueOf(column, row[index] ?? null)];
      }),
    ),
  );
}

function valueOf({ type }: Column, text: string | null): unknown {
  if (text === null) return null;
  if (type === "integer" || type === "number") return Number(text);
  if (type === "boolean") return text === "true";
  if (type === "json" || type === "string") return JSON.parse(text) as unknown;
  return type === "timestamp" ? canonicalTimestamp(text) : text;
}
