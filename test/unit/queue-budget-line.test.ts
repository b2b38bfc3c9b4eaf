import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BudgetLine, type Counter } from "../../src/queue/budget-line.ts";

const never = new AbortController().signal;

/** A counter of so many calls a second, on the fake clock. */
function windowOf(calls: number): Counter & { readonly asked: number[] } {
  let used = 0;
  let endsAt = 0;
  const asked: number[] = [];
  return {
    calls,
    asked,
    consume: async (weight) => {
      asked.push(weight);
      if (Date.now() >= endsAt) {
        used = 0;
        endsAt = Date.now() + 1_000;
      }
      used += weight;
      return {
        granted: used <= calls,
        remaining: Math.max(0, calls - used),
        windowEndsInMs: endsAt - Date.now(),
      };
    },
  };
}

describe("budget line", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function takeAll(line: BudgetLine, weights: readonly number[], signal = never) {
    const order: number[] = [];
    const refused: unknown[] = [];
    weights.forEach((weight, index) => {
      line.take(weight, signal).then(
        () => order.push(index),
        (error: unknown) => refused.push(error),
      );
    });
    return { order, refused };
  }

  it("lets through what a window holds, first come first served, and the rest in the next", async () => {
    const line = new BudgetLine(windowOf(3));
    const { order } = takeAll(line, [1, 1, 1, 1, 1, 1, 1]);
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual([0, 1, 2]);
    await vi.advanceTimersByTimeAsync(999);
    expect(order).toEqual([0, 1, 2]);
    await vi.advanceTimersByTimeAsync(1);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("does not ask a counter that is known to be used up", async () => {
    const counter = windowOf(3);
    const { order } = takeAll(new BudgetLine(counter), [1, 1, 1, 1, 1]);
    await vi.advanceTimersByTimeAsync(900);
    expect(order).toEqual([0, 1, 2]);
    expect(counter.asked).toEqual([1, 1, 1]);
  });

  it("keeps a heavy call before the light ones that came after it", async () => {
    const line = new BudgetLine(windowOf(4));
    const { order } = takeAll(line, [2, 3, 1, 1]);
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual([0]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(order.slice(0, 3)).toEqual([0, 1, 2]);
  });

  it("counts a call heavier than a window as a whole one", async () => {
    const counter = windowOf(2);
    const { order } = takeAll(new BudgetLine(counter), [50, 0, 1]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(order).toEqual([0, 1, 2]);
    expect(counter.asked).toEqual([2, 1, 1]);
  });

  it("rejects one that is aborted while it waits, and goes on with the others", async () => {
    const line = new BudgetLine(windowOf(1));
    const abort = new AbortController();
    const first = takeAll(line, [1]);
    const aborted = takeAll(line, [1, 1], abort.signal);
    const last = takeAll(line, [1]);
    abort.abort(new Error("gone"));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(first.order).toEqual([0]);
    expect(aborted).toEqual({ order: [], refused: [new Error("gone"), new Error("gone")] });
    expect(last.order).toEqual([0]);
  });

  it("takes over those who wait when the limit changes", async () => {
    const line = new BudgetLine(windowOf(1));
    const { order } = takeAll(line, [1, 1, 1, 1]);
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual([0]);
    line.changeCounter(windowOf(2));
    await vi.advanceTimersByTimeAsync(0);
    expect(order).toEqual([0, 1, 2]);
  });

  it("sends those who wait away, with an error or on their way", async () => {
    const [one, two] = [new BudgetLine(windowOf(1)), new BudgetLine(windowOf(1))];
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
