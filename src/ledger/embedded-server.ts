import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { AppError } from "../errors.ts";
import { ensureDatabase } from "./embedded-cluster.ts";
import type { ClusterHome } from "./embedded-home.ts";
import {
  clearForeignPidFile,
  isPostmasterOf,
  readPostmaster,
  stopPostmaster,
  waitUntilReady,
} from "./embedded-postmaster.ts";

/** All that is needed to run the server of a cluster. */
export interface Cluster {
  readonly home: ClusterHome;
  /** The server program. */
  readonly postgres: string;
  readonly dataDirectory: string;
  readonly password: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly logger: Logger | undefined;
}

export interface Server {
  readonly pid: number;
  readonly port: number;
}

const startTimeoutMs = 120_000;
const attempts = 5;
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
  // Found a tenth of a second after it began, a deadlock is broken and gone before anybody has waited too long.
  deadlock_timeout: "100ms",
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

/** The server that still runs from a former life, when it answers to our password. One that does not answer is stopped. */
export async function adoptServer({ dataDirectory, password, logger }: Cluster): Promise<Server | undefined> {
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

/** Starts the server, on the port given or on a free one of loopback. Throws `ledger_unavailable` with the end of its log. */
export async function startServer(cluster: Cluster, onPort?: number): Promise<Server> {
  const { home, dataDirectory, password, logger } = cluster;
  let cause: unknown;
  // Another program may take the port between our look and PostgreSQL's; what is left of a crashed server may hold its memory a moment.
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    await delay(attempt * 300);
    const port = onPort ?? (await freePort());
    const pid = spawnServer(cluster, port);
    if (pid === undefined) continue;
    try {
      if (await waitUntilReady(pid, dataDirectory, startTimeoutMs)) {
        await ensureDatabase(port, password);
        logger?.info({ serverPid: pid, port }, "embedded PostgreSQL is running");
        return { pid, port };
      }
    } catch (error) {
      cause = error;
    }
    await stopPostmaster(pid, dataDirectory);
  }
  const log = existsSync(home.logFile) ? readFileSync(home.logFile, "utf8") : "";
  const end = log.trim().split("\n").slice(-5).join("\n");
  throw new AppError(
    "ledger_unavailable",
    `the embedded PostgreSQL does not start; its log ${home.logFile} ends with: ${end}`,
    { cause },
  );
}

/** In a process group of its own, so that a Ctrl-C in our terminal reaches us alone and the order of the shutdown is ours. */
function spawnServer({ home, postgres, dataDirectory, settings }: Cluster, port: number): number | undefined {
  if (existsSync(home.logFile) && statSync(home.logFile).size > maxLogBytes) {
    renameSync(home.logFile, `${home.logFile}.1`);
  }
  const log = openSync(home.logFile, "a", 0o600);
  const flags = Object.entries({ ...ownSettings, ...settings, port: String(port) }).flatMap(
    ([name, value]) => ["-c", `${name}=${value}`],
  );
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
