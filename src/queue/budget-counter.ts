import type { Logger } from "pino";
import type { RateReading } from "../sdk/http.ts";
import type { BudgetLimit, BudgetUsage } from "./budget.ts";
import type { Grant, Request } from "./budget-line.ts";
import { newsOf } from "./budget-news.ts";
import type { BudgetAnswer, BudgetAsk, BudgetNews, BudgetStore } from "./budget-store.ts";
import { BudgetWindow } from "./budget-window.ts";
import type { FaultLog } from "./fault-log.ts";
import { withTimeLimit } from "./time-limit.ts";

export interface CounterDeps {
  readonly store: BudgetStore;
  /** A name of this process's own. */
  readonly process: string;
  readonly logger: Logger;
  readonly faults: FaultLog;
  /** Milliseconds on a clock that is never set back. */
  readonly now: () => number;
}

const answerMs = 1_000;
/** With the store away, this long passes before it is asked again. */
const restMs = 1_000;
/** Readings of a vendor's headers reach the store at most this often, unless they close the account. */
const newsEveryMs = 1_000;

/**
 * Counts the calls of one account in the store that all processes share. While the store is away the process takes its part of what
 * the processes seen last may do together, and tells the store afterwards.
 */
export class BudgetCounter {
  readonly #deps: CounterDeps;
  readonly #account: string;
  #limit: BudgetLimit;
  /** What this process let through; by it the store is set right when it has lost its state. */
  readonly #own = new BudgetWindow();
  #owed = 0;
  #epoch = "";
  #seen: { readonly answer: BudgetAnswer; readonly at: number } | undefined;
  /** Counts while the store is away. */
  #alone: BudgetWindow | undefined;
  #closedUntil = 0;
  #askAgainAt = 0;
  #newsAt = Number.NEGATIVE_INFINITY;

  constructor(account: string, limit: BudgetLimit, deps: CounterDeps) {
    this.#account = account;
    this.#limit = limit;
    this.#deps = deps;
  }

  get limit(): BudgetLimit {
    return this.#limit;
  }

  changeLimit(limit: BudgetLimit): void {
    this.#limit = limit;
    this.#seen = undefined;
  }

  /** Who of the request may go. Never rejects. */
  async grant(request: Request): Promise<Grant> {
    const { now, faults } = this.#deps;
    if (now() >= this.#askAgainAt) {
      try {
        const answer = await this.#ask(request, {});
        this.#note(request, answer.granted, answer.limit);
        return answer;
      } catch (error) {
        this.#goAlone();
        faults.report("rate budget is counted by each process alone until its store is back", error, {
          account: this.#account,
        });
      }
    }
    return this.#grantAlone(request);
  }

  /** Passes on to the store what the vendor said, where it is news. Never rejects. */
  async learn(reading: RateReading, standing: Request): Promise<void> {
    const { now, faults } = this.#deps;
    const { limit = this.#limit.calls, used = 0 } = this.#seen?.answer ?? {};
    const news = newsOf(reading, this.#limit, { limit, used });
    if (news === undefined) return;
    if (news.closeMs !== undefined) this.#closedUntil = Math.max(this.#closedUntil, now() + news.closeMs);
    else if (now() < this.#newsAt + newsEveryMs) return;
    this.#newsAt = now();
    try {
      await this.#ask(standing, news);
    } catch (error) {
      faults.report("what a target said about its limit could not be shared", error, {
        account: this.#account,
      });
    }
  }

  /** How the account stands, over all processes. Rejects when the store does not answer. */
  async usage(standing: Request): Promise<BudgetUsage> {
    const ask = this.#askOf(standing, {}, true);
    const answer = await withTimeLimit(this.#deps.store.ask(this.#account, ask), answerMs);
    const here = standing.waiting.reduce((sum, weight) => sum + weight, 0);
    const { limit, used, waiting, closedMs } = answer;
    return { limit, used, waiting: waiting + here, closedMs };
  }

  async #ask(request: Request, news: BudgetNews): Promise<BudgetAnswer> {
    const { store, now } = this.#deps;
    const ask = this.#askOf(request, news, false);
    this.#owed = 0;
    const answer = await withTimeLimit(store.ask(this.#account, ask), answerMs).catch((error: unknown) => {
      this.#owed += ask.owed;
      throw error;
    });
    this.#epoch = answer.epoch;
    this.#alone = undefined;
    if (answer.closedMs > 0) this.#closedUntil = now() + answer.closedMs;
    this.#tellOfLimit(answer.limit);
    this.#seen = { answer, at: now() };
    return answer;
  }

  #askOf(request: Request, news: BudgetNews, look: boolean): BudgetAsk {
    const { calls, ceiling = false } = this.#limit;
    return {
      ...request,
      process: this.#deps.process,
      calls,
      ceiling,
      windowMs: this.#windowMs,
      sliceMs: this.#sliceMs,
      epoch: this.#epoch,
      own: this.#own.used(this.#deps.now()),
      owed: this.#owed,
      news,
      look,
    };
  }

  /** A hundredth of the window. */
  get #sliceMs(): number {
    return Math.max(1, Math.floor(this.#limit.perSeconds * 10));
  }

  /** When a call that is made now is forgotten here. */
  #over(from: number): number {
    return Math.ceil((from + this.#windowMs) / this.#sliceMs) * this.#sliceMs;
  }

  /** A call may take longer on its way than the one that it follows a window later: the margin is for that. */
  get #windowMs(): number {
    const windowMs = this.#limit.perSeconds * 1000;
    return Math.ceil(windowMs + Math.min(400, Math.max(40, windowMs * 0.015)));
  }

  #note({ weights }: Request, granted: number, limit: number): number {
    const weight = weights.slice(0, granted).reduce((sum, each) => sum + Math.min(each, limit), 0);
    this.#own.note(weight, this.#over(this.#deps.now()));
    return weight;
  }

  #tellOfLimit(limit: number): void {
    const before = this.#seen?.answer.limit ?? this.#limit.calls;
    if (limit === before) return;
    this.#deps.logger.info(
      {
        account: this.#account,
        limit,
        before,
        configured: this.#limit.calls,
        perSeconds: this.#limit.perSeconds,
      },
      "rate limit learned from the target",
    );
  }

  /** Of what was left by the last answer, others may take their parts too, and they count what they have taken as long as we do. */
  #goAlone(): void {
    const { now } = this.#deps;
    this.#askAgainAt = now() + restMs;
    if (this.#alone !== undefined) return;
    this.#alone = new BudgetWindow();
    if (this.#seen === undefined) return;
    const { answer, at } = this.#seen;
    const left = Math.floor(Math.max(0, answer.limit - answer.used) / answer.processes);
    this.#alone.note(this.#part() - left, this.#over(at));
  }

  /** What this process may do while nobody knows what the others do. */
  #part(): number {
    const { limit = this.#limit.calls, processes = 1 } = this.#seen?.answer ?? {};
    return Math.max(1, Math.floor(limit / processes));
  }

  #grantAlone(request: Request): Grant {
    const now = this.#deps.now();
    const part = this.#part();
    const window = (this.#alone ??= new BudgetWindow());
    let granted = 0;
    let waitMs = Math.max(0, this.#closedUntil - now);
    for (const wanted of request.weights) {
      const weight = Math.min(wanted, part);
      if (waitMs === 0) waitMs = window.waitMs(weight, part, now);
      if (waitMs > 0) break;
      window.note(weight, this.#over(now));
      granted += 1;
    }
    this.#owed += this.#note(request, granted, part);
    return { granted, waitMs, limit: part };
  }
}
