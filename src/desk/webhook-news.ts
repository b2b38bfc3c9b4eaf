import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { typesOf } from "./change.ts";
import type { Feed } from "./feed.ts";
import type { WebhookStore } from "./store/webhooks.ts";

interface NewsOptions {
  readonly store: WebhookStore;
  readonly feed: Feed;
  readonly logger: Logger;
  /** Rings for webhooks. */
  readonly ring: (ids: readonly number[]) => void;
  /** Rings for every webhook with something to send. */
  readonly sweep: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** How old what is known of the webhooks may be, in milliseconds. */
const freshMs = 1000;

/** Rings for the webhooks that a change in the feed is for. Looks at the feed only while there are webhooks. */
export class WebhookNews {
  readonly #options: NewsOptions;
  #types: ReadonlyMap<string, readonly number[]> = new Map();
  #knownAt = Number.NEGATIVE_INFINITY;
  #renewal = Promise.withResolvers<void>();

  constructor(options: NewsOptions) {
    this.#options = options;
  }

  /** Looks at the webhooks anew before the next ring: one has just been changed. */
  renew(): void {
    this.#knownAt = Number.NEGATIVE_INFINITY;
    this.#renewal.resolve();
  }

  /** Ends with the signal. */
  async run(): Promise<void> {
    const { signal, logger } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#refresh();
        if (this.#types.size > 0) await this.#listen();
      } catch (error) {
        logger.warn({ err: error }, "news for webhooks could not be read; it is tried again");
      }
      const pause = delay(freshMs, undefined, { signal, ref: false }).catch(() => undefined);
      await Promise.race([pause, this.#renewal.promise]);
    }
  }

  /** As long as there are webhooks. */
  async #listen(): Promise<void> {
    const { feed, ring, sweep, signal } = this.#options;
    let first = true;
    for await (const batch of feed.follow({ after: undefined, types: undefined, idleMs: freshMs, signal })) {
      const renewed = await this.#refresh();
      if (this.#types.size === 0) return;
      // What came before we looked, or before we knew of the webhook.
      if (first || renewed) await sweep();
      first = false;
      const ids = new Set(batch.changes.flatMap(({ type }) => this.#types.get(type) ?? []));
      if (ids.size > 0) ring([...ids]);
    }
  }

  /** Returns whether something is new. */
  async #refresh(): Promise<boolean> {
    if (performance.now() - this.#knownAt < freshMs) return false;
    this.#knownAt = performance.now();
    this.#renewal = Promise.withResolvers();
    const before = JSON.stringify([...this.#types]);
    this.#types = await wantedTypes(this.#options.store);
    return JSON.stringify([...this.#types]) !== before;
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
