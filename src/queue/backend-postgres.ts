import { PostgresConnection, PostgresQueueBackend, type BackendFactory, type QueueBaseOptions } from "bullmq";
import type { EventEmitter } from "node:events";
import { AppError } from "../errors.ts";
import { type Backend, restAfterFaults } from "./backend.ts";
import type { FaultLog } from "./fault-log.ts";

type ListenClient = Awaited<ReturnType<PostgresConnection["getListenClient"]>>;

/** Every worker listens on the one connection for notifications, however many there are. */
class SharedConnection extends PostgresConnection {
  #prepared: ListenClient | undefined;

  override async getListenClient(): Promise<ListenClient> {
    const client = await super.getListenClient();
    if (client !== this.#prepared) {
      this.#prepared = client;
      (client as unknown as EventEmitter).setMaxListeners(0);
      oneByOne(client);
    }
    return client;
  }
}

/** Has a client's statements wait for each other: workers begin to listen at the same time, and the driver means to stop queueing for them. */
function oneByOne(client: ListenClient): void {
  const query = client.query.bind(client);
  let last: Promise<unknown> = Promise.resolve();
  client.query = <R>(text: string, values?: readonly unknown[]) => {
    const next = last.then(() => query<R>(text, values));
    last = next.catch(() => undefined);
    return next;
  };
}

/** A bulk insert makes two temporary tables, which takes as long as this many jobs one by one. */
const bulkFrom = 12;

/**
 * BullMQ on PostgreSQL: one small pool and one listening connection for all queues and workers of the process. Rings may be lost in a
 * crash of the server (`synchronous_commit=off`), which the ledger's sweeper makes good. Makes its schema when it is not there; throws
 * `queue_unavailable` when the server cannot be reached.
 */
export async function openPostgresBackend(url: string, schema: string, faults: FaultLog): Promise<Backend> {
  const connection = new SharedConnection({ ...connectionSettings(url), schema, migrate: true });
  connection.setMaxListeners(0);
  connection.on("error", (error: unknown) => {
    if (connection.isClosing === undefined) faults.report("postgres connection fault", error);
  });
  try {
    await connection.waitUntilReady();
  } catch (cause) {
    await connection.close();
    throw new AppError("queue_unavailable", "the queue's schema could not be prepared in PostgreSQL", {
      cause,
    });
  }
  return {
    factory: sharing(connection),
    producerConnection: {},
    workerConnection: {},
    add: async (queue, jobs) => {
      if (jobs.length > bulkFrom) await queue.addBulk([...jobs]);
      else await Promise.all(jobs.map(({ name, data, opts }) => queue.add(name, data, opts)));
    },
    prefix: () => schema,
    ping: async () => {
      await connection.pool.query("SELECT 1");
    },
    close: () => connection.close(),
  };
}

function connectionSettings(url: string): { readonly connectionString: string } & Record<string, unknown> {
  const connectionString = new URL(url);
  // The driver lets the URL's options win over ours, and ours carry the schema.
  const options = connectionString.searchParams.get("options") ?? "";
  connectionString.searchParams.delete("options");
  return {
    connectionString: connectionString.href,
    options: `${options} -c synchronous_commit=off`.trim(),
    application_name: "deskbridge queue",
    max: 8,
    connectionTimeoutMillis: 5_000,
    query_timeout: 30_000,
    keepAlive: true,
  };
}

function sharing(connection: PostgresConnection): BackendFactory {
  return (name, options, roles) => {
    const backend = new PostgresQueueBackend(
      connection,
      name,
      options as unknown as QueueBaseOptions<PostgresConnection["pool"]>,
      false,
    );
    if (roles?.withBlockingConnection !== true) return backend;
    // A backend that shares its connection is not told when the listening client was replaced: end its wait, so that it listens anew.
    const listenAgain = () => {
      void backend.disconnectBlocking().then(() => backend.reconnectBlocking());
    };
    connection.on("listenerinvalidated", listenAgain);
    const close = async () => void connection.off("listenerinvalidated", listenAgain);
    return Object.assign(restAfterFaults(backend, 500), { close });
  };
}
