import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Queue, QueueWorker, Ring, RingOutcome } from "../queue/queue.ts";
import type { FeedPosition } from "./change.ts";
import { typesOf } from "./change.ts";
import type { Feed } from "./feed.ts";
import { formatObjectId, readObjectId } from "./object-id.ts";
import type { WebhookStore } from "./store/webhooks.ts";
import type { WebhookAddresses } from "./webhook-address.ts";
import { createWebhookCaller } from "./webhook-call.ts";
import type { SenderOptions, WebhookResult } from "./webhook-sender.ts";
import { sendDue } from "./webhook-sender.ts";

/** What the process that sends webhooks brings along. */
export interface WebhookOptions {
  readonly queue: Queue;
  /** In [0, 1). */
  readonly random: () => number;
  /** Counts attempts. */
  readonly onAttempt?: (result: WebhookResult) => void;
  /** How long deliveries that ended stay in the log, in milliseconds; 30 days unless told. */
  readonly retentionMs?: number;
  /** How long a receiver has to answer, in milliseconds; 15 seconds unless told. */
  readonly timeLimitMs?: number;
}

interface WebhookParts extends WebhookOptions {
  readonly store: WebhookStore;
  readonly feed: Feed;
  readonly addresses: WebhookAddresses;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The sending of webhooks in this process. */
export interface WebhookSending {
  /** Rings for every webhook that has something to send. */
  readonly sweep: () => Promise<void>;
  /** Webhooks whose last attempts failed. */
  readonly countFailing: () => Promise<number>;
  /** Takes no more, and waits up to so long for the calls under way. */
  readonly close: (withinMs: number) => Promise<void>;
}

/** Rings of webhooks go to this target; no connection can have its name. */
const target = "webhooks:desk";
/** Rings worked on at a time in one process; each names up to 50 webhooks. */
const concurrency = 4;
const sweepEveryMs = 5000;
const pruneEveryMs = 600_000;
const pruneBatch = 1000;
const month = 30 * 86_400_000;
/** Deliveries due within this are rung for by time; the sweeper finds the later ones. */
const ringAheadMs = 60_000;
/** How often it is looked which webhooks there are. */
const lookEveryMs = 1000;

/** Starts sending: works on rings, rings for what is new in the feed, and sweeps. */
export async function startWebhooks(parts: WebhookParts): Promise<WebhookSending> {
  const { queue, store, now } = parts;
  const caller = createWebhookCaller(parts);
  const sender: SenderOptions = { ...parts, caller, onAttempt: parts.onAttempt ?? (() => undefined) };
  const running = new Map<number, { again: boolean }>();

  const send = async (id: number, signal: AbortSignal): Promise<void> => {
    const present = running.get(id);
    if (present !== undefined) {
      present.again = true;
      return;
    }
    const run = { again: true };
    running.set(id, run);
    try {
      while (run.again && !signal.aborted) {
        run.again = false;
        await sendDue(id, signal, sender);
      }
    } finally {
      running.delete(id);
    }
    const next = (await store.nextDue(id, new Date(now())))?.getTime();
    if (next !== undefined && next - now() < ringAheadMs) ring([id], next);
  };
  const ring = (ids: readonly number[], at?: number): void => {
    const lanes = ids.map((id) => formatObjectId("webhook", id));
    queue.ring(target, lanes, at === undefined ? {} : { at });
  };
  const sweep = async (): Promise<void> => ring(await store.due(new Date(now())));
  const handle = async ({ lanes }: Ring, signal: AbortSignal): Promise<RingOutcome> => {
    await Promise.all(lanes.map((lane) => send(readObjectId("webhook", lane) ?? 0, signal)));
    return { kind: "done" };
  };

  const stop = new AbortController();
  const listening = ringForNews(parts, ring, sweep, stop.signal);
  const workers: readonly QueueWorker[] = [
    await queue.work(target, concurrency, handle),
    await queue.schedule("webhooks:sweep", { everyMs: sweepEveryMs }, sweep),
    await queue.schedule("webhooks:prune", { everyMs: pruneEveryMs }, () => prune(parts)),
  ];
  return {
    sweep,
    countFailing: store.countFailing,
    close: async (withinMs) => {
      stop.abort();
      await Promise.all([listening, ...workers.map((worker) => worker.close(withinMs))]);
      caller.close();
    },
  };
}

async function prune({ store, now, retentionMs = month }: WebhookParts): Promise<void> {
  await store.prune(new Date(now() - retentionMs), pruneBatch);
}

/** Rings for the webhooks that a change in the feed is for. Looks at the feed only while there are webhooks. */
async function ringForNews(
  { store, feed, logger }: WebhookParts,
  ring: (ids: readonly number[]) => void,
  sweep: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const pause = () => delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
  let after: FeedPosition | undefined;
  while (!signal.aborted) {
    try {
      const types = await wantedTypes(store);
      if (types.size === 0) {
        after = undefined;
        await pause();
        continue;
      }
      const lookedAt = performance.now();
      for await (const { changes, end } of feed.follow({
        after,
        types: undefined,
        idleMs: lookEveryMs,
        signal,
      })) {
        // What came before we began to look.
        if (after === undefined) await sweep();
        after = end;
        const ids = new Set(changes.flatMap(({ type }) => types.get(type) ?? []));
        if (ids.size > 0) ring([...ids]);
        if (performance.now() - lookedAt > lookEveryMs) break;
      }
    } catch (error) {
      logger.warn({ err: error }, "news for webhooks could not be read; it is tried again");
      await pause();
    }
  }
}

/** Which webhooks want a type. */
async function wantedTypes(store: WebhookStore): Promise<ReadonlyMap<string, readonly number[]>> {
  const wanted = new Map<string, number[]>();
  for (const { id, events } of await store.enabled()) {
    for (const type of typesOf(events)) wanted.set(type, [...(wanted.get(type) ?? []), id]);
  }
  return wanted;
}
