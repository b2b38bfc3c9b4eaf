import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Budget } from "../../src/queue/budget.ts";
import { type BudgetOptions, openBudget } from "../../src/queue/budget-limiter.ts";
import type { CallPriority } from "../../src/sdk/call-context.ts";
import { captureLog } from "../support/captured-log.ts";

/** A store under test, real and of the suite's own. */
export interface BudgetFixture {
  readonly store: () => Pick<BudgetOptions, "redisUrl" | "postgresPool">;
  readonly crash: () => Promise<void>;
  readonly recover: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const never = new AbortController().signal;

/** What every store of the `Budget` port does alike. */
export function describeBudget(name: string, open: () => Promise<BudgetFixture>): void {
  describe(`budget on ${name}`, () => {
    let fixture: BudgetFixture;
    let counter = 0;
    let namespace = "";
    let log = captureLog();
    const budgets: Budget[] = [];
    beforeAll(async () => {
      fixture = await open();
    });
    beforeEach(() => {
      counter += 1;
      namespace = `budget${counter}`;
      log = captureLog();
    });
    afterEach(async () => {
      await Promise.all(budgets.splice(0).map((budget) => budget.close()));
    });
    afterAll(() => fixture.stop());

    const openOne = async () => {
      const budget = await openBudget({ ...fixture.store(), namespace, logger: log.logger });
      budgets.push(budget);
      return budget;
    };
    const take = (budget: Budget, account = "desk", weight = 1, priority: CallPriority = "live") =>
      budget.gate(account).take(weight, priority, never);
    const usedOf = async (budget: Budget) => (await budget.usage("desk"))?.used;

    /** Takes as fast as it is let, `width` at a time, and notes when and how much. */
    const takeUntil = async (
      budget: Budget,
      endsAt: number,
      { width, weights, taken }: { width: number; weights: readonly number[]; taken: Taken[] },
    ) => {
      const signal = AbortSignal.timeout(endsAt - Date.now());
      const one = async (_: unknown, index: number) => {
        for (let turn = index; ; turn += 1) {
          const weight = weights[turn % weights.length] ?? 1;
          try {
            await budget.gate("desk").take(weight, "live", signal);
          } catch {
            return;
          }
          taken.push({ at: performance.now(), weight });
        }
      };
      await Promise.all(Array.from({ length: width }, one));
    };

    it.each([
      ["calls of one weight", [1]],
      ["calls of weights one to three", [1, 3, 2, 1, 2]],
    ])(
      "is shared by three processes, never exceeded in any stretch, and used to nineteen twentieths: %s",
      async (_what, weights) => {
        const limit = { calls: 30, perSeconds: 2 };
        const three = [await openOne(), await openOne(), await openOne()];
        for (const budget of three) budget.setLimit("desk", limit);
        const taken: Taken[] = [];
        const forMs = 9_000;
        const endsAt = Date.now() + forMs;
        await Promise.all(three.map((budget) => takeUntil(budget, endsAt, { width: 12, weights, taken })));
        // What a vendor that counts arrivals would see, but for a margin: an answer's way from the store to us takes long on a busy machine.
        expect(heaviestStretch(taken, limit.perSeconds * 1000 - 100)).toBeLessThanOrEqual(limit.calls);
        const used = taken.reduce((sum, { weight }) => sum + weight, 0);
        // The windows that begin at 0, 2, 4, 6 and 8 s; heavy calls may leave up to two of a window unused.
        const heaviest = Math.max(...weights);
        expect(used).toBeGreaterThanOrEqual(5 * (limit.calls - heaviest + 1));
        expect(used).toBeGreaterThanOrEqual(0.95 * limit.calls * (forMs / 1000 / limit.perSeconds));
      },
    );

    it("gives three processes that wait alike about the same", async () => {
      const three = [await openOne(), await openOne(), await openOne()];
      for (const budget of three) budget.setLimit("desk", { calls: 30, perSeconds: 1 });
      const endsAt = Date.now() + 4_000;
      const shares = await Promise.all(
        three.map(async (budget) => {
          const taken: Taken[] = [];
          await takeUntil(budget, endsAt, { width: 20, weights: [1], taken });
          return taken.length;
        }),
      );
      expect(Math.min(...shares)).toBeGreaterThan(Math.max(...shares) / 3);
    });

    it("lets live calls of one process go before backfill of another", async () => {
      const [one, two] = [await openOne(), await openOne()];
      for (const budget of [one, two]) budget.setLimit("desk", { calls: 4, perSeconds: 1 });
      await Promise.all(Array.from({ length: 4 }, () => take(one)));
      const order: string[] = [];
      const waitAs = async (budget: Budget, priority: CallPriority) => {
        await take(budget, "desk", 1, priority);
        order.push(priority);
      };
      const all = [
        ...Array.from({ length: 4 }, () => waitAs(one, "export")),
        ...Array.from({ length: 4 }, () => waitAs(one, "backfill")),
        ...Array.from({ length: 4 }, () => waitAs(two, "live")),
      ];
      await Promise.all(all);
      expect(order.slice(0, 4)).toEqual(["live", "live", "live", "live"]);
      expect(order.slice(4, 8)).toEqual(["backfill", "backfill", "backfill", "backfill"]);
    });

    it("never makes an account without a limit wait, or one whose limit was lifted", async () => {
      const budget = await openOne();
      await Promise.all(Array.from({ length: 100 }, () => take(budget, "free")));
      expect(await budget.usage("free")).toBeUndefined();
      budget.setLimit("free", { calls: 1, perSeconds: 60 });
      await take(budget, "free");
      const waits = take(budget, "free");
      budget.setLimit("free", undefined);
      await waits;
    });

    it("tells limit, use and who waits, over all processes", async () => {
      const [one, two] = [await openOne(), await openOne()];
      for (const budget of [one, two]) budget.setLimit("desk", { calls: 10, perSeconds: 60 });
      expect(await one.usage("desk")).toEqual({ limit: 10, used: 0, waiting: 0, closedMs: 0 });
      await take(one, "desk", 3);
      await take(two, "desk", 7);
      const refused = [take(one), take(one), take(two)].map((waits) => waits.catch(() => undefined));
      // One that set no limit, such as a command that only looks, sees it too.
      const onlooker = await openOne();
      await expect
        .poll(() => onlooker.inUse())
        .toEqual([{ account: "desk", limit: 10, used: 10, waiting: 3, closedMs: 0 }]);
      await expect.poll(() => one.usage("desk")).toEqual({ limit: 10, used: 10, waiting: 3, closedMs: 0 });
      await Promise.all([one.close(), two.close()]);
      await Promise.all(refused);
    });

    it("goes by the limit that the vendor tells of, in every process, and says so once", async () => {
      const [one, two] = [await openOne(), await openOne()];
      for (const budget of [one, two]) budget.setLimit("desk", { calls: 10, perSeconds: 60 });
      await take(one);
      one.gate("desk").learn({ limit: 4 });
      one.gate("desk").learn({ limit: 4 });
      await expect.poll(async () => (await two.usage("desk"))?.limit).toBe(4);
      await Promise.all([take(one), take(two), take(two)]);
      const waits = two.gate("desk").take(1, "live", AbortSignal.timeout(300));
      await expect(waits).rejects.toThrow("timeout");
      const said = log.lines().filter((line) => String(line["msg"]).includes("learned"));
      // Once a process: each has its own log.
      expect(said).toHaveLength(2);
      expect(said[0]).toMatchObject({ account: "desk", limit: 4, before: 10 });
    });

    it("does not go above a limit that the operator set", async () => {
      const budget = await openOne();
      budget.setLimit("desk", { calls: 2, perSeconds: 60, ceiling: true });
      await take(budget);
      budget.gate("desk").learn({ limit: 700, remaining: 699 });
      await take(budget);
      expect(await budget.usage("desk")).toMatchObject({ limit: 2, used: 2 });
      budget.gate("desk").learn({ limit: 1 });
      await expect.poll(async () => (await budget.usage("desk"))?.limit).toBe(1);
    });

    it("counts what others use of the account, for as long as the vendor does", async () => {
      const budget = await openOne();
      budget.setLimit("desk", { calls: 10, perSeconds: 60 });
      await take(budget);
      // Our own call, and eight that we know nothing of.
      budget.gate("desk").learn({ remaining: 1, resetMs: 1_500 });
      await expect.poll(() => usedOf(budget)).toBe(9);
      await take(budget);
      const before = performance.now();
      await take(budget);
      expect(performance.now() - before).toBeGreaterThan(500);
      expect(await usedOf(budget)).toBe(3);
    });

    it("is closed in every process for as long as one was told to wait", async () => {
      const [one, two] = [await openOne(), await openOne()];
      for (const budget of [one, two]) budget.setLimit("desk", { calls: 10, perSeconds: 60 });
      await take(one);
      one.gate("desk").learn({ retryAfterMs: 1_500 });
      await expect.poll(async () => (await two.usage("desk"))?.closedMs ?? 0).toBeGreaterThan(0);
      const before = performance.now();
      await Promise.all([take(one), take(two)]);
      expect(performance.now() - before).toBeGreaterThan(1_000);
      expect(performance.now() - before).toBeLessThan(4_000);
    });

    it("rejects with the signal's reason, before and while it waits", async () => {
      const budget = await openOne();
      budget.setLimit("desk", { calls: 1, perSeconds: 60 });
      const abort = new AbortController();
      const gate = budget.gate("desk");
      await gate.take(1, "live", abort.signal);
      const waits = gate.take(1, "live", abort.signal);
      const reason = new Error("shutting down");
      abort.abort(reason);
      await expect(waits).rejects.toBe(reason);
      await expect(gate.take(1, "live", abort.signal)).rejects.toBe(reason);
    });

    it("goes on with its part while its store is away, says so once, and tells the store afterwards", async () => {
      const [one, two] = [await openOne(), await openOne()];
      for (const budget of [one, two]) {
        budget.setLimit("desk", { calls: 8, perSeconds: 3 });
        await take(budget);
      }
      // It learns that there are two.
      await take(one);
      await fixture.crash();
      const before = performance.now();
      // Its part is four, of which it has used two; of the five that were left it may take two.
      await Promise.all([take(one), take(one)]);
      expect(performance.now() - before).toBeLessThan(2_000);
      await take(one);
      expect(performance.now() - before).toBeGreaterThan(1_500);
      const said = log.lines().filter((line) => String(line["msg"]).includes("by each process alone"));
      expect(said).toHaveLength(1);
      await fixture.recover();
      await expect.poll(() => usedOf(one).catch(() => undefined), { timeout: 10_000 }).toBeDefined();
      await expect
        .poll(
          async () => {
            await take(one);
            return usedOf(one);
          },
          { timeout: 10_000, interval: 300 },
        )
        .toBeGreaterThan(1);
    });

    it("refuses those who wait when it is closed", async () => {
      const budget = await openBudget({ ...fixture.store(), namespace, logger: log.logger });
      budget.setLimit("desk", { calls: 1, perSeconds: 60 });
      await take(budget);
      const refused = take(budget).catch((error: unknown) => error);
      // The second has asked the store by now, or will learn of the closing when it has.
      await budget.usage("desk");
      await budget.close();
      expect(await refused).toMatchObject({ code: "internal" });
    });
  });
}

interface Taken {
  readonly at: number;
  readonly weight: number;
}

/** The most weight that lies in any stretch of so many milliseconds. */
function heaviestStretch(taken: readonly Taken[], ms: number): number {
  const inOrder = taken.toSorted((one, other) => one.at - other.at);
  let [first, weight, most] = [0, 0, 0];
  for (const each of inOrder) {
    weight += each.weight;
    while ((inOrder[first]?.at ?? 0) <= each.at - ms) {
      weight -= inOrder[first]?.weight ?? 0;
      first += 1;
    }
    most = Math.max(most, weight);
  }
  return most;
}
