import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BudgetLine, type Grant, type Request } from "../../src/queue/budget-line.ts";
import type { CallPriority } from "../../src/sdk/call-context.ts";

const never = new AbortController().signal;

/** Counts so many calls a second, on the fake clock, and notes what it was asked. */
function windowOf(calls: number): {
  readonly asked: Request[];
  readonly ask: (request: Request) => Promise<Grant>;
} {
  let used = 0;
  let endsAt = 0;
  const asked: Request[] = [];
  return {
    asked,
    ask: async (request) => {
      asked.push(request);
      if (performance.now() >= endsAt) {
        used = 0;
        endsAt = performance.now() + 1_000;
      }
      let granted = 0;
      for (const wanted of request.weights) {
        const weight = Math.min(wanted, calls);
        if (used + weight > calls) break;
        used += weight;
        granted += 1;
      }
      return { granted, waitMs: endsAt - performance.now(), limit: calls };
    },
  };
}

describe("budget line", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  /** Those let through, in the order in which they were, and what became of the others. */
  function takeAll(
    line: BudgetLine,
    takers: readonly (number | readonly [name: string, priority: CallPriority])[],
    signal: AbortSignal | undefined = never,
  ) {
    const order: (number | string)[] = [];
    const refused: unknown[] = [];
    takers.forEach((taker, index) => {
      const [name, priority] = typeof taker === "number" ? [index, "live" as const] : taker;
      line.take(typeof taker === "number" ? taker : 1, priority, signal).then(
        () => order.push(name),
        (error: unknown) => refused.push(error),
      );
    });
    return { order, refused };
  }

  it("lets through what a window holds, first come first served, and the rest in the next", async () => {
    const { order } = takeAll(new BudgetLine(windowOf(3).ask), [1, 1, 1, 1, 1, 1, 1]);
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual([0, 1, 2]);
    await vi.advanceTimersByTimeAsync(999);
    expect(order).toEqual([0, 1, 2]);
    await vi.advanceTimersByTimeAsync(1);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("asks once for all who gathered while a question was under way, and nothing while there is no room", async () => {
    const { ask, asked } = windowOf(3);
    const { order } = takeAll(new BudgetLine(ask), [1, 1, 1, 1, 1]);
    await vi.advanceTimersByTimeAsync(900);
    expect(order).toEqual([0, 1, 2]);
    expect(asked.map(({ weights, waiting }) => [weights.length, waiting])).toEqual([
      [1, [1, 0, 0]],
      [4, [4, 0, 0]],
    ]);
  });

  it("lets live go before backfill before export, whenever they came", async () => {
    const { ask, asked } = windowOf(2);
    const line = new BudgetLine(ask);
    const { order } = takeAll(line, [
      ["first export", "export"],
      ["second export", "export"],
      ["third export", "export"],
      ["backfill", "backfill"],
    ]);
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual(["first export", "backfill"]);
    const live = takeAll(line, [["live", "live"]]);
    await vi.advanceTimersByTimeAsync(500);
    // The store hears of it at once, so that other processes leave it its place.
    expect(asked.at(-1)).toMatchObject({ weights: [], waiting: [1, 0, 2], waitsMs: 900 });
    await vi.advanceTimersByTimeAsync(500);
    expect(live.order).toEqual(["live"]);
    expect(order).toEqual(["first export", "backfill", "second export"]);
    expect(asked.at(-1)?.ranks).toEqual([0, 2, 2]);
    expect(asked.at(-1)?.waiting).toEqual([1, 0, 2]);
  });

  it("keeps a heavy call before the light ones that came after it", async () => {
    const { order } = takeAll(new BudgetLine(windowOf(4).ask), [2, 3, 1, 1]);
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual([0]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(order.slice(0, 3)).toEqual([0, 1, 2]);
  });

  it("lets a call go that weighs more than a window, for a whole one", async () => {
    const { order } = takeAll(new BudgetLine(windowOf(2).ask), [50, 0, 1]);
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual([0]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(order).toEqual([0, 1, 2]);
  });

  it("rejects one that is aborted while it waits, and goes on with the others", async () => {
    const line = new BudgetLine(windowOf(1).ask);
    const abort = new AbortController();
    const first = takeAll(line, [1]);
    const aborted = takeAll(line, [1, 1], abort.signal);
    const last = takeAll(line, [1], undefined);
    await vi.advanceTimersByTimeAsync(0);
    abort.abort(new Error("gone"));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(first.order).toEqual([0]);
    expect(aborted).toEqual({ order: [], refused: [new Error("gone"), new Error("gone")] });
    expect(last.order).toEqual([0]);
  });

  it("gives the place of one that left while it was asked for to the next, and a place given back too", async () => {
    const { ask, asked } = windowOf(2);
    const line = new BudgetLine(ask);
    const abort = new AbortController();
    const leaves = takeAll(line, [1], abort.signal);
    const { order } = takeAll(line, [1, 1, 1]);
    abort.abort(new Error("gone"));
    await vi.advanceTimersByTimeAsync(0);
    expect(leaves.refused).toHaveLength(1);
    expect(order).toEqual([0, 1]);
    line.give(1);
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual([0, 1, 2]);
    expect(asked.flatMap(({ weights }) => weights)).toHaveLength(4 - 1);
  });

  it("asks nothing while it is closed, however short it was told before", async () => {
    const line = new BudgetLine(windowOf(1).ask);
    line.closeFor(3_000);
    line.closeFor(100);
    const { order } = takeAll(line, [1]);
    await vi.advanceTimersByTimeAsync(2_999);
    expect(order).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(order).toEqual([0]);
  });

  it("sends those who wait away, with an error or on their way", async () => {
    const [one, two] = [new BudgetLine(windowOf(1).ask), new BudgetLine(windowOf(1).ask)];
    const [free, refused] = [takeAll(one, [1, 1]), takeAll(two, [1, 1])];
    await vi.advanceTimersByTimeAsync(0);
    one.dissolve();
    two.dissolve(new Error("closed"));
    await vi.advanceTimersByTimeAsync(0);
    expect(free.order).toEqual([0, 1]);
    expect(refused).toEqual({ order: [0], refused: [new Error("closed")] });
    expect(vi.getTimerCount()).toBe(0);
  });
});
