import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Engine } from "./duckdb-engine.ts";
import { openEngine } from "./duckdb-engine.ts";
import { serveHttp } from "./http-server.ts";

/** As much of BigQuery's REST interface as the official client asks for here. What its SQL means is found out by another engine. */
export interface BigQueryStub {
  readonly url: string;
  readonly engine: Engine;
  /** The queries that came, as they came. */
  readonly queries: readonly string[];
  /** The next request is refused like this. */
  readonly refuse: (status: number, reason: string) => void;
  readonly close: () => Promise<void>;
}

interface QueryRequest {
  readonly query: string;
  readonly queryParameters?: readonly { readonly parameterValue: { readonly value: string } }[];
}

const typeNames: readonly (readonly [string, string])[] = [
  ["STRING", "VARCHAR"],
  ["INT64", "BIGINT"],
  ["FLOAT64", "DOUBLE"],
  ["BOOL", "BOOLEAN"],
  ["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"],
  ["DATE", "DATE"],
  ["JSON", "JSON"],
];

const toEngine = (type: string): string => typeNames.find(([name]) => name === type)?.[1] ?? type;
const fromEngine = (type: string): string => typeNames.find(([, name]) => name === type)?.[0] ?? "STRING";

/** Where the two write the same thing otherwise. Names are quoted throughout and values are parameters, so a word in capitals is one of SQL. */
function translate(sql: string): string {
  return sql
    .replaceAll(
      /`([^`]+)`\.INFORMATION_SCHEMA\.COLUMNS WHERE/g,
      "information_schema.columns WHERE table_schema = '$1' AND",
    )
    .replaceAll(/ OPTIONS \([^)]*\)/g, "")
    .replaceAll("`", '"')
    .replaceAll(/\b(STRING|INT64|FLOAT64|BOOL|TIMESTAMP)\b/g, (type: string) => toEngine(type));
}

export async function openBigQueryStub(): Promise<BigQueryStub> {
  const engine = await openEngine();
  const queries: string[] = [];
  const results = new Map<string, object>();
  let refusal: { status: number; reason: string } | undefined;
  const server = await serveHttp((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const turn = refusal;
      refusal = undefined;
      if (turn !== undefined) return refuse(response, turn.status, turn.reason);
      answer({ engine, queries, results }, request, Buffer.concat(chunks)).then(
        (body) =>
          void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body)),
        (error: unknown) => refuse(response, 400, "invalidQuery", String(error)),
      );
    });
  });
  return {
    url: server.url,
    engine,
    queries,
    refuse: (status, reason) => {
      refusal = { status, reason };
    },
    close: async () => {
      await server.close();
      engine.close();
    },
  };
}

function refuse(
  response: ServerResponse,
  code: number,
  reason: string,
  message = "told by BigQuery of ada@example.com",
): void {
  const error = { code, message, errors: [{ reason, message }] };
  response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify({ error }));
}

interface JobRequest {
  readonly configuration: { readonly query: QueryRequest };
  readonly jobReference?: { readonly jobId?: string };
}

/** A query is a job whose results are asked for by its id. */
async function answer(
  { engine, queries, results }: Stand,
  request: IncomingMessage,
  body: Buffer,
): Promise<object> {
  const { pathname } = new URL(request.url ?? "/", "http://stub");
  const last = pathname.split("/").at(-1) ?? "";
  if (pathname.startsWith("/upload/")) return loadJob(engine, request, body);
  if (request.method === "GET" && pathname.includes("/queries/")) return results.get(last) ?? {};
  if (request.method === "GET" && pathname.includes("/jobs/")) return doneJob(last);
  if (!pathname.endsWith("/jobs")) throw new Error(`${request.method} ${pathname} is not answered here`);
  const { configuration, jobReference } = JSON.parse(body.toString()) as JobRequest;
  const jobId = jobReference?.jobId ?? randomUUID();
  queries.push(configuration.query.query);
  results.set(jobId, { ...(await query(engine, configuration.query)), ...doneJob(jobId) });
  return doneJob(jobId);
}

interface Stand {
  readonly engine: Engine;
  readonly queries: string[];
  readonly results: Map<string, object>;
}

const doneJob = (jobId: string) => ({
  jobReference: { projectId: "acme-analytics", jobId, location: "US" },
  status: { state: "DONE" },
});

async function query(engine: Engine, { query: text, queryParameters = [] }: QueryRequest): Promise<object> {
  let values = queryParameters.map(({ parameterValue }) => parameterValue.value);
  const statements = text.startsWith("BEGIN TRANSACTION")
    ? text.split(/;\n?/).filter((one) => one.trim() !== "")
    : [text];
  let last;
  try {
    for (const statement of statements) {
      const count = statement.match(/\?/g)?.length ?? 0;
      last = await engine.run(translate(statement), values.slice(0, count));
      values = values.slice(count);
    }
  } catch (error) {
    if (statements.length > 1) await engine.run("ROLLBACK").catch(() => undefined);
    throw error;
  }
  const fields = (last?.columns ?? []).map(({ name, type }) => ({ name, type: fromEngine(type) }));
  const rows = (last?.rows ?? []).map((row) => ({
    f: row.map((value, index) => ({ v: inRest(fields[index]?.type, value) })),
  }));
  return {
    ...doneJob(randomUUID()),
    jobComplete: true,
    schema: { fields },
    rows,
    totalRows: String(rows.length),
  };
}

/** Instants go over the wire as microseconds, types of columns by the names of BigQuery. */
function inRest(type: string | undefined, value: string | null): string | null {
  if (value === null) return null;
  if (type === "TIMESTAMP") {
    const [, whole = "", fraction = ""] = /^([^.+]+)(?:\.(\d+))?/.exec(value) ?? [];
    const seconds = BigInt(Date.parse(`${whole.replace(" ", "T")}Z`)) * 1000n;
    return String(seconds + BigInt(fraction.padEnd(6, "0") || "0"));
  }
  return type === "STRING" && typeNames.some(([, name]) => name === value) ? fromEngine(value) : value;
}

interface LoadMetadata {
  readonly configuration: {
    readonly load: {
      readonly destinationTable: { readonly datasetId: string; readonly tableId: string };
      readonly schema: { readonly fields: readonly { readonly name: string; readonly type: string }[] };
    };
  };
}

/** A job in two parts, the description and the lines, with a boundary between them. */
async function loadJob(engine: Engine, request: IncomingMessage, body: Buffer): Promise<object> {
  const boundary = /boundary="?([^";]+)/.exec(request.headers["content-type"] ?? "")?.[1] ?? "";
  const parts = body.toString().split(`--${boundary}`);
  const contentOf = (part = ""): string => part.slice(part.indexOf("\r\n\r\n") + 4).replace(/\r\n$/, "");
  const { load } = (JSON.parse(contentOf(parts[1])) as LoadMetadata).configuration;
  const columns = load.schema.fields.map(({ name, type }) => ({ name, type: toEngine(type) }));
  const { datasetId, tableId } = load.destinationTable;
  await engine.load(`"${datasetId}"."${tableId}"`, columns, contentOf(parts[2]));
  return doneJob(randomUUID());
}
