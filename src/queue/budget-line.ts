import type { CallPriority } from "../sdk/call-context.ts";
import type { ByPriority } from "./budget-store.ts";

/** Those who want to make a call now, in their order, and what waits behind them. */
export interface Request {
  readonly weights: readonly number[];
  /** 0 is live, 1 backfill, 2 export. */
  readonly ranks: readonly number[];
  /** Weight of all who wait, these included. */
  readonly waiting: ByPriority;
  /** For how long they wait at least, in milliseconds. */
  readonly waitsMs: number;
}

/** How many may, from the first on; when the next may be asked for, where it was not all of them. */
export interface Grant {
  readonly granted: number;
  readonly waitMs: number;
  /** Calls of a window. A call that weighs more was counted as a whole one. */
  readonly limit: number;
}

interface Taker {
  readonly weight: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** So many are asked for at a time. */
const mostAtOnce = 100;
/** Those who come while there is no room are told of together: other processes leave the room to them that is theirs by priority. */
const gatherMs = 100;
const rankOf: Readonly<Record<CallPriority, 0 | 1 | 2>> = { live: 0, backfill: 1, export: 2 };

/**
 * Those of this process who wait for one account's budget: live before backfill before export, and first come, first served among equals. One
 * question is under way at a time and asks for all who have gathered meanwhile; nothing is asked while it is known that there is no room.
 */
export class BudgetLine {
  readonly #ask: (request: Request) => Promise<Grant>;
  readonly #waiting: readonly [Taker[], Taker[], Taker[]] = [[], [], []];
  #asking = false;
  /** Runs while there is no room; `#opensAt` is on the clock of `performance.now()`. */
  #timer: NodeJS.Timeout | undefined;
  #opensAt = 0;
  /** Calls of a window, by the last answer. */
  #limit = 1;
  #arrivals = 0;
  /** Runs while newcomers gather. */
  #gathering: NodeJS.Timeout | undefined;

  constructor(ask: (request: Request) => Promise<Grant>) {
    this.#ask = ask;
  }

  /** Asks for nothing, and tells of those who wait. */
  get standing(): Request {
    const waitsMs = Math.max(0, Math.ceil(this.#opensAt - performance.now()));
    return { weights: [], ranks: [], waiting: this.#weights(), waitsMs };
  }

  #weights(): ByPriority {
    const [live, backfill, exports] = this.#waiting.map((takers) =>
      takers.reduce((sum, { weight }) => sum + weight, 0),
    );
    return [live ?? 0, backfill ?? 0, exports ?? 0];
  }

  /** Resolves when the call may be made; rejects with the signal's reason when it is aborted first. */
  async take(weight: number, priority: CallPriority, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const takers = this.#waiting[rankOf[priority]];
    const taker = { weight: Math.max(1, Math.ceil(weight)), resolve, reject };
    const leave = () => {
      const place = takers.indexOf(taker);
      if (place >= 0) takers.splice(place, 1);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", leave, { once: true });
    takers.push(taker);
    this.#arrivals += 1;
    if (this.#timer === undefined) this.#advance();
    else this.#gather();
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  /** Lets others go in the place of a call that was granted and is not made, in their order. What nobody can use is lost. */
  give(weight: number): void {
    let left = Math.min(weight, this.#limit);
    for (const takers of this.#waiting) {
      for (let next = takers[0]; next !== undefined && next.weight <= left; next = takers[0]) {
        left -= next.weight;
        takers.shift();
        next.resolve();
      }
    }
  }

  /** Asks nothing for so long, or longer when it was told so before. */
  closeFor(ms: number): void {
    const opensAt = performance.now() + ms;
    if (opensAt <= this.#opensAt) return;
    this.#opensAt = opensAt;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.reopen(), Math.max(ms, 1));
    // Whoever waits holds more than this timer; a process that ends must not wait for a window.
    this.#timer.unref();
  }

  /** Asks again at once, because the limit is another one. */
  reopen(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#opensAt = 0;
    this.#advance();
  }

  /** Sends everyone away who waits: to go on without a limit, or with an error. */
  dissolve(error?: Error): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#gathering);
    for (const { resolve, reject } of this.#waiting.flatMap((takers) => takers.splice(0))) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }

  #gather(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      if (this.#timer !== undefined) void this.#ask(this.standing).catch(() => undefined);
    }, gatherMs).unref();
  }

  #advance(): void {
    if (this.#asking || this.#timer !== undefined) return;
    const first = this.#waiting
      .flatMap((takers, rank) => takers.slice(0, mostAtOnce).map((taker) => ({ taker, takers, rank })))
      .slice(0, mostAtOnce);
    if (first.length > 0) void this.#askFor(first);
  }

  async #askFor(first: readonly { taker: Taker; takers: Taker[]; rank: number }[]): Promise<void> {
    this.#asking = true;
    const arrivals = this.#arrivals;
    try {
      const { granted, waitMs, limit } = await this.#ask({
        ...this.standing,
        weights: first.map(({ taker }) => taker.weight),
        ranks: first.map(({ rank }) => rank),
      });
      this.#limit = limit;
      let spare = 0;
      for (const { taker, takers } of first.slice(0, granted)) {
        const place = takers.indexOf(taker);
        if (place >= 0) takers.splice(place, 1);
        else spare += taker.weight;
        taker.resolve();
      }
      if (spare > 0) this.give(spare);
      if (granted < first.length) this.closeFor(waitMs);
    } catch (error) {
      this.dissolve(error instanceof Error ? error : new Error(String(error)));
    }
    this.#asking = false;
    if (this.#timer === undefined) this.#advance();
    else if (this.#arrivals > arrivals) this.#gather();
  }
}
