import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import fc from "fast-check";
import { maxLanesPerRing } from "../../src/queue/queue.ts";
import { createRingGatherer, type GatheredRing } from "../../src/queue/ring-gatherer.ts";

describe("ring gatherer", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function gather(sendLate = Promise.resolve(), now = () => 1_000) {
    const sent: { target: string; rings: readonly GatheredRing[] }[] = [];
    const gatherer = createRingGatherer({
      gatherMs: 4,
      restMs: 15,
      now,
      send: (target, rings) => {
        sent.push({ target, rings });
        return sendLate;
      },
    });
    return { sent, gatherer };
  }

  it("sends nothing before its time, and one batch a target then", () => {
    const { sent, gatherer } = gather();
    gatherer.ring("a", ["1"]);
    gatherer.ring("b", ["1"]);
    gatherer.ring("a", ["2", "1"]);
    vi.advanceTimersByTime(3);
    expect(sent).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(sent).toEqual([
      { target: "a", rings: [{ lanes: ["1", "2"], priority: "live", at: undefined }] },
      { target: "b", rings: [{ lanes: ["1"], priority: "live", at: undefined }] },
    ]);
    vi.advanceTimersByTime(100);
    expect(sent).toHaveLength(2);
  });

  it("rests between two sendings, and is quick again after a quiet time or when its clock was set back", () => {
    const { sent, gatherer } = gather(Promise.resolve(), Date.now);
    gatherer.ring("a", ["1"]);
    vi.advanceTimersByTime(4);
    gatherer.ring("a", ["2"]);
    vi.advanceTimersByTime(5);
    gatherer.ring("a", ["3"]);
    vi.advanceTimersByTime(9);
    expect(sent).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(sent[1]?.rings[0]?.lanes).toEqual(["2", "3"]);
    vi.advanceTimersByTime(20);
    gatherer.ring("a", ["4"]);
    vi.advanceTimersByTime(4);
    expect(sent).toHaveLength(3);
    vi.setSystemTime(Date.now() - 3_600_000);
    gatherer.ring("a", ["5"]);
    vi.advanceTimersByTime(15);
    expect(sent).toHaveLength(4);
  });

  it("keeps priorities and times apart; what is due is rung at once, and near times together", () => {
    const { sent, gatherer } = gather();
    gatherer.ring("a", ["live"]);
    gatherer.ring("a", ["due"], { at: 1_000 });
    gatherer.ring("a", ["old"], { priority: "backfill" });
    gatherer.ring("a", ["soon"], { at: 1_001 });
    gatherer.ring("a", ["sooner or later"], { at: 1_050 });
    gatherer.ring("a", ["later"], { at: 1_051 });
    vi.advanceTimersByTime(4);
    expect(sent[0]?.rings).toEqual([
      { lanes: ["live", "due"], priority: "live", at: undefined },
      { lanes: ["old"], priority: "backfill", at: undefined },
      { lanes: ["soon", "sooner or later"], priority: "live", at: 1_050 },
      { lanes: ["later"], priority: "live", at: 1_100 },
    ]);
  });

  it("flush sends at once and waits until what was sent is over", async () => {
    const late = Promise.withResolvers<void>();
    const { sent, gatherer } = gather(late.promise);
    gatherer.ring("a", ["1"]);
    let flushed = false;
    const flushing = gatherer.flush().then(() => {
      flushed = true;
    });
    expect(sent).toHaveLength(1);
    await Promise.resolve();
    expect(flushed).toBe(false);
    late.resolve();
    await flushing;
    expect(flushed).toBe(true);
  });

  it("loses no lane, repeats none and fills no job beyond its limit, whatever is rung", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(400), { maxLength: 120 })), (calls) => {
        const { sent, gatherer } = gather();
        for (const lanes of calls) gatherer.ring("a", lanes.map(String));
        vi.advanceTimersByTime(4);
        const rings = sent.flatMap(({ rings: some }) => some);
        const lanes = rings.flatMap((ring) => ring.lanes);
        expect(rings.every((ring) => ring.lanes.length > 0 && ring.lanes.length <= maxLanesPerRing)).toBe(
          true,
        );
        expect(lanes).toHaveLength(new Set(lanes).size);
        expect(new Set(lanes)).toEqual(new Set(calls.flat().map(String)));
      }),
      { numRuns: 50 },
    );
  });
});
