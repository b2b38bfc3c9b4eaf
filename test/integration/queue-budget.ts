import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Budget } from "../../src/queue/budget.ts";
import { type BudgetOptions, openBudget } from "../../src/queue/budget-limiter.ts";
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
    /** Takes as fast as it is let, `width` at a time, and notes when. */
    const takeUntil = async (budget: Budget, endsAt: number, width: number, times: number[]) => {
      const signal = AbortSignal.timeout(endsAt - Date.now());
      const one = async () => {
        for (;;) {
          try {
            await budget.take("desk", 1, signal);
          } catch {
            return;
          }
          times.push(performance.now());
          await delay(2);
        }
      };
      await Promise.all(Array.from({ length: width }, one));
    };

    it("is shared by two processes, never exceeded, and used to nine tenths at least", async () => {
      const [one, two] = [await openOne(), await openOne()];
      for (const budget of [one, two]) budget.setLimit("desk", { calls: 20, perSeconds: 2 });
      const times: number[] = [];
      const forMs = 7_000;
      const endsAt = Date.now() + forMs;
      await Promise.all([takeUntil(one, endsAt, 6, times), takeUntil(two, endsAt, 6, times)]);
      times.sort((a, b) => a - b);
      // Any 20 calls and the next one are a window apart, but for the way of an answer from the store to us, which takes long on a busy machine.
      for (let index = 20; index < times.length; index += 1) {
        expect((times[index] ?? 0) - (times[index - 20] ?? 0)).toBeGreaterThan(1_300);
      }
      // 7 seconds hold the windows that begin at 0, 2, 4 and 6.
      expect(times.length).toBeGreaterThanOrEqual(0.9 * 80);
      expect(times.length).toBeLessThanOrEqual(80);
    });

    it("never makes a target without a limit wait, or one whose limit was lifted", async () => {
      const budget = await openOne();
      await Promise.all(Array.from({ length: 100 }, () => budget.take("free", 1, never)));
      expect(await budget.remaining("free")).toBeUndefined();
      budget.setLimit("free", { calls: 1, perSeconds: 60 });
      await budget.take("free", 1, never);
      const waits = budget.take("free", 1, never);
      budget.setLimit("free", undefined);
      await waits;
    });

    it("tells what is left of the window", async () => {
      const budget = await openOne();
      budget.setLimit("desk", { calls: 10, perSeconds: 60 });
      expect(await budget.remaining("desk")).toBe(10);
      await budget.take("desk", 3, never);
      expect(await budget.remaining("desk")).toBe(7);
    });

    it("rejects with the signal's reason, before and while it waits", async () => {
      const budget = await openOne();
      budget.setLimit("desk", { calls: 1, perSeconds: 60 });
      const abort = new AbortController();
      await budget.take("desk", 1, abort.signal);
      const waits = budget.take("desk", 1, abort.signal);
      const reason = new Error("shutting down");
      abort.abort(reason);
      await expect(waits).rejects.toBe(reason);
      await expect(budget.take("desk", 1, abort.signal)).rejects.toBe(reason);
    });

    it("counts on by itself while its store is away, says so once, and goes back to it", async () => {
      const budget = await openOne();
      budget.setLimit("desk", { calls: 5, perSeconds: 2 });
      await budget.take("desk", 1, never);
      await fixture.crash();
      const before = performance.now();
      await Promise.all(Array.from({ length: 6 }, () => budget.take("desk", 1, never)));
      // Five at once, the sixth in the next window.
      expect(performance.now() - before).toBeGreaterThan(1_500);
      expect(performance.now() - before).toBeLessThan(6_000);
      const said = log.lines().filter((line) => String(line["msg"]).includes("by each process alone"));
      expect(said).toHaveLength(1);
      await fixture.recover();
      await expect.poll(() => budget.remaining("desk"), { timeout: 10_000 }).toBe(5);
      await expect
        .poll(
          async () => {
            await budget.take("desk", 1, never);
            return budget.remaining("desk");
          },
          { timeout: 10_000, interval: 300 },
        )
        .toBeLessThan(5);
    });

    it("refuses those who wait when it is closed", async () => {
      const budget = await openBudget({ ...fixture.store(), namespace, logger: log.logger });
      budget.setLimit("desk", { calls: 1, perSeconds: 60 });
      await budget.take("desk", 1, never);
      const refused = budget.take("desk", 1, never).catch((error: unknown) => error);
      // The second has asked the store by now, or will learn of the closing when it has.
      await budget.remaining("desk");
      await budget.close();
      expect(await refused).toMatchObject({ code: "internal" });
    });
  });
}
