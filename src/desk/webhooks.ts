import type { Logger } from "pino";
import type { Queue, QueueWorker, Ring, RingOutcome } from "../queue/queue.ts";
import type { Feed } from "./feed.ts";
import { formatObjectId, readObjectId } from "./object-id.ts";
import type { WebhookStore } from "./store/webhooks.ts";
import type { WebhookAddresses } from "./webhook-address.ts";
import { createWebhookCaller } from "./webhook-call.ts";
import { WebhookNews } from "./webhook-news.ts";
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
  /** Says that a webhook was changed in this process, or something is to be sent again. */
  readonly renew: () => void;
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

/** Starts sending: works on rings, rings for what is new in the feed, and sweeps. */
export async function startWebhooks(parts: WebhookParts): Promise<WebhookSending> {
  const { queue, store, now } = parts;
  const caller = createWebhookCaller(parts);
  const sender: SenderOptions = { ...parts, caller, onAttempt: parts.onAttempt ?? (() => undefined) };
  const sendAll = oneAtATime((id, signal) => sendDue(id, signal, sender));
  const send = async (id: number, signal: AbortSignal): Promise<void> => {
    await sendAll(id, signal);
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
  const news = new WebhookNews({ ...parts, ring, sweep, signal: stop.signal });
  const listening = news.run();
  const workers: readonly QueueWorker[] = [
    await queue.work(target, concurrency, handle),
    await queue.schedule("webhooks:sweep", { everyMs: sweepEveryMs }, sweep),
    await queue.schedule("webhooks:prune", { everyMs: pruneEveryMs }, () => prune(parts)),
  ];
  return {
    sweep,
    renew: () => {
      news.renew();
      sweep().catch(() => undefined);
    },
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

type Run = (id: number, signal: AbortSignal) => Promise<void>;

/** One run for each id at a time: what is asked for meanwhile makes the present one go round once more. */
function oneAtATime(run: Run): Run {
  const running = new Map<number, { again: boolean }>();
  return async (id, signal) => {
    const present = running.get(id);
    if (present !== undefined) {
      present.again = true;
      return;
    }
    const own = { again: true };
    running.set(id, own);
    try {
      while (own.again && !signal.aborted) {
        own.again = false;
        await run(id, signal);
      }
    } finally {
      running.delete(id);
    }
  };
}
