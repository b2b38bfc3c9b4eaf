import { DuckDBInstance } from "@duckdb/node-api";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import duckdb from "../../connectors/duckdb/index.ts";
import type { Connection } from "../../src/sdk/connector.ts";
import { canonicalBatch, readableColumns } from "../../src/sdk/files/readable-rows.ts";
import type { Row } from "../../src/sdk/row-batch.ts";
import type { Sink } from "../../src/sdk/sink.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import type { SinkFixture, SinkSuite } from "../../src/sdk/testing/index.ts";

/** A sink on a database file, as a process has it. */
export function openDuckdbSink(path: string, schema = "support"): Sink {
  const { sink } = duckdb.open(duckdb.config.parse({ path, schema }), createTestContext()) as Connection;
  if (sink === undefined) throw new Error("the connector offers no sink");
  return sink;
}

/** Runs statements in the database file as somebody else would; gives back the rows of the last. */
export async function inDatabase(path: string, ...statements: readonly string[]): Promise<Row[]> {
  const instance = await DuckDBInstance.create(path, { threads: "1" });
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    let rows: Row[] = [];
    for (const statement of statements) rows = (await connection.runAndReadAll(statement)).getRowObjectsJS();
    return rows;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

export const duckdbSuite: SinkSuite = {
  name: "duckdb",
  open: async (): Promise<SinkFixture> => {
    const folder = await mkdtemp(join(tmpdir(), "deskbridge-duckdb-"));
    const path = join(folder, "warehouse.duckdb");
    const sqlName = (table: string): string => `support."${table}"`;
    return {
      sink: openDuckdbSink(path),
      reopen: () => openDuckdbSink(path),
      rows: async (table) => {
        if (!existsSync(path)) return [];
        const columns = await inDatabase(
          path,
          `SELECT column_name FROM duckdb_columns() WHERE table_name = '${table.name}'`,
        );
        if (columns.length === 0) return [];
        const held = new Set(columns.map((row) => String(row["column_name"])));
        const rows = await inDatabase(
          path,
          `SELECT ${readableColumns(table.columns, held)} FROM ${sqlName(table.name)}`,
        );
        return canonicalBatch(table.columns, rows).rows();
      },
      stranger: {
        addColumn: async (table, column) =>
          void (await inDatabase(path, `ALTER TABLE ${sqlName(table.name)} ADD COLUMN "${column}" VARCHAR`)),
        dropColumn: async (table, column) =>
          void (await inDatabase(path, `ALTER TABLE ${sqlName(table.name)} DROP COLUMN "${column}"`)),
        retypeColumn: async (table, column) =>
          void (await inDatabase(
            path,
            `ALTER TABLE ${sqlName(table.name)} ALTER COLUMN "${column}" TYPE VARCHAR[] USING NULL`,
          )),
        makeTable: async (name) => {
          await inDatabase(
            path,
            "CREATE SCHEMA support",
            `CREATE TABLE ${sqlName(name)} AS SELECT 'theirs' AS text`,
          );
          return async () => JSON.stringify(await inDatabase(path, `SELECT * FROM ${sqlName(name)}`));
        },
      },
      close: () => rm(folder, { recursive: true, force: true }),
    };
  },
};
