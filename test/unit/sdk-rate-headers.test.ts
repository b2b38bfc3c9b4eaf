import { describe, expect, it } from "vitest";
import type { RateReader } from "../../src/sdk/http.ts";
import {
  firstRateReading,
  ietfRateHeaders,
  rateHeaders,
  usedOfLimitHeader,
} from "../../src/sdk/rate-headers.ts";

const now = Date.parse("2026-11-22T10:00:00Z");
const read = (reader: RateReader, headers: Readonly<Record<string, string>>, status = 200) =>
  reader({ status, headers }, now);

const figures = rateHeaders({ limit: "x-rate-limit", remaining: "x-rate-limit-remaining" });
const epoch = rateHeaders({
  limit: "x-ratelimit-limit",
  remaining: "x-ratelimit-remaining",
  reset: "x-ratelimit-reset",
  resetAs: "epoch",
});
const used = usedOfLimitHeader("x-account-call-limit");

describe("headers of rate limits", () => {
  it("one figure a header", () => {
    expect(read(figures, { "x-rate-limit": "700", "x-rate-limit-remaining": "699" })).toEqual({
      limit: 700,
      remaining: 699,
    });
    expect(read(figures, { "x-rate-limit-remaining": "0" })).toEqual({ remaining: 0 });
  });

  it("the time of the reset, which may have passed by our clock", () => {
    const at = (seconds: number) => ({
      "x-ratelimit-limit": "166",
      "x-ratelimit-remaining": "3",
      "x-ratelimit-reset": String(now / 1000 + seconds),
    });
    expect(read(epoch, at(7))).toEqual({ limit: 166, remaining: 3, resetMs: 7_000 });
    expect(read(epoch, at(-7))).toMatchObject({ resetMs: 0 });
  });

  it("used of limit", () => {
    expect(read(used, { "x-account-call-limit": "10/40" })).toEqual({ limit: 40, remaining: 30 });
    expect(read(used, { "x-account-call-limit": "42/40" })).toEqual({ limit: 40, remaining: 0 });
  });

  it.each([
    [{ "ratelimit-limit": "100", "ratelimit-remaining": "50", "ratelimit-reset": "30" }],
    [{ "ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "50", "ratelimit-reset": "30" }],
    [{ ratelimit: "limit=100, remaining=50, reset=30" }],
    [{ ratelimit: '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60' }],
    [
      {
        ratelimit: '"daily";r=900;t=9000, "default";r=50;t=30',
        "ratelimit-policy": '"daily";q=1000;w=86400, "default";q=100;w=60',
      },
    ],
  ])("of the IETF's drafts: %j", (headers) => {
    expect(read(ietfRateHeaders, headers)).toEqual({ limit: 100, remaining: 50, resetMs: 30_000 });
  });

  it("say nothing where they are absent or cannot be read", () => {
    for (const reader of [figures, epoch, used, ietfRateHeaders, firstRateReading(figures, used)]) {
      expect(read(reader, {})).toBeUndefined();
      const unreadable = [
        "x-rate-limit",
        "x-ratelimit-limit",
        "x-account-call-limit",
        "ratelimit",
        "ratelimit-limit",
      ];
      expect(read(reader, Object.fromEntries(unreadable.map((name) => [name, "plenty"])))).toBeUndefined();
    }
  });

  it("complete each other, the first before the next", () => {
    const both = firstRateReading(figures, ietfRateHeaders);
    expect(
      read(both, {
        "x-rate-limit": "700",
        "x-rate-limit-remaining": "5",
        "ratelimit-remaining": "9",
        "ratelimit-reset": "2",
      }),
    ).toEqual({ limit: 700, remaining: 5, resetMs: 2_000 });
  });
});
