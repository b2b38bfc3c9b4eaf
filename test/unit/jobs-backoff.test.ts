import fc from "fast-check";
import { expect, it } from "vitest";
import { backoffMs, maxAttempts } from "../../src/jobs/backoff.ts";

it("pauses between a quarter of a second and an hour, whatever the attempt", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempts, random) => {
        const pause = backoffMs(attempts, () => random);
        expect(pause).toBeGreaterThanOrEqual(250);
        expect(pause).toBeLessThanOrEqual(3_600_000);
      },
    ),
  );
});

it("spreads over the whole range of a ceiling that doubles", () => {
  expect([1, 2, 3, 4].map((attempts) => backoffMs(attempts, () => 0.999999))).toEqual([
    999, 1999, 3999, 7999,
  ]);
  expect(backoffMs(5, () => 0)).toBe(250);
});

it("gives up after about a day of pauses", () => {
  let total = 0;
  for (let attempts = 1; attempts < maxAttempts; attempts += 1) total += backoffMs(attempts, () => 0.5);
  expect(total / 3_600_000).toBeGreaterThan(18);
  expect(total / 3_600_000).toBeLessThan(26);
});
