/** What the counter said to a call of some weight. `windowEndsInMs` is when there is room again. */
export interface Answer {
  readonly granted: boolean;
  readonly remaining: number;
  readonly windowEndsInMs: number;
}

/** Counts calls of one target. `calls` is the size of a window. */
export interface Counter {
  readonly calls: number;
  readonly consume: (weight: number) => Promise<Answer>;
}

interface Taker {
  readonly number: number;
  readonly weight: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal;
}

const shortestWaitMs = 5;

/**
 * Those of this process who wait for one target's budget, first come, first served. No more is asked for at a time than the window had
 * left, and nothing while it is known to be used up. A call heavier than a window counts as a whole one.
 */
export class BudgetLine {
  #counter: Counter;
  readonly #waiting: Taker[] = [];
  #arrivals = 0;
  #weightAsked = 0;
  /** What the window had left by the last answer. */
  #left: number;
  /** Runs while the window is used up. */
  #timer: NodeJS.Timeout | undefined;

  constructor(counter: Counter) {
    this.#counter = counter;
    this.#left = counter.calls;
  }

  /** Resolves when the call may be made; rejects with the signal's reason when it is aborted first. */
  async take(weight: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const taker = { number: this.#arrivals, weight: Math.max(1, Math.ceil(weight)), resolve, reject, signal };
    this.#arrivals += 1;
    const leave = () => {
      const place = this.#waiting.indexOf(taker);
      if (place >= 0) this.#waiting.splice(place, 1);
      reject(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    this.#waiting.push(taker);
    this.#advance();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** Goes on with another counter; those who wait keep their places. */
  changeCounter(counter: Counter): void {
    this.#counter = counter;
    this.#open();
  }

  /** Sends everyone away who waits: to go on without a limit, or with an error. */
  dissolve(error?: Error): void {
    clearTimeout(this.#timer);
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (error === undefined) resolve();
      else reject(error);
    }
  }

  #advance(): void {
    const { calls } = this.#counter;
    while (this.#timer === undefined) {
      const next = this.#waiting[0];
      if (next === undefined) return;
      const weight = Math.min(next.weight, calls);
      if (this.#weightAsked > 0 && this.#weightAsked + weight > this.#left) return;
      this.#waiting.shift();
      void this.#ask(next, weight);
    }
  }

  async #ask(taker: Taker, weight: number): Promise<void> {
    this.#weightAsked += weight;
    try {
      const answer = await this.#counter.consume(weight);
      this.#left = answer.remaining;
      if (answer.granted) taker.resolve();
      else if (!taker.signal.aborted) this.#putBack(taker);
      if (!answer.granted || answer.remaining === 0) this.#closeFor(answer.windowEndsInMs);
    } catch (error) {
      taker.reject(error);
    }
    this.#weightAsked -= weight;
    this.#advance();
  }

  /** To where it stood before it asked. */
  #putBack(taker: Taker): void {
    const place = this.#waiting.findIndex((other) => other.number > taker.number);
    this.#waiting.splice(place < 0 ? this.#waiting.length : place, 0, taker);
  }

  #closeFor(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), Math.max(ms, shortestWaitMs));
    // Whoever waits holds more than this timer; a process that ends must not wait for a window.
    this.#timer.unref();
  }

  #open(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#left = this.#counter.calls;
    this.#advance();
  }
}
