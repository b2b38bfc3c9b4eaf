import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { outcomeOf, triedForMs } from "../../src/desk/webhook-outcome.ts";

const start = Date.parse("2026-11-22T10:00:00Z");
const facts = { attempts: 1, firstAt: start, now: start, random: () => 0.5 };
const no = undefined;

function dueIn(outcome: { readonly due_at?: string }, now = start): number {
  return Date.parse(outcome.due_at ?? "") - now;
}

describe("what a webhook's answer means", () => {
  it("is delivered for every 2xx, and for nothing else", () => {
    const delivered = Array.from({ length: 600 }, (_, status) => status).filter(
      (status) => outcomeOf({ status, retryAfter: no }, facts).result === "delivered",
    );
    expect(delivered).toEqual(Array.from({ length: 100 }, (_, index) => 200 + index));
    expect(outcomeOf({ status: null, retryAfter: no }, facts).result).toBe("retry");
  });

  it("tries again after growing pauses of full jitter, the last time at 72 hours, and then gives up", () => {
    const property = fc.property(fc.double({ min: 0.1, max: 0.999_999, noNaN: true }), (drawn) => {
      let now = start;
      let attempts = 0;
      for (;;) {
        attempts += 1;
        const outcome = outcomeOf(
          { status: 500, retryAfter: no },
          { attempts, firstAt: start, now, random: () => drawn },
        );
        if (outcome.result === "failed") break;
        expect(dueIn(outcome, now)).toBeGreaterThan(0);
        expect(dueIn(outcome, now)).toBeLessThanOrEqual(8 * 3_600_000);
        now += dueIn(outcome, now);
      }
      expect(now - start).toBe(triedForMs);
    });
    fc.assert(property, { numRuns: 20, examples: [[0.5]] });
    const ceilings = Array.from({ length: 12 }, (_, index) =>
      dueIn(
        outcomeOf(
          { status: 503, retryAfter: no },
          { ...facts, attempts: index + 1, random: () => 0.999_999 },
        ),
      ),
    );
    expect(ceilings).toEqual([...ceilings].sort((one, other) => one - other));
  });

  it("waits at least as long as Retry-After says, in seconds or by a date, but no longer than a day", () => {
    const after = (retryAfter: string, status = 503) => dueIn(outcomeOf({ status, retryAfter }, facts));
    expect(after("120")).toBe(120_000);
    expect(after("Sun, 22 Nov 2026 10:10:00 GMT")).toBe(600_000);
    expect(after("99999999")).toBe(86_400_000);
    for (const odd of ["soon", "-5", "", "1e9", "Sun, 22 Nov 2020 10:10:00 GMT"])
      expect([odd, after(odd)]).toEqual([odd, 2500]);
    expect(outcomeOf({ status: 429, retryAfter: "60" }, facts)).toMatchObject({
      paused_until: "2026-11-22T10:01:00.000Z",
    });
    expect(outcomeOf({ status: 500, retryAfter: "60" }, facts)).not.toHaveProperty("paused_until");
    expect(outcomeOf({ status: 429, retryAfter: no }, facts)).not.toHaveProperty("paused_until");
  });

  it("switches the webhook off for 410 and keeps the delivery", () => {
    expect(outcomeOf({ status: 410, retryAfter: no }, facts)).toMatchObject({
      result: "retry",
      disabled_reason: "gone",
    });
  });
});
