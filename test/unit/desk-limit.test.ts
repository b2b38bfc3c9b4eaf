import fc from "fast-check";
import { expect, it } from "vitest";
import { createLimiter } from "../../src/desk/limit.ts";
import type { Caller } from "../../src/desk/scope.ts";

const caller: Caller = { id: "key_1", name: "one", scopes: new Set() };
const off = { key: undefined, endUser: undefined, own: undefined };

const asking = fc.record({
  afterMs: fc.integer({ min: -500, max: 20_000 }),
  cost: fc.integer({ min: 1, max: 30 }),
});

it("allows no more than the limit and what has come in since, over any stretch of time", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 30 }),
      fc.array(asking, { maxLength: 60 }),
      (requests, seconds, askings) => {
        let now = 1_000_000;
        let latest = now;
        const limiter = createLimiter({ ...off, key: { requests, seconds } }, () => now);
        const allowed: { readonly at: number; readonly cost: number }[] = [];
        for (const { afterMs, cost } of askings) {
          now += afterMs;
          latest = Math.max(latest, now);
          if (limiter.take(caller, cost).allowed) allowed.push({ at: latest, cost });
        }
        for (const [index, { at }] of allowed.entries()) {
          let sum = 0;
          for (const later of allowed.slice(index)) {
            sum += later.cost;
            // A clock that is set back and goes on counts the same stretch twice.
            const setBack = askings.reduce((total, { afterMs }) => total + Math.max(0, -afterMs), 0);
            const filled = ((later.at - at + setBack) * requests) / (seconds * 1000);
            expect(sum).toBeLessThanOrEqual(requests + filled + 1e-3);
          }
        }
      },
    ),
  );
});

it("allows a request as soon as it said, and not before", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 100 }), (requests, seconds) => {
      let now = 0;
      const limiter = createLimiter({ ...off, key: { requests, seconds } }, () => now);
      expect(limiter.take(caller, requests).allowed).toBe(true);
      const { allowed, waitMs } = limiter.take(caller);
      expect(allowed).toBe(false);
      now = waitMs - 1;
      expect(limiter.take(caller).allowed).toBe(false);
      now = waitMs;
      expect(limiter.take(caller).allowed).toBe(true);
    }),
    // A rate at which the wait is not a whole number of milliseconds but for a rounding error.
    { examples: [[20, 73]], numRuns: 1000 },
  );
});

it("says nothing of a limit that is not there", () => {
  const limiter = createLimiter(off, () => 0);
  expect(limiter.take(caller, 1_000_000)).toEqual({ allowed: true, headers: {}, waitMs: 0 });
});
