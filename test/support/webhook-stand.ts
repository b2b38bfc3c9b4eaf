import { expect, vi } from "vitest";
import { openBullmqQueue } from "../../src/queue/bullmq.ts";
import type { WebhookSending } from "../../src/desk/webhooks.ts";
import { captureLog } from "./captured-log.ts";
import type { DeskRequest, DeskStand } from "./desk.ts";
import { openDeskStand } from "./desk.ts";

export type Json = Readonly<Record<string, unknown>>;

/** The Support API on a database of its own, sending webhooks to the loopback. */
export interface WebhookStand {
  readonly stand: DeskStand;
  readonly sending: WebhookSending;
  readonly log: ReturnType<typeof captureLog>;
  /** Sends a request that has to succeed; its answer as JSON. */
  readonly ask: (method: DeskRequest["method"], path: string, body?: object) => Promise<Json>;
  /** Makes a webhook; its id and secret. */
  readonly subscribe: (
    url: string,
    events: readonly string[],
    more?: object,
  ) => Promise<{ id: string; secret: string }>;
  /** Makes a ticket with a message; its id. */
  readonly newTicket: (subject?: string) => Promise<string>;
  /** The deliveries of a webhook, newest first, when they are as wanted. */
  readonly deliveries: (
    webhook: string,
    wanted: (deliveries: readonly Json[]) => void,
  ) => Promise<readonly Json[]>;
  readonly close: () => Promise<void>;
}

interface Options {
  /** On PostgreSQL unless told. */
  readonly redisUrl?: string;
  readonly timeLimitMs?: number;
}

export async function openWebhookStand({ redisUrl, timeLimitMs }: Options = {}): Promise<WebhookStand> {
  const log = captureLog();
  const stand = await openDeskStand({ logger: log.logger, webhookAllowHosts: ["127.0.0.1"] });
  const backend = redisUrl === undefined ? { postgresUrl: stand.databaseUrl } : { redisUrl };
  const queue = await openBullmqQueue({ ...backend, logger: log.logger });
  const sending = await stand.desk.sendWebhooks({
    queue,
    random: () => 0.5,
    ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
  });
  const ask: WebhookStand["ask"] = async (method, path, body) => {
    const answer = await stand.send({ method, path, body });
    expect([path, answer.status < 300, answer.text]).toEqual([path, true, answer.text]);
    return answer.json as Json;
  };
  return {
    stand,
    sending,
    log,
    ask,
    subscribe: async (url, events, more = {}) =>
      (await ask("POST", "/v1/webhooks", { url, events, ...more })) as { id: string; secret: string },
    newTicket: async (subject = "Late") => {
      const requester = { email: "ada@example.com", name: "Ada" };
      return (await ask("POST", "/v1/tickets", { subject, requester, message: { text: "Where is it?" } }))
        .id as string;
    },
    deliveries: (webhook, wanted) =>
      vi.waitFor(
        async () => {
          const found = (await ask("GET", `/v1/webhooks/${webhook}/deliveries`)).data as readonly Json[];
          wanted(found);
          return found;
        },
        { timeout: 20_000, interval: 20 },
      ),
    close: async () => {
      await sending.close(1000);
      await queue.close();
      await stand.close();
    },
  };
}
