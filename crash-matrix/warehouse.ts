import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { DuckDBValue } from "@duckdb/node-api";
import pg from "pg";
import type { SinkKind } from "./setting.ts";
import { lakeSchema } from "./setting.ts";

/** A row as it is compared: what tells it from others, and what it says. */
export interface PlainRow {
  readonly key: string;
  readonly value: string;
}

/** The warehouse of a run, read as anybody would, without deskbridge. */
export interface Warehouse {
  readonly rows: (table: string, key: string, values: readonly string[]) => Promise<readonly PlainRow[]>;
  readonly close: () => Promise<void>;
}

/** Opens the warehouse of a run. Instants are told in microseconds since the epoch, so that all kinds say the same. */
export async function openWarehouse(
  kind: SinkKind,
  databaseUrl: string,
  dataDir: string,
): Promise<Warehouse> {
  return kind === "postgres" ? openTables(databaseUrl) : openFiles(join(dataDir, "lake"));
}

async function openTables(databaseUrl: string): Promise<Warehouse> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const valueOf = (column: string): string =>
    column.endsWith("_at") ? `(extract(epoch from ${column}) * 1000000)::bigint` : column;
  return {
    rows: async (table, key, values) => {
      const value = `concat_ws('|', ${values.map(valueOf).join(", ")})`;
      const text = `select ${key}::text as key, ${value} as value from ${lakeSchema}.${table}`;
      return (await client.query<PlainRow>(text)).rows;
    },
    close: () => client.end(),
  };
}

async function openFiles(folder: string): Promise<Warehouse> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const valueOf = (column: string): string => (column.endsWith("_at") ? `epoch_us(${column})` : column);
  return {
    rows: async (table, key, values) => {
      const value = `concat_ws('|', ${values.map(valueOf).join(", ")})`;
      const files = `'${join(folder, table, "**/*.parquet").replaceAll("'", "''")}'`;
      const reader = await connection.runAndReadAll(
        `select ${key}::varchar as key, ${value} as value from read_parquet(${files})`,
      );
      return reader.getRows().map(([key, value]) => ({ key: textOf(key), value: textOf(value) }));
    },
    close: async () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

function textOf(value: DuckDBValue | undefined): string {
  return typeof value === "string" ? value : "";
}
