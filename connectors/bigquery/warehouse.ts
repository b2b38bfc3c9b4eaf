import { once } from "node:events";
import { AppError, canonicalTimestamp, jsonLine } from "deskbridge/sdk";
import type { Column, ColumnType, MergeDialect, MergeStatement, MergeWarehouse, Row } from "deskbridge/sdk";
import type { BigQuery, Job } from "@google-cloud/bigquery";
import type { Config } from "./config.ts";
import { toFault } from "./fault.ts";

const types: Readonly<Record<ColumnType, string>> = {
  string: "STRING",
  integer: "INT64",
  number: "FLOAT64",
  boolean: "BOOL",
  timestamp: "TIMESTAMP",
  date: "DATE",
  json: "JSON",
};

function dialectOf({ dataset }: Config): MergeDialect {
  const quoted = (name: string): string => `\`${name}\``;
  return {
    quoted,
    table: (name) => `${quoted(dataset)}.${quoted(name)}`,
    types,
    boolean: types.boolean,
    integer: types.integer,
    text: types.string,
  };
}

/** Connects; nothing is sent before the first statement. The driver is large and needed by those only who have a BigQuery. */
export async function openWarehouse(config: Config, signal: AbortSignal): Promise<MergeWarehouse> {
  signal.throwIfAborted();
  const { BigQuery } = await import("@google-cloud/bigquery");
  const { project: projectId, location, apiUrl, credentials } = config;
  const client = new BigQuery({
    projectId,
    location,
    ...(apiUrl === undefined ? {} : { apiEndpoint: apiUrl }),
    // The option is deprecated for those who take keys of any kind from others. This one is the operator's own, and nothing of it but these two texts is used.
    // oxlint-disable-next-line typescript/no-deprecated
    ...(credentials === undefined ? {} : { credentials: parseKey(credentials) }),
  });
  // An emulator is asked without a credential, so that none goes anywhere but to Google.
  if (apiUrl !== undefined)
    client.authClient.authorizeRequest = async (request) => ({ ...request, headers: request?.headers ?? {} });
  return createWarehouse(client, config, signal);
}

interface ServiceAccountKey {
  readonly client_email: string;
  readonly private_key: string;
}

function parseKey(text: string): ServiceAccountKey {
  try {
    const { client_email, private_key } = JSON.parse(text) as Partial<ServiceAccountKey>;
    if (typeof client_email === "string" && typeof private_key === "string")
      return { client_email, private_key };
  } catch {
    // The parser's words would quote the key.
  }
  throw new AppError(
    "config_invalid",
    "`credentials` is not the JSON key of a service account: it needs `client_email` and `private_key`.",
  );
}

function createWarehouse(client: BigQuery, config: Config, signal: AbortSignal): MergeWarehouse {
  const dialect = dialectOf(config);
  const ask = async (sql: string, params: readonly unknown[] = []): Promise<Row[]> => {
    signal.throwIfAborted();
    try {
      const options = {
        query: sql,
        params: [...params],
        parseJSON: true,
        jobTimeoutMs: config.timeoutSeconds * 1000,
      };
      const [rows] = await client.query(options);
      return rows as Row[];
    } catch (error) {
      throw toFault(error, signal);
    }
  };
  const valuesOf = (statements: readonly MergeStatement[]) => statements.flatMap(({ values = [] }) => values);
  return {
    dialect,
    query: async <R extends object>({ sql, values }: MergeStatement) => (await ask(sql, values)) as R[],
    run: async (statements) => {
      for (const { sql, values } of statements) await ask(sql, values);
    },
    transaction: async (statements) => {
      // One script: what fails within it ends it, and with it the transaction.
      const script = ["BEGIN TRANSACTION", ...statements.map(({ sql }) => sql), "COMMIT TRANSACTION"];
      await ask(`${script.join(";\n")};`, valuesOf(statements));
    },
    prepare: async () => {
      const option = config.location.replaceAll(/[^A-Za-z0-9-]/g, "");
      await ask(
        `CREATE SCHEMA IF NOT EXISTS ${dialect.quoted(config.dataset)} OPTIONS (location = '${option}')`,
      );
    },
    columns: async (table) => {
      const rows = await ask(
        `SELECT column_name AS name, data_type AS type FROM ${dialect.quoted(config.dataset)}.INFORMATION_SCHEMA.COLUMNS WHERE table_name = ?`,
        [table],
      );
      if (rows.length === 0) return undefined;
      return new Map(rows.map(({ name, type }) => [String(name), String(type)]));
    },
    load: (table, columns, rows) => load(client, { config, table, columns, signal }, rows),
    decode: decodeRow,
    close: async () => undefined,
  };
}

interface Load {
  readonly config: Config;
  readonly table: string;
  readonly columns: readonly Column[];
  readonly signal: AbortSignal;
}

interface JobMetadata {
  readonly status?: { readonly errorResult?: { readonly reason?: string } };
}

/** A load job of newline-delimited JSON. It takes all of the rows or none. */
async function load(
  client: BigQuery,
  { config, table, columns, signal }: Load,
  rows: readonly Row[],
): Promise<void> {
  signal.throwIfAborted();
  try {
    const fields = columns.map(({ name, type }) => ({ name, type: types[type] }));
    const stream = client.dataset(config.dataset).table(table).createWriteStream({
      sourceFormat: "NEWLINE_DELIMITED_JSON",
      writeDisposition: "WRITE_APPEND",
      schema: { fields },
    });
    const completed = once(stream, "complete") as Promise<[Job]>;
    stream.end(Buffer.from(rows.map((row) => `${jsonLine(row)}\n`).join("")));
    const [job] = await completed;
    const [{ status }] = (await job.getMetadata()) as unknown as [JobMetadata];
    const fault = status?.errorResult;
    if (fault !== undefined) throw Object.assign(new Error("load"), { code: 400, errors: [fault] });
  } catch (error) {
    throw toFault(error, signal);
  }
}

/** The driver gives instants and days as objects that hold a text. */
function decodeRow(columns: readonly Column[], row: Row): Row {
  return Object.fromEntries(columns.map(({ name, type }) => [name, decoded(type, row[name] ?? null)]));
}

function decoded(type: ColumnType, value: unknown): unknown {
  if (type !== "timestamp" && type !== "date") return value;
  if (typeof value !== "object" || value === null || !("value" in value)) return value;
  const text = String(value.value);
  // It writes nine digits of a second, of which BigQuery has six.
  return type === "timestamp" ? canonicalTimestamp(text.replace(/(\.\d{6})\d+Z$/, "$1Z")) : text;
}
