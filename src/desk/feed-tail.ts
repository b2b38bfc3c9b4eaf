import { setTimeout as delay } from "node:timers/promises";
import type { FeedPosition } from "./change.ts";
import { isBehind } from "./change.ts";
import type { FeedSource } from "./feed.ts";
import type { Change, ChangePage } from "./store/changes.ts";

interface TailOptions {
  readonly source: FeedSource;
  readonly onFault: (error: unknown) => void;
  readonly batchSize: number;
}

const lookEveryMs = 100;
const restAfterFaultMs = 1000;
const mostChanges = 5000;
/** In characters of the bodies. */
const mostText = 8_000_000;

interface Memory {
  /** Everything after here, up to `end`, is in `changes`. */
  start: FeedPosition;
  end: FeedPosition;
  changes: readonly Change[];
}

/** From the first one who joins to the last one who leaves. */
interface Session {
  readonly stop: AbortController;
  memory: Memory | undefined;
}

/** The newest changes in memory, read once for all who follow. Looks at the table only while somebody has joined. */
export class FeedTail {
  readonly #options: TailOptions;
  #members = 0;
  #session: Session | undefined;
  #news = Promise.withResolvers<void>();
  #alarm = Promise.withResolvers<void>();

  constructor(options: TailOptions) {
    this.#options = options;
  }

  /** Begins to look, until the returned function is called. */
  join(): () => void {
    this.#members += 1;
    if (this.#session === undefined) {
      this.#session = { stop: new AbortController(), memory: undefined };
      void this.#run(this.#session);
    }
    return () => {
      this.#members -= 1;
      if (this.#members > 0) return;
      this.#session?.stop.abort();
      this.#session = undefined;
    };
  }

  /** What is in memory after a position; undefined when memory does not reach back that far. */
  after(position: FeedPosition): ChangePage | undefined {
    const memory = this.#session?.memory;
    if (memory === undefined || isBehind(position, memory.start)) return undefined;
    const from = firstAfter(memory.changes, position);
    const changes = memory.changes.slice(from, from + this.#options.batchSize);
    const more = from + changes.length < memory.changes.length;
    return { changes, end: changes.at(-1) ?? position, more };
  }

  /** Resolves when memory may hold something after the position, after so long, or at the signal. */
  async moved(position: FeedPosition, withinMs: number, signal: AbortSignal): Promise<void> {
    const memory = this.#session?.memory;
    if (memory !== undefined && isBehind(position, memory.end)) return;
    await either(this.#news.promise, withinMs, signal);
  }

  /** Looks now. */
  wake(): void {
    this.#alarm.resolve();
  }

  async #run(session: Session): Promise<void> {
    const { signal } = session.stop;
    while (!signal.aborted) {
      this.#alarm = Promise.withResolvers();
      let pauseMs = lookEveryMs;
      try {
        if (await this.#look(session)) continue;
      } catch (error) {
        this.#options.onFault(error);
        pauseMs = restAfterFaultMs;
      }
      await either(this.#alarm.promise, pauseMs, signal);
    }
  }

  /** Returns whether there may be more. */
  async #look(session: Session): Promise<boolean> {
    const { source, batchSize } = this.#options;
    const end = session.memory?.end ?? (await source.feedEnd());
    const page = await source.readChanges({ after: end, types: undefined, limit: batchSize });
    if (session.memory !== undefined && page.changes.length === 0) return false;
    session.memory = extended(session.memory ?? { start: end, end, changes: [] }, page);
    this.#news.resolve();
    this.#news = Promise.withResolvers();
    return page.more;
  }
}

/** Resolves with the promise, after so long, or at the signal. */
async function either(promise: Promise<void>, withinMs: number, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const limit = delay(withinMs, undefined, { signal: AbortSignal.any([signal, stop.signal]) });
  await Promise.race([limit.catch(() => undefined), promise]);
  stop.abort();
}

function extended(memory: Memory, { changes, end }: ChangePage): Memory {
  return trimmed({ ...memory, end, changes: [...memory.changes, ...changes] });
}

/** The newest changes that fit; the start moves up to those that go. */
function trimmed({ start, end, changes }: Memory): Memory {
  let text = 0;
  let keep = 0;
  while (keep < Math.min(changes.length, mostChanges)) {
    text += changes[changes.length - keep - 1]?.body.length ?? 0;
    if (text > mostText) break;
    keep += 1;
  }
  const gone = changes.length - keep;
  return { start: gone === 0 ? start : (changes[gone - 1] ?? start), end, changes: changes.slice(gone) };
}

/** Where the first change after the position is, by halving. */
function firstAfter(changes: readonly Change[], position: FeedPosition): number {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const change = changes[middle];
    if (change !== undefined && isBehind(position, change)) high = middle;
    else low = middle + 1;
  }
  return low;
}
