import { describe, expect, it, vi } from "vitest";
import { createBatcher } from "../../src/ledger/batcher.ts";

const base = { maxItems: 100, maxWaiting: 100, parallel: 1, isShared: () => false };

describe("the batcher", () => {
  it("gathers what arrives while a batch is under way into the next one", async () => {
    const batches: number[][] = [];
    const gate = Promise.withResolvers<void>();
    const run = async (items: readonly number[]): Promise<readonly number[]> => {
      batches.push([...items]);
      if (batches.length === 1) await gate.promise;
      return items.map((item) => item * 10);
    };
    const batcher = createBatcher({ ...base, run });
    const first = batcher.submit(1);
    await new Promise((resolve) => setImmediate(resolve));
    const rest = [2, 3, 4].map((item) => batcher.submit(item));
    expect(batcher.waiting()).toBe(3);
    gate.resolve();
    expect(await Promise.all([first, ...rest])).toEqual([10, 20, 30, 40]);
    expect(batches).toEqual([[1], [2, 3, 4]]);
  });

  it("waits for others as long as it is told to when a batch has just ended", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "performance"] });
    const batches: number[][] = [];
    const run = async (items: readonly number[]): Promise<readonly number[]> => {
      batches.push([...items]);
      return items;
    };
    const batcher = createBatcher({ ...base, gatherMs: 5, run });
    expect(await batcher.submit(1)).toBe(1);
    const second = batcher.submit(2);
    await vi.advanceTimersByTimeAsync(4);
    const third = batcher.submit(3);
    expect(batches).toEqual([[1]]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await Promise.all([second, third])).toEqual([2, 3]);
    await vi.advanceTimersByTimeAsync(5);
    expect(await batcher.submit(4)).toBe(4);
    expect(batches).toEqual([[1], [2, 3], [4]]);
    vi.useRealTimers();
  });

  it("never puts more into a batch than allowed", async () => {
    const sizes: number[] = [];
    const run = async (items: readonly number[]): Promise<readonly number[]> => {
      sizes.push(items.length);
      return items;
    };
    const batcher = createBatcher({ ...base, maxItems: 4, run });
    await Promise.all(Array.from({ length: 10 }, (_, n) => batcher.submit(n)));
    expect(sizes).toEqual([4, 4, 2]);
  });

  it("fails only the item at fault when the fault is an item's own", async () => {
    const run = async (items: readonly number[]): Promise<readonly number[]> => {
      if (items.includes(3)) throw new Error("three is refused");
      return items;
    };
    const batcher = createBatcher({ ...base, run });
    const results = await Promise.allSettled([1, 2, 3, 4].map((item) => batcher.submit(item)));
    expect(results.map((result) => result.status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
  });

  it("fails the whole batch at once when the fault is shared", async () => {
    let runs = 0;
    const run = async (): Promise<readonly number[]> => {
      runs += 1;
      throw new Error("no database");
    };
    const batcher = createBatcher({ ...base, isShared: () => true, run });
    const results = await Promise.allSettled([1, 2, 3].map((item) => batcher.submit(item)));
    expect(results.every((result) => result.status === "rejected")).toBe(true);
    expect(runs).toBe(1);
  });
});
