import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { DuckDBInstance } from "@duckdb/node-api";

/** What a statement gave, every value as text. */
export interface EngineResult {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/**
 * Runs the SQL that a sink makes for a warehouse which cannot be had here, so that at least the meaning of its statements is tested. It is DuckDB, which knows
 * `MERGE`, `QUALIFY` and transactions as they do; what is written otherwise there is translated by the stub.
 */
export interface Engine {
  readonly run: (sql: string, values?: readonly DuckDBValue[]) => Promise<EngineResult>;
  /** Appends lines of JSON to a table, by its columns. */
  readonly load: (
    table: string,
    columns: readonly { readonly name: string; readonly type: string }[],
    lines: string,
  ) => Promise<void>;
  readonly close: () => void;
}

export async function openEngine(): Promise<Engine> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  const folder = mkdtempSync(join(tmpdir(), "deskbridge-engine-"));
  let last: Promise<unknown> = Promise.resolve();
  // One after the other, as one session takes them.
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const turn = last.catch(() => undefined).then(run);
    last = turn;
    return turn;
  };
  return {
    run: (sql, values = []) => inTurn(() => runOne(connection, sql, values)),
    load: (table, columns, lines) =>
      inTurn(() => loadLines(connection, join(folder, "load.json"), { table, columns, lines })),
    close: () => {
      connection.closeSync();
      instance.closeSync();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function runOne(
  connection: DuckDBConnection,
  sql: string,
  values: readonly DuckDBValue[],
): Promise<EngineResult> {
  const reader = await connection.runAndReadAll(sql, [...values]);
  const names = reader.columnNames();
  const types = reader.columnTypes().map(String);
  const rows = reader.getRows().map((row) => row.map((value) => textOf(value)));
  return { columns: names.map((name, index) => ({ name, type: types[index] ?? "" })), rows };
}

function textOf(value: DuckDBValue): string | null {
  // Infinity apart, JavaScript writes a double so that it is read back as the same; the driver's own values have a text each.
  return value === null ? null : (value as { readonly toString: () => string }).toString();
}

async function loadLines(
  connection: DuckDBConnection,
  file: string,
  {
    table,
    columns,
    lines,
  }: { table: string; columns: readonly { name: string; type: string }[]; lines: string },
): Promise<void> {
  writeFileSync(file, lines);
  const form = columns.map(({ name, type }) => `"${name}": '${type}'`).join(", ");
  const list = columns.map(({ name }) => `"${name}"`).join(", ");
  await connection.run(
    `INSERT INTO ${table} (${list}) SELECT ${list} FROM read_json('${file}', columns = {${form}}, format = 'newline_delimited', maximum_object_size = 100000000)`,
  );
}
