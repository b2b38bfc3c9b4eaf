import { beforeEach, describe, expect, it } from "vitest";
import type { RingJob } from "../../src/queue/backend.ts";
import type { TickWatch } from "../../src/queue/tick-watch.ts";
import { createTickWatch } from "../../src/queue/tick-watch.ts";

const tick = (id: string, progress: number): RingJob => ({ id, progress }) as RingJob;

describe("a watch over ticks", () => {
  let now = 0;
  let watch: TickWatch;
  beforeEach(() => {
    now = 1000;
    watch = createTickWatch(100, () => now);
  });

  it("takes a tick for silent that gave no new sign for so long", () => {
    watch.look([tick("a", 0)]);
    now += 99;
    expect(watch.isSilent(tick("a", 0))).toBe(false);
    now += 1;
    expect(watch.isSilent(tick("a", 0))).toBe(true);
  });

  it("hears every new sign", () => {
    for (let sign = 0; sign < 5; sign += 1) {
      watch.look([tick("a", sign), tick("b", 0)]);
      now += 60;
    }
    expect(watch.isSilent(tick("a", 4))).toBe(false);
    expect(watch.isSilent(tick("b", 0))).toBe(true);
  });

  it("says nothing about a tick that it has never looked at", () => {
    now += 1000;
    expect(watch.isSilent(tick("a", 0))).toBe(false);
  });

  it("forgets a tick that is over", () => {
    watch.look([tick("a", 0)]);
    now += 60;
    watch.look([]);
    watch.look([tick("a", 0)]);
    now += 60;
    expect(watch.isSilent(tick("a", 0))).toBe(false);
  });
});
