import type { FastifyPluginAsync } from "fastify";
import type { Logger } from "pino";
import { createFeed } from "./feed.ts";
import type { ApiKeys } from "./key.ts";
import { createApiKeys } from "./key.ts";
import { createKeyRing } from "./key-ring.ts";
import { createDeskPlugin } from "./plugin.ts";
import type { DeskStore } from "./store/store.ts";
import { openDeskStore } from "./store/store.ts";

interface DeskOptions {
  readonly databaseUrl: string;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A key with every scope, good as long as this process runs with it. */
  readonly bootstrapKey?: string;
  /** Connections to the database; 8 unless told. */
  readonly maxConnections?: number;
}

/** The built-in support desk. */
export interface SupportDesk {
  /** The routes under `/v1`, for the HTTP server. */
  readonly plugin: FastifyPluginAsync;
  readonly keys: ApiKeys;
  /** Notes the last use of keys and forgets idempotency keys older than 72 hours; runs by itself every minute. */
  readonly maintain: () => Promise<void>;
  /** Throws `ledger_unavailable` when the database does not answer. */
  readonly ping: () => Promise<void>;
  /** Close the HTTP server first. */
  readonly close: () => Promise<void>;
}

/** How long an idempotency key is remembered, in seconds. */
export const idempotencyWindowSeconds = 72 * 3600;

const maintenanceMs = 60_000;
const pruneBatch = 2000;

/** Opens the desk on its own schema of the database, brought up to date first; the caller closes it. */
export async function openDesk(options: DeskOptions): Promise<SupportDesk> {
  const { databaseUrl, logger, now, bootstrapKey, maxConnections = 8 } = options;
  const database = await openDeskStore({
    databaseUrl,
    maxConnections,
    onError: (error) => logger.warn({ err: error }, "a database connection of the desk was lost"),
  });
  const feed = createFeed({
    source: database,
    onFault: (error) => logger.warn({ err: error }, "the change feed could not be read; it is tried again"),
  });
  const store: DeskStore = {
    ...database,
    write: async (request) => {
      const written = await database.write(request);
      feed.wake();
      return written;
    },
  };
  const keyRing = createKeyRing({ store, now, bootstrapKey });
  const maintain = async (): Promise<void> => {
    await keyRing.flush();
    await store.pruneIdempotency(new Date(now() - idempotencyWindowSeconds * 1000), pruneBatch);
  };
  const timer = setInterval(() => {
    maintain().catch((error: unknown) =>
      logger.warn({ err: error }, "the desk's upkeep failed; it is tried again"),
    );
  }, maintenanceMs);
  timer.unref();
  return {
    plugin: createDeskPlugin(store, keyRing, feed),
    keys: createApiKeys(store, keyRing.forget),
    maintain,
    ping: store.ping,
    close: async () => {
      clearInterval(timer);
      feed.close();
      try {
        await keyRing.flush();
      } finally {
        await store.close();
      }
    },
  };
}
