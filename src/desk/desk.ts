import type { FastifyPluginAsync } from "fastify";
import type { Logger } from "pino";
import type { AttachmentOptions, Attachments } from "./attachments.ts";
import { createAttachments } from "./attachments.ts";
import type { EndUserOptions } from "./end-user.ts";
import { createEndUserGate } from "./end-user.ts";
import { createOwnEvents } from "./end-user-feed.ts";
import type { Feed } from "./feed.ts";
import { createFeed } from "./feed.ts";
import type { ApiKeys } from "./key.ts";
import { createApiKeys } from "./key.ts";
import type { KeyRing } from "./key-ring.ts";
import { createKeyRing } from "./key-ring.ts";
import { readLastDay } from "./last-day.ts";
import { longestLifetimeMs } from "./merchant-token.ts";
import type { RequestLimits } from "./limit.ts";
import { createLimiter, usualLimits } from "./limit.ts";
import type { SupportDay } from "../telemetry/metrics.ts";
import { createDeskPlugin } from "./plugin.ts";
import type { DeskStore } from "./store/store.ts";
import { openDeskStore } from "./store/store.ts";
import type { Write } from "./store/write.ts";
import type { WebhookAddresses } from "./webhook-address.ts";
import { createWebhookAddresses } from "./webhook-address.ts";
import type { WebhookOptions, WebhookSending } from "./webhooks.ts";
import { startWebhooks } from "./webhooks.ts";

interface DeskOptions {
  readonly databaseUrl: string;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A key with every scope, good as long as this process runs with it. */
  readonly bootstrapKey?: string;
  /** Connections to the database; 8 unless told. */
  readonly maxConnections?: number;
  /** Host names, addresses and ranges that webhooks may go to although they are not public; none unless told. */
  readonly webhookAllowHosts?: readonly string[];
  /** Without it end users have tokens of the desk's own only, and no web page may call it from a browser. */
  readonly endUsers?: EndUserOptions;
  /** Without it the routes of attachments are refused. */
  readonly attachments?: AttachmentOptions;
  /** How much each caller may ask in this process; `usualLimits` unless told. */
  readonly limits?: RequestLimits;
  /** How long a page of `metrics_daily` may take part in adding up what nobody has yet, in milliseconds; 5,000 unless told. After that it is empty. */
  readonly datasetFoldMs?: number;
}

/** The built-in support desk. */
export interface SupportDesk {
  /** The routes under `/v1`, for the HTTP server. */
  readonly plugin: FastifyPluginAsync;
  readonly keys: ApiKeys;
  /** Notes the last use of keys, forgets idempotency keys older than 72 hours and folds the metrics; runs by itself every minute. */
  readonly maintain: () => Promise<void>;
  /** Starts sending webhooks in this process; the caller closes it before the desk. */
  readonly sendWebhooks: (options: WebhookOptions) => Promise<WebhookSending>;
  /** The support metrics of the last whole day (UTC), as of now. */
  readonly lastDay: () => Promise<SupportDay>;
  /** Throws `ledger_unavailable` when the database does not answer. */
  readonly ping: () => Promise<void>;
  /** Close the HTTP server first. */
  readonly close: () => Promise<void>;
}

/** How long an idempotency key is remembered, in seconds. */
export const idempotencyWindowSeconds = 72 * 3600;

const maintenanceMs = 60_000;
const pruneBatch = 2000;

/** How long a query of the metrics may have to add up what was written since the last fold. */
const foldMs = 10_000;
const foldBatch = 5000;

