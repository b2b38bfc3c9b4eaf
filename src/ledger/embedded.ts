import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import pg from "pg";
import type { Logger } from "pino";
import { AppError } from "../errors.ts";
import { type Binaries, locateBinaries } from "./embedded-binaries.ts";
import { type ClusterHome, lockHome, prepareHome, readPassword, writeForAccount } from "./embedded-home.ts";
import {
  clearForeignPidFile,
  isPostmasterOf,
  readPostmaster,
  stopPostmaster,
  waitUntilReady,
} from "./embedded-postmaster.ts";

export interface EmbeddedPostgresOptions {
  /** Made when it is not there. Holds the cluster (or a pointer to it), its password and its log; survives restarts. */
  readonly dataDir: string;
  readonly logger?: Logger;
  /** PostgreSQL settings over our own, such as `fsync: "off"` for tests. A server that is adopted keeps what it was started with. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running embedded PostgreSQL. */
export interface EmbeddedPostgres {
  /** Connects to the database `deskbridge` as its owner. Holds the password: never log it. */
  readonly url: string;
  readonly pid: number;
  /** Ends all sessions, stops the server and lets the data directory go. */
  readonly close: () => Promise<void>;
}

/** The superuser of an embedded cluster, and the name of its database. */
export const role = "deskbridge";
const startTimeoutMs = 120_000;
const maxLogBytes = 5_000_000;

/** For one busy application on a small machine: little memory, no planner extras, dead rows of the hot tables cleared soon. */
const ownSettings: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  shared_buffers: "64MB",
  max_connections: "60",
  max_wal_size: "1GB",
  wal_level: "minimal",
  max_wal_senders: "0",
  jit: "off",
  max_parallel_workers_per_gather: "0",
  autovacuum_naptime: "10s",
  autovacuum_vacuum_scale_factor: "0.05",
  autovacuum_vacuum_insert_scale_factor: "0.1",
  autovacuum_analyze_scale_factor: "0.05",
  log_min_messages: "warning",
  log_line_prefix: "%m [%p] ",
  log_timezone: "UTC",
  timezone: "UTC",
};

