import type { Logger } from "pino";
import { locateBinaries } from "./embedded-binaries.ts";
import { connectionUrl, initialiseCluster } from "./embedded-cluster.ts";
import { lockHome, prepareHome, readPassword } from "./embedded-home.ts";
import { isRunning, stopPostmaster } from "./embedded-postmaster.ts";
import { adoptServer, type Cluster, type Server, startServer } from "./embedded-server.ts";

export interface EmbeddedPostgresOptions {
  /** Made when it is not there. Holds the cluster (or a pointer to it), its password and its log; survives restarts. */
  readonly dataDir: string;
  readonly logger?: Logger;
  /** PostgreSQL settings over our own, such as `fsync: "off"` for tests. A server that is adopted keeps what it was started with. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running embedded PostgreSQL. Should its server end by itself it is started again, on the same port. */
export interface EmbeddedPostgres {
  /** Connects to the database `deskbridge` as its owner. Holds the password: never log it. */
  readonly url: string;
  /** Of the server that runs now. */
  readonly pid: number;
  /** Ends all sessions, stops the server and lets the data directory go. */
  readonly close: () => Promise<void>;
}

const watchEveryMs = 500;

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
    const dataDirectory = initialiseCluster(home, binaries, password);
    const { logger, settings = {} } = options;
    const cluster: Cluster = { home, postgres: binaries.postgres, dataDirectory, password, settings, logger };
    const server = (await adoptServer(cluster)) ?? (await startServer(cluster));
    const watched = watch(cluster, server);
    let closing: Promise<void> | undefined;
    return {
      url: connectionUrl(server.port, password),
      get pid() {
        return watched.pid();
      },
      close: () => (closing ??= watched.stop().finally(unlock)),
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

interface Watched {
  readonly pid: () => number;
  readonly stop: () => Promise<void>;
}

/** A server may be killed for want of memory; nobody but us would start it again. */
function watch(cluster: Cluster, first: Server): Watched {
  const { logger, dataDirectory } = cluster;
  let server = first;
  let restarting: Promise<void> | undefined;
  const restart = async () => {
    logger?.error({ serverPid: server.pid }, "the embedded PostgreSQL ended by itself; starting it again");
    try {
      server = await startServer(cluster, server.port);
    } catch (error) {
      logger?.error({ err: error }, "the embedded PostgreSQL could not be started again");
    }
    restarting = undefined;
  };
  const timer = setInterval(() => {
    if (!isRunning(server.pid)) restarting ??= restart();
  }, watchEveryMs);
  timer.unref();
  return {
    pid: () => server.pid,
    stop: async () => {
      clearInterval(timer);
      await restarting;
      await stopPostmaster(server.pid, dataDirectory);
    },
  };
}