/** Opens the desk on its own schema of the database, brought up to date first; the caller closes it. */
export async function openDesk(options: DeskOptions): Promise<SupportDesk> {
  const { databaseUrl, logger, now, bootstrapKey, maxConnections = 8, datasetFoldMs } = options;
  const database = await openDeskStore({
    databaseUrl,
    maxConnections,
    onError: (error) => logger.warn({ err: error }, "a database connection of the desk was lost"),
    ...(datasetFoldMs === undefined ? {} : { datasetFoldMs }),
  });
  const addresses = createWebhookAddresses(options.webhookAllowHosts ?? []);
  let sending: WebhookSending | undefined;
  const feed = createFeed({
    source: database,
    onFault: (error) => logger.warn({ err: error }, "the change feed could not be read; it is tried again"),
  });
  const store = announcing(database, ({ operation }) => {
    feed.wake();
    // So that a test or a retry need not wait for the sweeper.
    if (operation.includes("webhook")) sending?.renew();
    if (operation === "erase_contact") void sweep();
  });
  const attachments =
    options.attachments && createAttachments({ ...options.attachments, store, logger, now });
  const sweep = async (): Promise<void> => {
    await attachments?.sweep().catch((error: unknown) => {
      logger.warn({ err: error }, "files could not be removed; it is tried again");
    });
  };
  const keyRing = createKeyRing({ store, now, bootstrapKey });
  const upkeep = startUpkeep({ store, keyRing, sweep, logger, now });
  return {
    plugin: openPlugin(options, { store, keys: keyRing, feed, addresses, attachments }),
    keys: createApiKeys(store, keyRing.forget),
    maintain: upkeep.maintain,
    sendWebhooks: async (how) => {
      sending = await startWebhooks({ ...how, store: store.webhooks, feed, addresses, logger, now });
      return sending;
    },
    lastDay: () => readLastDay(store, now()),
    ping: store.ping,
    close: async () => {
      upkeep.stop();
      feed.close();
      try {
        await keyRing.flush();
        await attachments?.close();
      } finally {
        await store.close();
      }
    },
  };
}

interface PluginParts {
  readonly store: DeskStore;
  readonly keys: KeyRing;
  readonly feed: Feed;
  readonly addresses: WebhookAddresses;
  readonly attachments: Attachments | undefined;
}

function openPlugin(
  { now, endUsers, limits = usualLimits }: DeskOptions,
  { store, keys, feed, addresses, attachments }: PluginParts,
): FastifyPluginAsync {
  return createDeskPlugin({
    store,
    keys,
    endUsers: createEndUserGate({ store: store.endUsers, merchantTokens: endUsers?.merchantTokens, now }),
    origins: endUsers?.origins ?? [],
    limiter: createLimiter(limits, now),
    feed,
    ownEvents: createOwnEvents(feed, store.endUsers),
    context: { now, webhookAddresses: addresses, attachments },
  });
}

interface UpkeepParts {
  readonly store: DeskStore;
  readonly keyRing: KeyRing;
  readonly sweep: () => Promise<void>;
  readonly logger: Logger;
  readonly now: () => number;
}

/** What is done by the clock, until it is stopped. */
function startUpkeep({ store, keyRing, sweep, logger, now }: UpkeepParts): Pick<SupportDesk, "maintain"> & {
  readonly stop: () => void;
} {
  const maintain = async (): Promise<void> => {
    await keyRing.flush();
    await store.foldMetrics(foldBatch);
    await sweep();
    await store.endUsers.prune(new Date(now()), new Date(now() - longestLifetimeMs));
    await store.pruneIdempotency(new Date(now() - idempotencyWindowSeconds * 1000), pruneBatch);
  };
  const timers = [
    repeat(maintenanceMs, maintain, logger),
    repeat(foldMs, () => store.foldMetrics(foldBatch), logger),
  ];
  return { maintain, stop: () => timers.forEach((timer) => clearInterval(timer)) };
}

/** Does something now and then, without keeping the process up for it. */
function repeat(everyMs: number, task: () => Promise<unknown>, logger: Logger): NodeJS.Timeout {
  const onFault = (error: unknown): void =>
    logger.warn({ err: error }, "the desk's upkeep failed; it is tried again");
  return setInterval(() => void task().catch(onFault), everyMs).unref();
}

/** The store, telling of every write after it was made. */
function announcing(store: DeskStore, onWritten: (request: Write) => void): DeskStore {
  return {
    ...store,
    write: async (request) => {
      const written = await store.write(request);
      onWritten(request);
      return written;
    },
    writeMany: async (requests) => {
      const written = await store.writeMany(requests);
      for (const request of requests) onWritten(request);
      return written;
    },
  };
}
