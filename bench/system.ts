import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import pg from "pg";
import type { EmbeddedPostgres } from "../src/ledger/embedded.ts";
import { openEmbeddedPostgres } from "../src/ledger/embedded.ts";
import { type TestRedis, startRedis } from "../test/support/redis.ts";
import { type Child, endProcess, startChild } from "./calls.ts";
import type { SenderHandlers } from "./child-sender.ts";
import type { StubHandlers } from "./child-stub.ts";
import { shop } from "./traffic.ts";

export type BackendName = "redis" | "postgres";

/** A running deskbridge process of the benchmark. */
export interface System {
  readonly pid: number;
  /** Where its hook is; empty for a process that only works. */
  readonly hookUrl: string;
  readonly stop: () => Promise<void>;
}

/** An empty database of its own on the benchmark's server, and an empty Redis. */
export interface Store {
  readonly backend: BackendName;
  readonly url: string;
  readonly query: <Row>(text: string) => Promise<readonly Row[]>;
  readonly drop: () => Promise<void>;
}

/** Everything that stays up for the whole benchmark. */
export interface Bench {
  readonly redis: TestRedis;
  readonly postgres: EmbeddedPostgres;
  readonly stub: Child<StubHandlers>;
  readonly sender: Child<SenderHandlers>;
  readonly stubUrl: string;
  readonly freshStore: (backend: BackendName) => Promise<Store>;
  readonly startSystem: (verb: "up" | "serve" | "work", store: Store) => Promise<System>;
  readonly close: () => Promise<void>;
}

/** Starts a real Redis, a real PostgreSQL with every safety on, the desk stub and the load generator, each a process of its own. */
export async function openBench(): Promise<Bench> {
  const dataDir = mkdtempSync(join(tmpdir(), "deskbridge-bench-"));
  const postgres = await openEmbeddedPostgres({ dataDir: join(dataDir, "postgres") });
  const redis = await startRedis();
  const stub = startChild<StubHandlers>("./child-stub.ts");
  const sender = startChild<SenderHandlers>("./child-sender.ts");
  const stubUrl = await stub.call("listen", undefined);
  return {
    redis,
    postgres,
    stub,
    sender,
    stubUrl,
    freshStore: (backend) => freshStore(postgres.url, redis.url, backend),
    startSystem: (verb, store) => startSystem(verb, store, { redisUrl: redis.url, stubUrl, dataDir }),
    close: async () => {
      await Promise.all([stub.stop(), sender.stop(), redis.stop()]);
      await postgres.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function freshStore(clusterUrl: string, redisUrl: string, backend: BackendName): Promise<Store> {
  const name = `bench_${randomBytes(4).toString("hex")}`;
  await runOn(clusterUrl, `create database ${name}`);
  const client = new Redis(redisUrl);
  await client.flushall();
  client.disconnect();
  const url = new URL(clusterUrl);
  url.pathname = `/${name}`;
  return {
    backend,
    url: url.href,
    query: (text) => runOn(url.href, text),
    drop: async () => void (await runOn(clusterUrl, `drop database ${name} with (force)`)),
  };
}

async function runOn<Row>(url: string, text: string): Promise<readonly Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(text);
    return rows as Row[];
  } finally {
    await client.end();
  }
}

interface Surroundings {
  readonly redisUrl: string;
  readonly stubUrl: string;
  readonly dataDir: string;
}

const entry = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const config = fileURLToPath(new URL("./deskbridge.yaml", import.meta.url));

async function startSystem(
  verb: "up" | "serve" | "work",
  store: Store,
  around: Surroundings,
): Promise<System> {
  const words = [entry, verb, "--config", config, "--data", around.dataDir];
  if (verb !== "work") words.push("--port", "0");
  // Its log goes to a file, one line a delivery, as it would in earnest.
  const logFile = join(around.dataDir, `${verb}-${randomBytes(4).toString("hex")}.log`);
  const log = openSync(logFile, "w");
  const child = spawn(process.execPath, words, {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: store.url,
      ...(store.backend === "redis" ? { REDIS_URL: around.redisUrl } : {}),
      BENCH_CLIENT_SECRET: shop.clientSecret,
      BENCH_API_KEY: "bench-api-key-0123456789",
      BENCH_DESK_URL: around.stubUrl,
    },
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const hookUrl = verb === "work" ? "" : await hookOf(child, logFile);
  return { pid: child.pid ?? 0, hookUrl, stop: () => endProcess(child) };
}

async function hookOf(child: ChildProcess, logFile: string): Promise<string> {
  while (child.exitCode === null) {
    const url = /deskbridge is up at (\S+)/.exec(readFileSync(logFile, "utf8"))?.[1];
    if (url !== undefined) return `${url}/hooks/shop`;
    await delay(25);
  }
  throw new Error(`deskbridge ended while starting: ${readFileSync(logFile, "utf8")}`);
}
