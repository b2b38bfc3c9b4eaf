import { DuckDBInstance } from "@duckdb/node-api";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { z } from "zod";
import { canonicalTimestamp } from "../../src/sdk/csv.ts";
import type { FormatName } from "../../src/sdk/files/file-format.ts";
import type { fileSinkConfig } from "../../src/sdk/files/index.ts";
import type { Connection, ConnectorDefinition } from "../../src/sdk/connector.ts";
import type { Row } from "../../src/sdk/row-batch.ts";
import type { Sink, SinkTable } from "../../src/sdk/sink.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import type { SinkFixture, SinkSuite, Stranger } from "../../src/sdk/testing/index.ts";
import { createBucketCopy } from "./bucket-copy.ts";
import { openS3Server } from "./s3-server.ts";

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

/** What a connector that writes files is opened with. */
export type FileConnector = ConnectorDefinition<typeof fileSinkConfig>;

/** A sink of the connector as a process has it. */
export function openFileSink(connector: FileConnector, settings: z.input<typeof fileSinkConfig>): Sink {
  const { sink } = connector.open(connector.config.parse(settings), createTestContext()) as Connection;
  if (sink === undefined) throw new Error("the connector offers no sink");
  return sink;
}

const formatOf = ({ name }: FileConnector): FormatName => name as FormatName;

/** The suite of a connector that writes files, to a folder. */
export function folderSuite(connector: FileConnector): SinkSuite {
  return {
    name: connector.name,
    open: async (): Promise<SinkFixture> => {
      const root = await mkdtemp(join(tmpdir(), "deskbridge-files-"));
      const open = (): Sink => openFileSink(connector, { path: root });
      return {
        sink: open(),
        reopen: open,
        rows: (table) => readFiles(formatOf(connector), root, table),
        stranger: createStranger(formatOf(connector), root),
        close: () => rm(root, { recursive: true, force: true }),
      };
    },
  };
}

/** The same, to a bucket. What others see and do is seen and done by way of copies of the bucket in a folder. */
export function bucketSuite(connector: FileConnector): SinkSuite {
  return {
    name: `${connector.name} (S3)`,
    open: async (): Promise<SinkFixture> => {
      const server = await openS3Server();
      const workDir = await mkdtemp(join(tmpdir(), "deskbridge-files-"));
      const s3 = { ...server.bucket, prefix: "warehouse/" };
      const open = (): Sink => openFileSink(connector, { s3, workDir });
      const copy = createBucketCopy(s3);
      const theirs =
        <A extends readonly unknown[], T>(work: (stranger: Stranger, ...rest: A) => Promise<T>) =>
        async (...rest: A): Promise<T> => {
          const root = await copy.fetch();
          const result = await work(createStranger(formatOf(connector), root), ...rest);
          await copy.store();
          return result;
        };
      return {
        sink: open(),
        reopen: open,
        rows: async (table) => readFiles(formatOf(connector), await copy.fetch(), table),
        stranger: {
          addColumn: theirs((stranger, table: SinkTable, column: string) =>
            stranger.addColumn(table, column),
          ),
          dropColumn: theirs((stranger, table: SinkTable, column: string) =>
            stranger.dropColumn(table, column),
          ),
          retypeColumn: theirs((stranger, table: SinkTable, column: string) =>
            stranger.retypeColumn(table, column),
          ),
          makeTable: theirs(async (stranger, name: string) => {
            await stranger.makeTable(name);
            return async () => {
              const root = await copy.fetch();
              const names = await readdir(join(root, name), { recursive: true });
              return `${names.toSorted().join()} ${await readFile(join(root, name, "theirs.txt"), "utf8")}`;
            };
          }),
        },
        close: async () => {
          await copy.close();
          await server.close();
          await rm(workDir, { recursive: true, force: true });
        },
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
