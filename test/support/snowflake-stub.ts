import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Engine } from "./duckdb-engine.ts";
import { openEngine } from "./duckdb-engine.ts";
import { toRest } from "./snowflake-rest.ts";
import { serveHttp } from "./http-server.ts";

/**
 * As much of Snowflake's REST interface as the official client asks for here. What its SQL means is found out by another engine, and `PUT` goes to a stage of
 * the kind `LOCAL_FS`, which the client has for tests: files are copied to a folder, where the service has them sent to the storage of a cloud.
 */
export interface SnowflakeStub {
  readonly url: string;
  readonly engine: Engine;
  /** The statements that came, as they came. */
  readonly statements: readonly string[];
  /** Sign-ins, as they came. */
  readonly logins: readonly Readonly<Record<string, unknown>>[];
  /** How many sessions are open. */
  readonly sessions: () => number;
  /** Paths that were asked for. */
  readonly paths: readonly string[];
  /** The next statement is refused like this; with the path of signing in, the next sign-in. */
  readonly refuse: (code: string, sqlState: string, at?: "login") => void;
  /** The next statement of this text is carried out, and then its session is gone, and the answer with it. */
  readonly loseAnswer: (sql: string) => void;
  readonly close: () => Promise<void>;
}

// Read by the client as it is loaded: it would ask addresses of the cloud that it may be running in.
process.env["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true";

interface Stand {
  readonly engine: Engine;
  readonly stage: string;
  readonly statements: string[];
  readonly logins: Record<string, unknown>[];
  readonly paths: string[];
  readonly open: Set<string>;
  refusal: { code: string; sqlState: string; at: string } | undefined;
  lost: string | undefined;
}

export async function openSnowflakeStub(): Promise<SnowflakeStub> {
  const stand: Stand = {
    engine: await openEngine(),
    stage: mkdtempSync(join(tmpdir(), "deskbridge-stage-")),
    statements: [],
    logins: [],
    paths: [],
    open: new Set(),
    refusal: undefined,
    lost: undefined,
  };
  const server = await serveHttp((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => void respond(stand, request, response, Buffer.concat(chunks)));
  });
  const { engine, statements, logins, paths } = stand;
  return {
    url: server.url,
    engine,
    statements,
    logins,
    paths,
    sessions: () => stand.open.size,
    refuse: (code, sqlState, at) => {
      stand.refusal = { code, sqlState, at: at ?? "statement" };
    },
    loseAnswer: (sql) => {
      stand.lost = sql;
    },
    close: async () => {
      await server.close();
      engine.close();
      rmSync(stand.stage, { recursive: true, force: true });
    },
  };
}

async function respond(
  stand: Stand,
  request: IncomingMessage,
  response: ServerResponse,
  sent: Buffer,
): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://stub");
  stand.paths.push(pathname);
  const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
  const json = (body.length === 0 ? {} : JSON.parse(body.toString())) as Body;
  const answered = await answer(stand, { pathname, json, headers: request.headers }).catch((error: unknown) =>
    failure("001003", "42000", String(error)),
  );
  if (answered === undefined) return void response.writeHead(400).end();
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answered));
}

interface Body {
  readonly data?: Record<string, unknown>;
  readonly sqlText?: string;
  readonly bindings?: Readonly<Record<string, { readonly value: string | null }>>;
}

interface Asked {
  readonly pathname: string;
  readonly json: Body;
  readonly headers: IncomingMessage["headers"];
}

/** An answer, or none where it is to be lost. */
async function answer(stand: Stand, { pathname, json, headers }: Asked): Promise<object | undefined> {
  if (pathname === "/telemetry/send") return success({});
  const at = pathname.endsWith("/login-request") ? "login" : "statement";
  const turn = stand.refusal;
  if (turn?.at === at) {
    stand.refusal = undefined;
    return failure(turn.code, turn.sqlState);
  }
  if (at === "login") return login(stand, json);
  const token = /Token="([^"]+)"/.exec(headers.authorization ?? "")?.[1] ?? "";
  if (!stand.open.has(token)) return failure("390104", "08001");
  if (pathname === "/session") {
    stand.open.delete(token);
    return success({});
  }
  if (pathname.endsWith("/abort-request")) return success({});
  if (pathname !== "/queries/v1/query-request") throw new Error(`${pathname} is not answered here`);
  const sql = json.sqlText ?? "";
  stand.statements.push(sql);
  const values = Object.entries(json.bindings ?? {})
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(([, { value }]) => value);
  const result = success(await execute(stand, sql, values));
  if (stand.lost !== sql) return result;
  stand.lost = undefined;
  stand.open.delete(token);
  return undefined;
}

