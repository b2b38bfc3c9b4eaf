import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lastCronTime, nextCronTime } from "../../src/queue/cron.ts";

const dayMs = 86_400_000;

/** All times of an expression from an instant on, by asking for the next one again and again, as the queue does. */
function timesOf(cron: string, timezone: string, from: string, until: string): string[] {
  const times: string[] = [];
  let at = nextCronTime(cron, timezone, Date.parse(from));
  while (at !== undefined && at < Date.parse(until)) {
    times.push(new Date(at).toISOString());
    at = nextCronTime(cron, timezone, at);
  }
  return times;
}

describe("a time of day in a night when the clocks change", () => {
  it("comes once in a night that leaves it out, when the clocks have gone forward", () => {
    expect(timesOf("15 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z")).toEqual([
      "2026-03-28T01:15:00.000Z",
      "2026-03-29T01:00:00.000Z",
      "2026-03-30T00:15:00.000Z",
    ]);
    expect(timesOf("15 2 * * *", "America/New_York", "2026-03-07T00:00:00Z", "2026-03-10T00:00:00Z")).toEqual(
      ["2026-03-07T07:15:00.000Z", "2026-03-08T07:00:00.000Z", "2026-03-09T06:15:00.000Z"],
    );
  });

  it("comes once in a night that has it twice, the first time", () => {
    expect(timesOf("15 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z")).toEqual([
      "2026-10-24T00:15:00.000Z",
      "2026-10-25T00:15:00.000Z",
      "2026-10-26T01:15:00.000Z",
    ]);
    expect(timesOf("15 1 * * *", "America/New_York", "2026-10-31T00:00:00Z", "2026-11-03T00:00:00Z")).toEqual(
      ["2026-10-31T05:15:00.000Z", "2026-11-01T05:15:00.000Z", "2026-11-02T06:15:00.000Z"],
    );
  });

  it("comes as many times as the night has of it when it is every quarter of an hour", () => {
    expect(
      timesOf("*/15 * * * *", "Europe/Berlin", "2026-10-24T21:59:00Z", "2026-10-25T03:00:00Z"),
    ).toHaveLength(20);
    expect(
      timesOf("*/15 * * * *", "Europe/Berlin", "2026-03-28T22:59:00Z", "2026-03-29T03:00:00Z"),
    ).toHaveLength(16);
  });
});

it("the last time up to an instant is the one that asking for the next ones leads to, whatever the clocks do", () => {
  const zones = fc.constantFrom(
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "UTC",
  );
  const crons = fc.constantFrom("15 2 * * *", "30 1 * * *", "0 0 * * 1", "45 */3 * * *", "0 3 1 * *");
  const nights = fc.constantFrom(
    "2026-03-08",
    "2026-03-29",
    "2026-04-05",
    "2026-10-04",
    "2026-10-25",
    "2026-11-01",
  );
  fc.assert(
    fc.property(
      zones,
      crons,
      nights,
      fc.integer({ min: -24 * 60, max: 48 * 60 }),
      (zone, cron, night, minutes) => {
        const now = Date.parse(night) + minutes * 60_000;
        const last = lastCronTime(cron, zone, now);
        const walked = timesOf(
          cron,
          zone,
          new Date(now - 40 * dayMs).toISOString(),
          new Date(now + 1).toISOString(),
        );
        expect(last === undefined ? undefined : new Date(last).toISOString()).toBe(walked.at(-1));
      },
    ),
    { numRuns: 60 },
  );
});
