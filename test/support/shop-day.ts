import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Day, Step } from "../../demo/day/day.ts";
import { createDay } from "../../demo/day/day.ts";
import { differences } from "../../demo/desk/comparison.ts";
import { createSupportApi } from "../../demo/desk/support-api.ts";
import type { FakeShop } from "../../demo/shop/admin-api.ts";
import { openFakeShop } from "../../demo/shop/admin-api.ts";
import { playDay } from "../../demo/shop/player.ts";
import type { Sender } from "../../demo/shop/sender.ts";
import { createSender } from "../../demo/shop/sender.ts";
import { demoConfigPath, demoVariables, shopConnection, shopDomain } from "../../demo/stage.ts";
import { visitEmbeddedPostgres } from "../../src/ledger/embedded-visit.ts";
import { openPool } from "../../src/ledger/pool.ts";
import { ledgerSchema } from "../../src/ledger/postgres.ts";
import type { LedgerCounts, LedgerReader } from "../../src/ledger/reader.ts";
import { createLedgerReader } from "../../src/ledger/reader.ts";

/** The secrets of a shop's day; none of them may be seen in anything that a process writes. */
const clientSecret = "client-secret-of-the-day-3f9c1a";
const apiKey = "api-key-of-the-day-77d0be4512aa90";

/** The demo's day, its shop, and what a deskbridge process needs to work for it. */
export interface ShopDay {
  readonly day: Day;
  readonly shop: FakeShop;
  readonly config: string;
  readonly variables: Readonly<Record<string, string>>;
  /**
   * Plays the day into the deskbridge that `urlOf` names at that moment, and sends again what was not answered. Resolves with the statuses by
   * step when all are.
   */
  readonly play: (
    urlOf: () => string | Promise<string>,
    onAnswer?: (answers: number) => void,
  ) => Promise<ReadonlyMap<Step, number>>;
  /** Sends one step of the day, and resolves with the status of its answer. */
  readonly send: (url: string, step: Step) => Promise<number>;
  /** What is on the Support API and should not be, and the other way round; empty when every event was done exactly once. */
  readonly differences: (url: string) => Promise<readonly string[]>;
  /** What of the day's secrets and addresses can be read in a text. */
  readonly leaks: (text: string) => readonly string[];
  readonly close: () => Promise<void>;
}

export async function openShopDay(seed: number): Promise<ShopDay> {
  const day = createDay(seed, Date.parse("2026-11-21T00:00:00Z"));
  const shop = await openFakeShop();
  shop.setOrders(day.orders);
  const secrets = [
    clientSecret,
    apiKey,
    shop.accessToken,
    ...day.orders.map((order) => order.customer.email),
  ];
  return {
    day,
    shop,
    config: demoConfigPath,
    variables: { ...demoVariables(shop, clientSecret), DESKBRIDGE_API_KEY: apiKey },
    send: (url, step) => senderTo(() => url).send(step),
    play: async (urlOf, onAnswer) => {
      const answers = new Map<Step, number>();
      const { send } = senderTo(urlOf);
      await playDay(day.steps, {
        send,
        concurrency: 8,
        onAnswer: (step, status) => {
          answers.set(step, status);
          onAnswer?.(answers.size);
        },
      });
      return answers;
    },
    differences: async (url) => {
      const api = createSupportApi(url, apiKey);
      const tickets = await api.ticketsAfter(0);
      const orders = await Promise.all(
        day.expected.orders.map((order) => api.order(shopConnection, order.id)),
      );
      return differences(day.expected, tickets, orders);
    },
    leaks: (text) => secrets.filter((secret) => text.includes(secret)),
    close: shop.close,
  };
}

function senderTo(urlOf: () => string | Promise<string>): Sender {
  return createSender({
    hookUrl: async () => `${await urlOf()}/hooks/${shopConnection}`,
    clientSecret,
    shopDomain,
    giveUpMs: 90_000,
  });
}

/** What the ledger holds now. */
export async function ledgerCounts(databaseUrl: string): Promise<LedgerCounts> {
  return withReader(databaseUrl, (reader) => reader.counts());
}

/** What the ledger holds when it has so many events and no delivery is pending; throws when that does not come within the time. */
export async function settledCounts(
  databaseUrl: string,
  events: number,
  withinMs: number,
): Promise<LedgerCounts> {
  return withReader(databaseUrl, async (reader) => {
    const until = Date.now() + withinMs;
    for (;;) {
      const counts = await reader.counts();
      if (counts.deliveries.pending === 0 && counts.events >= events) return counts;
      if (Date.now() > until) throw new Error(`not settled in ${withinMs} ms: ${JSON.stringify(counts)}`);
      await pause(100);
    }
  });
}

async function withReader<T>(databaseUrl: string, look: (reader: LedgerReader) => Promise<T>): Promise<T> {
  const pool = openPool(databaseUrl, {
    max: 4,
    applicationName: "test",
    options: `-c search_path=${ledgerSchema}`,
    onError: () => undefined,
  });
  try {
    return await look(createLedgerReader(pool));
  } finally {
    await pool.end();
  }
}

/** Address of the embedded PostgreSQL that a running deskbridge has in its data directory. */
export async function embeddedUrl(dataDir: string): Promise<string> {
  const visit = await visitEmbeddedPostgres({ dataDir: join(dataDir, "postgres") });
  await visit.close();
  return visit.url;
}
