import type { AppError } from "../../errors.ts";
import { migrate } from "../../ledger/migrate.ts";
import { openPool } from "../../ledger/pool.ts";
import type { FeedPosition } from "../change.ts";
import type { AttachmentStore } from "./attachments.ts";
import { createAttachmentStore } from "./attachments.ts";
import type { ChangePage, ChangeRequest } from "./changes.ts";
import { feedEnd, readChanges } from "./changes.ts";
import type { DatasetStore } from "./datasets.ts";
import { createDatasetStore } from "./datasets.ts";
import type { EndUserStore } from "./end-users.ts";
import { createEndUserStore } from "./end-users.ts";
import { guarded } from "./fault.ts";
import type { KeyRow, NewKeyRow } from "./keys.ts";
import { findKey, insertKey, listKeys, revokeKey, touchKeys } from "./keys.ts";
import type { ListQuery, Page } from "./list.ts";
import { listPage } from "./list.ts";
import { foldMetrics } from "./metrics-fold.ts";
import type { MetricFigures, MetricRequest } from "./metrics-read.ts";
import { readMetrics } from "./metrics-read.ts";
import type { Found, Lookup } from "./read.ts";
import { find } from "./read.ts";
import { searchTickets } from "./search.ts";
import type { WebhookStore } from "./webhooks.ts";
import { createWebhookStore } from "./webhooks.ts";
import type { Write, Written } from "./write.ts";
import { pruneIdempotency, write, writeMany } from "./write.ts";

/** The Support API's tables. Every method throws `ledger_unavailable` when the database does not answer. */
export interface DeskStore {
  readonly write: (request: Write) => Promise<Written>;
  /** Several writes in one transaction, each with its answer or its error; throws, with nothing written, where the whole was broken off. */
  readonly writeMany: (requests: readonly Write[]) => Promise<readonly (Written | AppError)[]>;
  readonly find: (lookup: Lookup, values: readonly (string | number)[]) => Promise<Found | undefined>;
  readonly list: (query: ListQuery) => Promise<Page>;
  /** A list of tickets that has `words`. */
  readonly searchTickets: (query: ListQuery, words: string) => Promise<Page>;
  readonly readChanges: (request: ChangeRequest) => Promise<ChangePage>;
  readonly feedEnd: () => Promise<FeedPosition>;
  readonly webhooks: WebhookStore;
  readonly endUsers: EndUserStore;
  readonly attachments: AttachmentStore;
  readonly datasets: DatasetStore;
  readonly readMetrics: (request: MetricRequest) => Promise<MetricFigures>;
  /** Folds what was written since into the figures by day, `batch` changes at a time; returns how many tickets that were. */
  readonly foldMetrics: (batch: number) => Promise<number>;
  readonly insertKey: (key: NewKeyRow) => Promise<KeyRow>;
  readonly listKeys: () => Promise<readonly KeyRow[]>;
  readonly findKey: (hash: Buffer) => Promise<KeyRow | undefined>;
  readonly revokeKey: (id: number) => Promise<KeyRow | undefined>;
  readonly touchKeys: (uses: ReadonlyMap<number, Date>) => Promise<void>;
  readonly pruneIdempotency: (before: Date, batch: number) => Promise<number>;
  readonly ping: () => Promise<void>;
  readonly close: () => Promise<void>;
}

interface DeskStoreOptions {
  readonly databaseUrl: string;
  readonly maxConnections: number;
  readonly onError: (error: Error) => void;
  /** See `DeskOptions`. */
  readonly datasetFoldMs?: number;
}

const schema = "deskbridge_desk";

// Every query of the desk has its index. A plan that was made while the tables were small must not keep reading them whole when they are
// large; compiling plans to machine code is for long queries, and there are none.
const settings = [
  `search_path=${schema}`,
  "enable_seqscan=off",
  "jit=off",
  // Rows for warehouses have their times in UTC.
  "timezone=UTC",
  // Whoever waits longer for another request's lock gets 409 and comes again.
  "lock_timeout=3000",
];

/** Four reads of whole datasets at a time, each with the page that it is at and the one that it asks for ahead; more of them wait. */
const rowConnections = 8;

/** Short enough for whoever waits to be told now and then how far it is. */
const usualFoldMs = 5000;

/** Opens the store and brings its schema up to date; the caller closes it. */
export async function openDeskStore(options: DeskStoreOptions): Promise<DeskStore> {
  const { databaseUrl, onError, maxConnections, datasetFoldMs = usualFoldMs } = options;
  const common = { options: settings.map((setting) => `-c ${setting}`).join(" "), onError };
  const pool = openPool(databaseUrl, { ...common, max: maxConnections, applicationName: "deskbridge-desk" });
  // Apart from the others: whoever reads many rows slowly keeps nobody from their ticket.
  const rowPool = openPool(databaseUrl, {
    ...common,
    max: rowConnections,
    applicationName: "deskbridge-desk-rows",
    statementTimeoutMs: 0,
  });
  const datasets = createDatasetStore(pool, { rowPool, foldMs: datasetFoldMs });
  const close = async (): Promise<void> => {
    datasets.close();
    await Promise.all([pool.end(), rowPool.end()]);
  };
  try {
    await guarded(async () => {
      await migrate(pool, { schema, directory: new URL("../migrations/", import.meta.url) });
      await pool.query("select rebase_feed()");
    });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    write: (request) => write(pool, request),
    writeMany: (requests) => writeMany(pool, requests),
    find: (lookup, values) => find(pool, lookup, values),
    list: (query) => listPage(pool, query),
    searchTickets: (query, words) => searchTickets(pool, query, words),
    readChanges: (request) => readChanges(pool, request),
    feedEnd: () => feedEnd(pool),
    webhooks: createWebhookStore(pool),
    endUsers: createEndUserStore(pool),
    attachments: createAttachmentStore(pool),
    datasets,
    readMetrics: (request) => readMetrics(pool, request),
    foldMetrics: (batch) => foldMetrics(pool, batch),
    insertKey: (key) => insertKey(pool, key),
    listKeys: () => listKeys(pool),
    findKey: (hash) => findKey(pool, hash),
    revokeKey: (id) => revokeKey(pool, id),
    touchKeys: (uses) => touchKeys(pool, uses),
    pruneIdempotency: (before, batch) => pruneIdempotency(pool, before, batch),
    ping: () => guarded(async () => void (await pool.query("select 1"))),
    close,
  };
}