/**
 * Starts the PostgreSQL of a data directory, or adopts the one that a deskbridge which was killed has left running there. Throws
 * `data_dir_in_use` when another process has the directory, `ledger_unavailable` when the server does not start.
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const home = prepareHome(options.dataDir);
  const unlock = lockHome(home);
  try {
    const binaries = locateBinaries(home.account, home.dataDir);
    const password = readPassword(home);
    const dataDirectory = initialise(home, binaries, password);
    const server =
      (await adopt(dataDirectory, password, options.logger)) ??
      (await start(home, binaries, dataDirectory, password, options));
    const { pid } = server;
    let closing: Promise<void> | undefined;
    return {
      url: connectionUrl(server.port, password, role),
      pid,
      close: () => (closing ??= stopPostmaster(pid, dataDirectory).finally(unlock)),
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** Makes the cluster once. It appears under its name only when it is complete. */
function initialise(home: ClusterHome, binaries: Binaries, password: string): string {
  const major = binaries.version.split(".")[0] ?? "";
  const dataDirectory = join(home.folder, `data-${major}`);
  if (existsSync(dataDirectory)) return dataDirectory;
  const names = readdirSync(home.folder);
  const older = names.find((name) => /^data-\d+$/.test(name));
  if (older !== undefined) {
    throw new AppError(
      "ledger_unavailable",
      `${join(home.folder, older)} was made by another major version of PostgreSQL than ${major}; dump it with the old version and restore it into the new`,
    );
  }
  for (const name of names)
    if (name.startsWith("data-")) rmSync(join(home.folder, name), { recursive: true });
  const fresh = `${dataDirectory}.new-${randomBytes(4).toString("hex")}`;
  const passwordFile = writeForAccount(home, "initial-password", password);
  const run = spawnSync(
    binaries.initdb,
    [
      `--pgdata=${fresh}`,
      `--username=${role}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--no-instructions",
      "--set=timezone=UTC",
    ],
    { cwd: "/", env: { LC_ALL: "C" }, encoding: "utf8", ...home.account },
  );
  rmSync(passwordFile, { force: true });
  if (run.status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new AppError(
      "ledger_unavailable",
      `PostgreSQL could not make its data directory in ${home.folder}: ${(run.stderr ?? "").trim().slice(-500)}`,
      {
        cause: run.error,
      },
    );
  }
  renameSync(fresh, dataDirectory);
  return dataDirectory;
}

interface Server {
  readonly pid: number;
  readonly port: number;
}

/** The server that still runs from a former life, when it answers to our password. One that does not answer is stopped. */
async function adopt(
  dataDirectory: string,
  password: string,
  logger: Logger | undefined,
): Promise<Server | undefined> {
  const found = readPostmaster(dataDirectory);
  if (found === undefined || !isPostmasterOf(found.pid, dataDirectory)) {
    clearForeignPidFile(dataDirectory);
    return undefined;
  }
  if (
    found.ready &&
    (await ensureDatabase(found.port, password).then(
      () => true,
      () => false,
    ))
  ) {
    logger?.info({ serverPid: found.pid }, "adopted the embedded PostgreSQL that was left running");
    return found;
  }
  logger?.warn(
    { serverPid: found.pid },
    "stopping an embedded PostgreSQL that was left running and does not answer",
  );
  await stopPostmaster(found.pid, dataDirectory);
  return undefined;
}

async function start(
  home: ClusterHome,
  binaries: Binaries,
  dataDirectory: string,
  password: string,
  options: EmbeddedPostgresOptions,
): Promise<Server> {
  let cause: unknown;
  // Another program may take the port between our look and PostgreSQL's; a lingering process of a crashed server may hold its memory.
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const port = await freePort();
    const pid = spawnServer(home, binaries.postgres, dataDirectory, {
      ...ownSettings,
      ...options.settings,
      port: String(port),
    });
    if (pid !== undefined && (await waitUntilReady(pid, dataDirectory, startTimeoutMs))) {
      try {
        await ensureDatabase(port, password);
        options.logger?.info({ serverPid: pid, port }, "embedded PostgreSQL is running");
        return { pid, port };
      } catch (error) {
        cause = error;
      }
    }
    if (pid !== undefined) await stopPostmaster(pid, dataDirectory);
  }
  const tail = existsSync(home.logFile)
    ? readFileSync(home.logFile, "utf8").trim().split("\n").slice(-5).join("\n")
    : "";
  throw new AppError(
    "ledger_unavailable",
    `the embedded PostgreSQL does not start; its log ${home.logFile} ends with: ${tail}`,
    { cause },
  );
}

/** In a process group of its own, so that a Ctrl-C in our terminal reaches us alone and the order of the shutdown is ours. */
function spawnServer(
  home: ClusterHome,
  postgres: string,
  dataDirectory: string,
  settings: Readonly<Record<string, string>>,
): number | undefined {
  mkdirSync(home.dataDir, { recursive: true });
  if (existsSync(home.logFile) && statSync(home.logFile).size > maxLogBytes)
    renameSync(home.logFile, `${home.logFile}.1`);
  const log = openSync(home.logFile, "a", 0o600);
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  // The environment is empty: our secrets are none of its business, and PG* variables of the user's would change what it does.
  const child = spawn(postgres, ["-D", dataDirectory, ...flags], {
    cwd: "/",
    env: { LC_ALL: "C" },
    detached: true,
    stdio: ["ignore", log, log],
    ...home.account,
  });
  child.on("error", () => undefined);
  child.unref();
  closeSync(log);
  return child.pid;
}

async function ensureDatabase(port: number, password: string): Promise<void> {
  const client = new pg.Client({
    connectionString: connectionUrl(port, password, "postgres"),
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const found = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [role]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${role} OWNER ${role}`);
  } finally {
    await client.end().catch(() => undefined);
  }
}

export function connectionUrl(port: number, password: string, database: string): string {
  return `postgres://${role}:${password}@127.0.0.1:${port}/${database}`;
}

function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const probe = createServer();
  probe.once("error", reject);
  probe.listen(0, "127.0.0.1", () => {
    const address = probe.address();
    probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return promise;
}
