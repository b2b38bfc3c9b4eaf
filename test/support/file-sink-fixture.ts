import { DuckDBInstance } from "@duckdb/node-api";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { pino } from "pino";
import { canonicalTimestamp } from "../../src/sdk/csv.ts";
import type { FormatName } from "../../src/sdk/files/file-format.ts";
import { createFileSink } from "../../src/sdk/files/file-sink.ts";
import { createLocalFiles } from "../../src/sdk/files/local-files.ts";
import type { Row } from "../../src/sdk/row-batch.ts";
import type { Sink, SinkTable } from "../../src/sdk/sink.ts";
import type { SinkFixture, SinkSuite, Stranger } from "../../src/sdk/testing/index.ts";

const read: Readonly<Record<FormatName, (glob: string) => string>> = {
  parquet: (glob) => `read_parquet('${glob}/**/*.parquet', hive_partitioning = true)`,
  csv: (glob) =>
    `read_csv('${glob}/**/*.csv.gz', header = true, all_varchar = true, nullstr = '', allow_quoted_nulls = false, hive_partitioning = true, quote = '"', escape = '"', delim = ',', max_line_size = 20000000)`,
  jsonl: (glob) =>
    `read_json('${glob}/**/*.jsonl.gz', format = 'newline_delimited', hive_partitioning = true, sample_size = -1, maximum_object_size = 100000000)`,
};

/** What a reader with a DuckDB of its own sees of a table's files. */
export async function readFiles(format: FormatName, root: string, table: SinkTable): Promise<readonly Row[]> {
  const folder = join(root, table.name);
  if (!(await hasData(folder))) return [];
  if (format === "jsonl") return readLines(folder, table);
  return query(async (all) => {
    const source = `(SELECT * FROM ${read[format](folder)})`;
    const held = new Set((await all(`DESCRIBE ${source}`)).map((row) => String(row["column_name"])));
    const values = table.columns.map(({ name, type }) => {
      const quoted = `"${name}"`;
      if (!held.has(name)) return `NULL AS ${quoted}`;
      if (type === "timestamp")
        return `strftime(${quoted}::TIMESTAMPTZ, '%Y-%m-%dT%H:%M:%S.%fZ') AS ${quoted}`;
      if (type === "json") return `${quoted}::VARCHAR AS ${quoted}`;
      if (type === "date") return `${quoted}::DATE::VARCHAR AS ${quoted}`;
      if (type === "boolean") return `${quoted}::BOOLEAN AS ${quoted}`;
      // The client takes a byte order mark off the beginning of any text.
      return type === "string"
        ? `regexp_replace(${quoted}::VARCHAR, '^\ufeff', '\ufeff\ufeff') AS ${quoted}`
        : `${quoted}::DOUBLE AS ${quoted}`;
    });
    const rows = await all(`SELECT ${values.join(", ")} FROM ${source}`);
    return rows.map((row) =>
      Object.fromEntries(table.columns.map(({ name, type }) => [name, canonical(type, row[name])])),
    );
  });
}

async function readLines(folder: string, table: SinkTable): Promise<Row[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".jsonl.gz"));
  const texts = await Promise.all(
    names.map(async (name) => gunzipSync(await readFile(join(folder, name))).toString()),
  );
  return texts
    .flatMap((text) => text.split("\n").filter((line) => line !== ""))
    .map((line) => {
      const row = JSON.parse(line) as Row;
      return Object.fromEntries(
        table.columns.map(({ name, type }) => {
          const value = row[name] ?? null;
          return [name, type === "timestamp" ? canonical(type, value) : value];
        }),
      );
    });
}

function canonical(type: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value !== "string") return value;
  if (type === "timestamp") return canonicalTimestamp(value);
  return type === "json" ? (JSON.parse(value) as unknown) : value;
}

async function hasData(folder: string): Promise<boolean> {
  if (!existsSync(folder)) return false;
  return (await readdir(folder)).some((name) => name.startsWith("day="));
}

type All = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

async function query<T>(work: (all: All) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2" });
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    return await work(async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJS());
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** The suite of a connector that writes files to a folder. */
export function localFilesSuite(format: FormatName): SinkSuite {
  return {
    name: format,
    open: async (): Promise<SinkFixture> => {
      const root = await mkdtemp(join(tmpdir(), "deskbridge-files-"));
      const open = (): Sink =>
        createFileSink({
          format,
          openTable: (name) => createLocalFiles(join(root, name)),
          logger: pino({ level: "silent" }),
          now: Date.now,
        });
      return {
        sink: open(),
        reopen: open,
        rows: (table) => readFiles(format, root, table),
        stranger: createStranger(format, root),
        close: () => rm(root, { recursive: true, force: true }),
      };
    },
  };
}

const copyOptions: Readonly<Record<FormatName, string>> = {
  parquet: "FORMAT parquet",
  csv: "FORMAT csv, HEADER true, COMPRESSION gzip",
  jsonl: "FORMAT json, COMPRESSION gzip",
};

/** Somebody who rewrites the data files. Where there is none, the columns are in the manifest only. */
function createStranger(format: FormatName, root: string): Stranger {
  const change = async (
    { name }: SinkTable,
    select: string,
    edit: (columns: { name: string }[]) => unknown,
  ) => {
    const folder = join(root, name);
    const days = (await readdir(folder)).filter((entry) => entry.startsWith("day="));
    for (const day of days) {
      await query(async (all) => {
        const [file = ""] = await readdir(join(folder, day));
        const path = join(folder, day, file);
        const source = read[format](join(folder, day)).replace(
          "hive_partitioning = true",
          "hive_partitioning = false",
        );
        await all(`CREATE TABLE held AS SELECT ${select} FROM ${source}`);
        await all(`COPY held TO '${path}' (${copyOptions[format]})`);
      });
    }
    if (days.length > 0) return;
    const path = join(folder, "_manifest.json");
    const manifest = JSON.parse(await readFile(path, "utf8")) as { schema: { columns: { name: string }[] } };
    manifest.schema.columns = edit(manifest.schema.columns) as { name: string }[];
    await writeFile(path, JSON.stringify(manifest));
  };
  return {
    addColumn: (table, column) => change(table, `*, NULL::VARCHAR AS "${column}"`, (columns) => columns),
    dropColumn: (table, column) =>
      change(table, `* EXCLUDE ("${column}")`, (columns) => columns.filter(({ name }) => name !== column)),
    retypeColumn: (table, column) =>
      change(table, `* REPLACE ('theirs' AS "${column}")`, (columns) => columns),
    makeTable: async (name) => {
      const path = join(root, name, "theirs.txt");
      await mkdir(join(root, name), { recursive: true });
      await writeFile(path, "theirs");
      return async () => `${(await readdir(join(root, name))).join()} ${await readFile(path, "utf8")}`;
    },
  };
}