const success = (data: object) => ({ success: true, code: null, message: null, data });

const failure = (code: string, sqlState: string, message = "told by Snowflake of ada@example.com") => ({
  success: false,
  code,
  message,
  data: { sqlState, queryId: randomUUID() },
});

function login(stand: Stand, json: Body): object {
  stand.logins.push(json.data ?? {});
  const token = randomUUID();
  stand.open.add(token);
  return success({
    token,
    masterToken: randomUUID(),
    validityInSeconds: 3600,
    masterValidityInSeconds: 14_400,
    sessionId: 1,
    parameters: [],
  });
}

const nothing = {
  rowtype: [],
  rowset: [],
  total: 0,
  returned: 0,
  version: 1,
  queryResultFormat: "json",
  parameters: [],
};

async function execute(stand: Stand, sql: string, values: readonly (string | null)[]): Promise<object> {
  if (/^(ALTER SESSION|CREATE TEMPORARY STAGE|REMOVE) /.test(sql)) return nothing;
  if (sql.startsWith("PUT ")) return put(stand, sql);
  if (sql.startsWith("COPY INTO ")) return copy(stand, sql);
  const { columns, rows } = await stand.engine.run(translate(sql), [...values]);
  return { ...nothing, ...toRest(sql, columns, rows), queryId: randomUUID() };
}

function put({ stage }: Stand, sql: string): object {
  const [, path = ""] = /^PUT 'file:\/\/([^']+)' '@[^']+' SOURCE_COMPRESSION = GZIP/.exec(sql) ?? [];
  return {
    command: "UPLOAD",
    operation: "Node",
    src_locations: [path],
    sourceCompression: "gzip",
    autoCompress: false,
    overwrite: true,
    parallel: 4,
    encryptionMaterial: null,
    stageInfo: { locationType: "LOCAL_FS", location: stage, path: "", creds: {} },
  };
}

/** Whatever the statement says of each column is what is loaded: a field that it takes from elsewhere, or as another type, would not fit. */
async function copy({ engine, stage }: Stand, sql: string): Promise<object> {
  const form =
    /^COPY INTO (\S+) \((.+)\) FROM \(SELECT (.+) FROM @\S+\) FILES = \('([^']+)'\) FILE_FORMAT = \(TYPE = JSON COMPRESSION = GZIP\) ON_ERROR = ABORT_STATEMENT$/;
  const [, table, list, fields, file] = form.exec(sql) ?? [];
  if (table === undefined || list === undefined || fields === undefined || file === undefined)
    throw new Error("a COPY of another form");
  const columns = fields.split(", ").map((field) => {
    const [, name = "", type = ""] = /^\$1:"([^"]+)"::(\w+)$/.exec(field) ?? [];
    return { name, type: translate(type) };
  });
  if (columns.map(({ name }) => `"${name}"`).join(", ") !== list) throw new Error("columns in another order");
  await engine.load(table, columns, gunzipSync(readFileSync(join(stage, file))).toString());
  return nothing;
}

const typeNames: Readonly<Record<string, string>> = {
  NUMBER: "BIGINT",
  FLOAT: "DOUBLE",
  TEXT: "VARCHAR",
  TIMESTAMP_TZ: "TIMESTAMP WITH TIME ZONE",
  VARIANT: "JSON",
};

/** Where the two write the same thing otherwise. Names are in quotes and in small letters, so a word in capitals is one of SQL. */
function translate(sql: string): string {
  return sql
    .replace("CREATE TEMPORARY TABLE", "CREATE TABLE")
    .replaceAll(/\b(NUMBER|FLOAT|TEXT|TIMESTAMP_TZ|VARIANT)\b/g, (type: string) => typeNames[type] ?? type);
}
