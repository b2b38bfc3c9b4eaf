import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { standardWebhooksHeaders } from "../sdk/signature.ts";
import type { SettledAttempt, TakenDelivery, WebhookRow, WebhookStore } from "./store/webhooks.ts";
import type { WebhookAnswer, WebhookCaller } from "./webhook-call.ts";
import { outcomeOf } from "./webhook-outcome.ts";
import { formatObjectId } from "./object-id.ts";

export type WebhookResult = SettledAttempt["result"];

export interface SenderOptions {
  readonly store: WebhookStore;
  readonly caller: WebhookCaller;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Counts attempts. */
  readonly onAttempt: (result: WebhookResult) => void;
}

/** Calls at a time to one receiver from one process. */
const mostCalls = 16;
/** How long the end of one call waits for that of others, in milliseconds. */
const gatherMs = 3;
/** Longer than a call may take, with time to write down how it ended. */
const leaseMs = 20_000;
/** What is kept of a body, in characters. */
const keptText = 10_000;

/**
 * Makes deliveries of what is new to the webhook and sends those that are due, until there are none or the signal says so; calls that are
 * under way then are finished. Any number of processes may do so at once: each delivery is handed to one of them.
 */
export async function sendDue(id: number, signal: AbortSignal, options: SenderOptions): Promise<void> {
  const { store, now } = options;
  const calls = new Set<Promise<void>>();
  let short = true;
  while (!signal.aborted) {
    const webhook = await store.webhook(id);
    if (webhook === undefined) break;
    // Only when fewer were due than could be sent is it time to look at the feed.
    const more = !short || (webhook.enabled && (await store.fanOut(id, new Date(now()))));
    const lease = randomUUID();
    const limit = mostCalls - calls.size;
    const until = new Date(now() + leaseMs);
    const taken = await store.take(id, { limit, lease, until, now: new Date(now()) });
    for (const delivery of taken) {
      const call: Promise<void> = deliver(webhook, delivery, lease, options).finally(() =>
        calls.delete(call),
      );
      calls.add(call);
    }
    short = taken.length < limit;
    if (calls.size === mostCalls || (taken.length === 0 && calls.size > 0)) await someEnd(calls);
    else if (taken.length === 0 && !more) break;
  }
  await Promise.all(calls);
}

/** Until one has ended, and those that end within the next moment with it: what follows is done for all of them at once. */
async function someEnd(calls: ReadonlySet<Promise<void>>): Promise<void> {
  await Promise.race(calls);
  if (calls.size > 0) await delay(gatherMs);
}

async function deliver(
  webhook: WebhookRow,
  delivery: TakenDelivery,
  lease: string,
  options: SenderOptions,
): Promise<void> {
  const { store, caller, now, random, onAttempt } = options;
  const at = now();
  const body = Buffer.from(delivery.body);
  const headers = signedHeaders(webhook, delivery.event, at, body);
  const answer = await caller.call({ url: webhook.url, headers, body });
  const facts = { attempts: delivery.attempts, firstAt: delivery.firstAt.getTime(), now: now(), random };
  const outcome = outcomeOf(answer, facts);
  const attempt = { ...outcome, body: delivery.body.slice(0, keptText), log: logEntry(at, answer) };
  onAttempt(outcome.result);
  tell(webhook, delivery, attempt, options);
  try {
    await store.settle(delivery.id, lease, attempt, new Date(now()));
  } catch (error) {
    // It is sent again when its lease has run out.
    options.logger.warn(
      { err: error, webhook: formatObjectId("webhook", webhook.id) },
      "a webhook's result could not be stored",
    );
  }
}

function signedHeaders(
  { secret, oldSecret, oldSecretUntil }: WebhookRow,
  id: string,
  at: number,
  body: Buffer,
): Readonly<Record<string, string>> {
  const oldLives = oldSecretUntil !== null && oldSecretUntil.getTime() > at;
  const timestampSeconds = Math.floor(at / 1000);
  const secrets = oldLives && oldSecret !== null ? [secret, oldSecret] : [secret];
  const signed = secrets.map((one) => standardWebhooksHeaders(one, { id, timestampSeconds, body }));
  return {
    ...signed[0],
    "webhook-signature": signed.map((headers) => headers["webhook-signature"]).join(" "),
    "content-type": "application/json; charset=utf-8",
    "user-agent": "deskbridge",
  };
}

function logEntry(at: number, answer: WebhookAnswer): SettledAttempt["log"] {
  return {
    at: new Date(at).toISOString(),
    status: answer.status,
    error: answer.error,
    duration_ms: answer.durationMs,
    answer: answer.answer,
  };
}

/** A receiver's first failure, its being switched off and every delivery that is given up are said once each. */
function tell(
  webhook: WebhookRow,
  delivery: TakenDelivery,
  { result, disabled_reason, log: { status, error } }: SettledAttempt,
  { logger }: SenderOptions,
): void {
  if (result === "delivered" || delivery.reason === "test") return;
  const facts = {
    webhook: formatObjectId("webhook", webhook.id),
    event: delivery.event,
    ...(status === null ? { reason: error } : { status }),
  };
  if (disabled_reason !== undefined)
    logger.error(facts, "a webhook was switched off: its receiver answered 410");
  else if (result === "failed") logger.error(facts, "a webhook's delivery was given up after 72 hours");
  else if (webhook.failingSince === null)
    logger.warn(facts, "a webhook is failing; its deliveries are tried again");
}
