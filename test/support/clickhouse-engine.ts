import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { AddressInfo } from "node:net";

/** The parts of the package `chdb` that are used here; it is fetched by itself and has no types in this project. */
interface Chdb {
  readonly Session: new (folder: string) => {
    readonly queryAsync: (
      sql: string,
      options: { format?: string },
    ) => Promise<{ text: () => string; bytes: () => Uint8Array }>;
    readonly queryBindAsync: (
      sql: string,
      values: Readonly<Record<string, string>>,
      options: { format?: string },
    ) => Promise<{ bytes: () => Uint8Array }>;
  };
}

// Run as a process of its own, since the engine is a library of half a gigabyte: `node clickhouse-engine.ts <folder of chdb> <folder of data>`.
const [packageFolder = "", dataFolder = ""] = process.argv.slice(2);
const { default: chdb } = (await import(join(packageFolder, "index.js"))) as { default: Chdb };
const session = new chdb.Session(join(dataFolder, "clickhouse"));

/** Parameters of the HTTP interface that are not settings of a query. */
const notSettings =
  /^(query|query_id|database|default_format|session_id|user|password|role|param_.*|enable_http_compression|wait_end_of_query|send_progress_in_http_headers|http_.*)$/;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => void inTurn(() => answer(request, Buffer.concat(chunks), response)));
});

// One statement at a time, as one session of the engine takes them.
let last: Promise<void> = Promise.resolve();
function inTurn(run: () => Promise<void>): Promise<void> {
  last = last.then(run);
  return last;
}

async function answer(request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://engine");
  if (url.pathname === "/ping") return void response.end("Ok.\n");
  const [user, password] = Buffer.from((request.headers.authorization ?? "").replace(/^Basic /, ""), "base64")
    .toString()
    .split(":");
  if (user !== "default" || password !== "secret-of-clickhouse") {
    return refuse(
      response,
      403,
      516,
      `Code: 516. DB::Exception: ${user}: Authentication failed. (AUTHENTICATION_FAILED)`,
    );
  }
  const given = url.searchParams.get("query");
  try {
    const bytes =
      given === null
        ? await execute(body.toString(), url.searchParams)
        : await insert(given, body, url.searchParams);
    response.writeHead(200, { "x-clickhouse-summary": "{}" }).end(bytes);
  } catch (error) {
    const message = (error as Error).message.replace(/^Query failed: /, "");
    refuse(response, 500, Number(/Code: (\d+)/.exec(message)?.[1] ?? 1000), message);
  }
}

function refuse(response: ServerResponse, status: number, code: number, message: string): void {
  response.writeHead(status, { "x-clickhouse-exception-code": String(code) }).end(message);
}

async function execute(sql: string, parameters: URLSearchParams): Promise<Uint8Array> {
  const values = Object.fromEntries(
    [...parameters]
      .filter(([name]) => name.startsWith("param_"))
      .map(([name, value]) => [name.slice(6), unescaped(value)]),
  );
  const isQuery = /^\s*(SELECT|INSERT)/i.test(sql);
  const text = isQuery ? withSettings(sql.trimEnd(), parameters) : sql;
  const [, format = "TSV"] = /\bFORMAT (\w+)/.exec(sql) ?? [];
  const result = await bound(text, values, format);
  return result.bytes();
}

/** The HTTP interface takes a parameter as a field of TabSeparated, the library as it is; `\\N` stands for null. A list has its escapes within its quotes. */
function unescaped(value: string): string {
  const controls: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", 0: "\0" };
  if (value.startsWith("[") || value === "\\N") return value;
  return value.replaceAll(/\\(.)/g, (_all, letter: string) => controls[letter] ?? letter);
}

async function bound(sql: string, values: Readonly<Record<string, string>>, format: string) {
  // The HTTP interface takes `\\N` for a parameter that is null, the library does not.
  const inlined = Object.entries(values).reduce(
    (text, [name, value]) =>
      value === "\\N" ? text.replaceAll(new RegExp(`\\{${name}: ?[^}]+\\}`, "g"), "NULL") : text,
    sql,
  );
  if (Object.keys(values).length === 0) return await session.queryAsync(inlined, { format });
  return await session.queryBindAsync(inlined, values, { format });
}

/** The body of an insert goes to a file, and `input(…)` to a function that reads it: the engine parses the same bytes by the same rules. */
async function insert(sql: string, body: Buffer, parameters: URLSearchParams): Promise<Uint8Array> {
  const file = join(dataFolder, `insert-${process.hrtime.bigint()}.csv`);
  writeFileSync(file, body);
  try {
    const statement = sql.replace(
      /FROM input\(('(?:[^'\\]|\\.)*')\) FORMAT CSV\s*$/,
      (_all, form: string) => `FROM file('${file}', CSV, ${form})`,
    );
    if (statement === sql)
      throw new Error(
        "Code: 62. DB::Exception: only inserts by input(…) FORMAT CSV are taken here (SYNTAX_ERROR)",
      );
    const result = await session.queryAsync(withSettings(statement, parameters), {});
    return result.bytes();
  } finally {
    rmSync(file, { force: true });
  }
}

function withSettings(sql: string, parameters: URLSearchParams): string {
  const settings = [...parameters]
    .filter(([name]) => !notSettings.test(name))
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "\\'")}'`);
  return settings.length === 0 ? sql : `${sql} SETTINGS ${settings.join(", ")}`;
}

server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
// It ends with the process that started it.
process.stdin.on("end", () => process.exit(0)).resume();
