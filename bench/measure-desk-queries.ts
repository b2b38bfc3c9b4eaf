import { randomBytes } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { pino } from "pino";
import { openDesk } from "../src/desk/desk.ts";
import { createHttpServer } from "../src/http/server.ts";
import { foldMetrics } from "../src/desk/store/metrics-fold.ts";
import { openEmbeddedPostgres } from "../src/ledger/embedded.ts";
import { openPool } from "../src/ledger/pool.ts";
import { temporaryDataDir } from "../test/support/data-dir.ts";
import type { DeskQuery, Draw } from "./desk-queries.ts";
import { deskQueries } from "./desk-queries.ts";
import { seedDesk } from "./seed-desk.ts";
import { percentile, significant } from "./statistics.ts";

/** How long one of the queries takes over HTTP, and which tables its plans read from end to end. */
export interface QueryFigures {
  readonly name: string;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly scans: readonly string[];
}

interface DeskQueriesOptions {
  readonly tickets: number;
  readonly note: (line: string) => void;
}

const days = 400;
const warmUps = 10;
const repeats = 100;

/** Tables that are small whatever the desk holds. */
const smallTables = new Set(["metric_fold", "feed_offset", "business_hours"]);

/** Seeds a desk on a PostgreSQL of its own and measures the queries of its API, one after the other. */
export async function measureDeskQueries({
  tickets,
  note,
}: DeskQueriesOptions): Promise<readonly QueryFigures[]> {
  const dataDir = await temporaryDataDir();
  const settings = { max_wal_size: "8GB", shared_buffers: "1GB", autovacuum: "off" };
  const postgres = await openEmbeddedPostgres({ dataDir: join(dataDir.path, "postgres"), settings });
  try {
    await withDesk(postgres.url, async () => undefined);
    await seedDesk({ databaseUrl: postgres.url, tickets, days, note });
    const folded = await foldAll(postgres.url);
    note(`metrics of ${folded} tickets folded`);
    await run(postgres.url, "vacuum analyze");
    note("vacuumed");
    const speeds = await withDesk(postgres.url, ({ url, key }) => measureAll(url, key, tickets, note));
    // In a pass of its own: telling every plan costs time.
    await run(postgres.url, "alter database deskbridge set session_preload_libraries = 'auto_explain'");
    await run(postgres.url, "alter database deskbridge set auto_explain.log_min_duration = 0");
    await run(postgres.url, "alter database deskbridge set auto_explain.log_nested_statements = on");
    const log = join(dataDir.path, "postgres", "postgres.log");
    const scans = await withDesk(postgres.url, ({ url, key }) => findScans(url, key, tickets, log));
    return speeds.map((figures) => ({ ...figures, scans: scans.get(figures.name) ?? ["not looked at"] }));
  } finally {
    await postgres.close();
    await dataDir.remove();
  }
}

/** As the desk's upkeep does, in larger steps: each is about a fortnight. */
async function foldAll(databaseUrl: string): Promise<number> {
  const pool = openPool(databaseUrl, {
    max: 1,
    applicationName: "deskbridge-bench",
    options: "-c search_path=deskbridge_desk -c synchronous_commit=off -c enable_seqscan=off -c jit=off",
    statementTimeoutMs: 600_000,
    onError: () => undefined,
  });
  try {
    return await foldMetrics(pool, 40_000);
  } finally {
    await pool.end();
  }
}

interface Stand {
  readonly url: string;
  readonly key: string;
}

async function withDesk<T>(databaseUrl: string, use: (stand: Stand) => Promise<T>): Promise<T> {
  const logger = pino({ level: "silent" });
  const key = randomBytes(16).toString("hex");
  const desk = await openDesk({ databaseUrl, logger, now: Date.now, bootstrapKey: key });
  const server = createHttpServer({ logger, maxBodyBytes: 1024 * 1024 });
  try {
    await server.register(desk.plugin);
    const url = await server.listen({ host: "127.0.0.1", port: 0 });
    return await use({ url, key });
  } finally {
    server.server.closeAllConnections();
    await server.close();
    await desk.close();
  }
}

async function run(databaseUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl, options: "-c statement_timeout=0" });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function drawFrom(tickets: number): Draw {
  let state = 1;
  const number = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % Math.max(1, Math.floor(below));
  };
  return {
    number,
    pick: (from) => from[number(from.length)] ?? "",
    tickets,
    now: Math.floor(Date.now() / 1000),
  };
}

async function ask(url: string, key: string, path: string): Promise<void> {
  const answer = await fetch(url + path, { headers: { authorization: `Bearer ${key}` } });
  const body = await answer.text();
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${body.slice(0, 300)}`);
}

async function measureAll(
  url: string,
  key: string,
  tickets: number,
  note: (line: string) => void,
): Promise<readonly Omit<QueryFigures, "scans">[]> {
  const draw = drawFrom(tickets);
  const figures: Omit<QueryFigures, "scans">[] = [];
  for (const query of deskQueries) {
    for (let time = 0; time < warmUps; time += 1) await ask(url, key, query.path(draw));
    const times: number[] = [];
    for (let time = 0; time < repeats; time += 1) {
      const path = query.path(draw);
      const start = performance.now();
      await ask(url, key, path);
      times.push(performance.now() - start);
    }
    const [p50Ms, p95Ms] = [significant(percentile(times, 0.5)), significant(percentile(times, 0.95))];
    figures.push({ name: query.name, p50Ms, p95Ms });
    note(`${query.name.padEnd(50)} p50 ${p50Ms} ms  p95 ${p95Ms} ms`);
  }
  return figures;
}

/** The tables that the plans of each query read from end to end, as the server's log has them. */
async function findScans(
  url: string,
  key: string,
  tickets: number,
  logFile: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const draw = drawFrom(tickets);
  const scans = new Map<string, readonly string[]>();
  for (const query of deskQueries) scans.set(query.name, await scansOf(query, draw, url, key, logFile));
  return scans;
}

async function scansOf(
  query: DeskQuery,
  draw: Draw,
  url: string,
  key: string,
  logFile: string,
): Promise<readonly string[]> {
  const { size } = await stat(logFile);
  for (let time = 0; time < 3; time += 1) await ask(url, key, query.path(draw));
  const file = await open(logFile);
  try {
    const grown = Buffer.alloc((await file.stat()).size - size);
    await file.read(grown, 0, grown.length, size);
    const plans = grown.toString();
    if (!plans.includes("Query Text")) throw new Error("the server's log has no plans");
    const tables = [...plans.matchAll(/Seq Scan on (?:deskbridge_desk\.)?(\w+)/g)].map(
      ([, table]) => table ?? "",
    );
    return [...new Set(tables)].filter((table) => !smallTables.has(table));
  } finally {
    await file.close();
  }
}
