import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { BudgetCounter } from "../../src/queue/budget-counter.ts";
import type { Request } from "../../src/queue/budget-line.ts";
import { newsOf } from "../../src/queue/budget-news.ts";
import type { BudgetAnswer, BudgetAsk } from "../../src/queue/budget-store.ts";
import { createFaultLog } from "../../src/queue/fault-log.ts";
import { captureLog } from "../support/captured-log.ts";

const limit = { calls: 12, perSeconds: 10 };
const wanting = (count: number): Request => ({
  weights: Array.from({ length: count }, () => 1),
  ranks: Array.from({ length: count }, () => 0),
  waiting: [count, 0, 0],
  waitsMs: 0,
});

/** A counter on a store that answers as told, or is away, and a clock that the test moves. */
function openCounter(declared: ConstructorParameters<typeof BudgetCounter>[1] = limit) {
  const asked: BudgetAsk[] = [];
  const clock = { now: 1_000 };
  const store = { away: false, epoch: "a", used: 0, limit: 12, processes: 1 };
  const log = captureLog();
  const counter = new BudgetCounter("desk", declared, {
    process: "one",
    logger: log.logger,
    faults: createFaultLog(pino({ level: "silent" }), 0, () => 0),
    now: () => clock.now,
    store: {
      ask: async (_account, ask): Promise<BudgetAnswer> => {
        if (store.away) throw new Error("away");
        asked.push(ask);
        const granted = ask.weights.length;
        store.used += granted;
        const { epoch, used, processes } = store;
        return { granted, waitMs: 0, epoch, limit: store.limit, used, waiting: 0, processes, closedMs: 0 };
      },
      list: async () => [],
      close: () => undefined,
    },
  });
  return { counter, asked, clock, store, log };
}

describe("an account's counter", () => {
  it("asks for the vendor's window and a margin, at most a twentieth", async () => {
    for (const perSeconds of [1, 2, 20, 60, 3600]) {
      const { counter, asked } = openCounter({ calls: 5, perSeconds });
      await counter.grant(wanting(1));
      expect(asked).toHaveLength(1);
      const [windowMs, sliceMs] = [asked[0]?.windowMs ?? 0, asked[0]?.sliceMs ?? 0];
      expect(windowMs).toBeGreaterThanOrEqual(perSeconds * 1000 + 40);
      expect(windowMs + sliceMs).toBeLessThanOrEqual(perSeconds * 1000 * 1.0527);
    }
  });

  it("takes its part of what was left when the store goes away, and of the limit from the next window on", async () => {
    const { counter, clock, store } = openCounter();
    store.processes = 3;
    store.used = 4;
    await counter.grant(wanting(2));
    store.away = true;
    // Six were left, of which a third is ours.
    expect(await counter.grant(wanting(5))).toMatchObject({ granted: 2, limit: 4 });
    expect((await counter.grant(wanting(1))).waitMs).toBeGreaterThan(9_000);
    clock.now += 10_500;
    expect(await counter.grant(wanting(9))).toMatchObject({ granted: 4 });
  });

  it("tells the store of what it let through meanwhile, once", async () => {
    const { counter, asked, clock, store } = openCounter();
    await counter.grant(wanting(1));
    store.away = true;
    await counter.grant(wanting(3));
    store.away = false;
    // The store rests for a second before it is asked again.
    await counter.grant(wanting(1));
    expect(asked).toHaveLength(1);
    clock.now += 1_000;
    await counter.grant(wanting(1));
    await counter.grant(wanting(1));
    expect(asked.map(({ owed, own, epoch }) => [owed, own, epoch])).toEqual([
      [0, 0, ""],
      [4, 5, "a"],
      [0, 6, "a"],
    ]);
  });

  it("owes what it let through until the store has answered", async () => {
    const { counter, asked, clock, store } = openCounter();
    store.away = true;
    await counter.grant(wanting(2));
    clock.now += 1_000;
    await counter.grant(wanting(2));
    store.away = false;
    clock.now += 1_000;
    await counter.grant(wanting(1));
    expect(asked.map(({ owed }) => owed)).toEqual([4]);
  });

  it("stays away while alone for as long as it was told to", async () => {
    const { counter, clock, store } = openCounter();
    await counter.learn({ retryAfterMs: 7_000 }, wanting(0));
    store.away = true;
    expect(await counter.grant(wanting(1))).toMatchObject({ granted: 0, waitMs: 7_000 });
    clock.now += 7_000;
    expect(await counter.grant(wanting(1))).toMatchObject({ granted: 1 });
  });

  it("passes on what is news, at most once a second unless it closes the account", async () => {
    const { counter, asked, clock, store } = openCounter();
    await counter.learn({ limit: 12, remaining: 12 }, wanting(0));
    expect(asked).toEqual([]);
    for (const remaining of [9, 8, 7]) await counter.learn({ remaining }, wanting(0));
    await counter.learn({ retryAfterMs: 2_000 }, wanting(0));
    clock.now += 1_000;
    store.limit = 6;
    await counter.learn({ limit: 6 }, wanting(0));
    expect(asked.map(({ news }) => news)).toEqual([{ used: 3 }, { closeMs: 2_000 }, { limit: 6 }]);
  });

  it("says once that another limit is in force", async () => {
    const { counter, store, log } = openCounter();
    store.limit = 6;
    for (let turn = 0; turn < 3; turn += 1) await counter.grant(wanting(1));
    expect(log.lines().map(({ msg, limit, before }) => [msg, limit, before])).toEqual([
      ["rate limit learned from the target", 6, 12],
    ]);
  });
});

describe("news of a limit", () => {
  const known = { limit: 12, used: 5 };

  it.each([
    ["nothing new", { limit: 12, remaining: 7 }, undefined],
    ["less used than we know of: some calls are on their way", { limit: 12, remaining: 9 }, undefined],
    ["calls of others", { limit: 12, remaining: 2, resetMs: 300.5 }, { used: 10, resetMs: 301 }],
    ["another limit", { limit: 40, remaining: 36 }, { limit: 40 }],
    ["another limit and calls of others", { limit: 40, remaining: 30 }, { limit: 40, used: 10 }],
    ["more left than there can be", { remaining: -3 }, { used: 12 }],
    ["a limit that cannot be", { limit: 0 }, undefined],
    ["a pause", { retryAfterMs: 1_500.2 }, { closeMs: 1_501 }],
    [
      "a pause of a day, of which it is tried after an hour whether it still holds",
      { retryAfterMs: 86_400_000 },
      { closeMs: 3_600_000 },
    ],
    ["no pause", { retryAfterMs: 0 }, undefined],
  ])("%s", (_what, reading, news) => {
    expect(newsOf(reading, limit, known)).toEqual(news);
  });

  it("never raises what the operator set, and lowers it, and takes it back up to that", () => {
    const ceiling = { ...limit, ceiling: true };
    expect(newsOf({ limit: 40 }, ceiling, known)).toBeUndefined();
    expect(newsOf({ limit: 4 }, ceiling, known)).toEqual({ limit: 4 });
    expect(newsOf({ limit: 40 }, ceiling, { limit: 4, used: 0 })).toEqual({ limit: 40 });
  });
});
