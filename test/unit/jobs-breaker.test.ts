import { describe, expect, it } from "vitest";
import type { TargetHealth } from "../../src/jobs/attempt.ts";
import type { Breaker } from "../../src/jobs/breaker.ts";
import { createBreaker } from "../../src/jobs/breaker.ts";

function bench() {
  const clock = { ms: 0 };
  const breaker = createBreaker({ now: () => clock.ms, random: () => 0.5 });
  return { breaker, clock };
}

function attempt(breaker: Breaker, health: TargetHealth) {
  const admission = breaker.admit();
  if (admission === undefined) throw new Error("nothing was admitted");
  return admission(health);
}

function fail(breaker: Breaker, times: number) {
  let pause;
  for (let made = 0; made < times; made += 1) pause = attempt(breaker, "failing") ?? pause;
  return pause;
}

describe("a breaker", () => {
  it("opens when half of the last calls failed, not before there are eight", () => {
    const { breaker } = bench();
    expect(fail(breaker, 7)).toBeUndefined();
    expect(attempt(breaker, "failing")).toMatchObject({ forMs: 5000 });
    expect(breaker.isHalfOpen()).toBe(true);
  });

  it("stays closed while most calls go well, and forgets what is older than a minute", () => {
    const { breaker, clock } = bench();
    for (let round = 0; round < 50; round += 1) {
      expect(attempt(breaker, "failing")).toBeUndefined();
      attempt(breaker, "well");
      attempt(breaker, "well");
    }
    clock.ms += 61_000;
    expect(fail(breaker, 7)).toBeUndefined();
    expect(breaker.isHalfOpen()).toBe(false);
  });

  it("lets one probe at a time through, pauses longer each time it fails, and closes when one goes well", () => {
    const { breaker } = bench();
    fail(breaker, 8);
    const probe = breaker.admit();
    expect(breaker.admit()).toBeUndefined();
    expect(probe?.("failing")).toMatchObject({ forMs: 10_000 });
    expect(attempt(breaker, "failing")).toMatchObject({ forMs: 20_000 });
    for (let made = 0; made < 10; made += 1) attempt(breaker, "failing");
    expect(attempt(breaker, "failing")).toMatchObject({ forMs: 300_000 });
    expect(attempt(breaker, "well")).toBeUndefined();
    expect(breaker.isHalfOpen()).toBe(false);
    const several = [breaker.admit(), breaker.admit()];
    expect(several.every((admission) => admission !== undefined)).toBe(true);
    // The next trouble starts from the beginning.
    expect(fail(breaker, 8)).toMatchObject({ forMs: 5000 });
  });

  it("does not count the calls that were under way when it opened", () => {
    const { breaker } = bench();
    const underWay = Array.from({ length: 5 }, () => breaker.admit());
    fail(breaker, 8);
    for (const admission of underWay) expect(admission?.("failing")).toBeUndefined();
    expect(attempt(breaker, "failing")).toMatchObject({ forMs: 10_000 });
    expect(underWay[0]?.("well")).toBeUndefined();
    expect(breaker.isHalfOpen()).toBe(true);
  });

  it("takes an attempt that says nothing about the target for neither good nor bad", () => {
    const { breaker } = bench();
    for (let made = 0; made < 20; made += 1) attempt(breaker, "unknown");
    breaker.doubt();
    attempt(breaker, "unknown");
    expect(breaker.isHalfOpen()).toBe(true);
    attempt(breaker, "well");
    expect(breaker.isHalfOpen()).toBe(false);
  });
});
