import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { limiterOf } from "../../bench/call-limit.ts";
import type { Receipts } from "../../bench/child-stub.ts";
import { checkAnswers, checkDesk, CountError } from "../../bench/count-check.ts";
import { deskFeedReport, deskWritesReport } from "../../bench/desk-report.ts";
import { deskWrites } from "../../bench/desk-write.ts";
import { figuresOf } from "../../bench/figures.ts";
import type { Figures } from "../../bench/figures.ts";
import { useOf } from "../../bench/measure-budget.ts";
import { measureNames, parseOptions } from "../../bench/options.ts";
import { cpuMsOf, parseStat, residentMb } from "../../bench/process-cost.ts";
import { reportOf } from "../../bench/report.ts";
import type { Stage } from "../../bench/stage.ts";
import { median, percentile, significant } from "../../bench/statistics.ts";
import { tableOf } from "../../bench/table.ts";
import { readMark, shop, webhookRequest, writeMark } from "../../bench/traffic.ts";

function round(perSecond: number, ackP99Ms?: number): Figures {
  const cpuMsPerEvent = { process: 0.3, redis: 0.01, postgres: 0.1 };
  return { perSecond, p50Ms: 5, p99Ms: 20, cpuMsPerEvent, ...(ackP99Ms === undefined ? {} : { ackP99Ms }) };
}

const nothing = {
  series: {},
  idle: undefined,
  postgresIdle: undefined,
  memory: undefined,
  budget: undefined,
};

describe("the figures of the benchmark", () => {
  it("take percentiles by nearest rank and medians in the middle", () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)]).toEqual([50, 99, 100]);
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
    expect(percentile([], 0.5)).toBeNaN();
    expect([significant(1234.5), significant(0.012345)]).toEqual([1230, 0.0123]);
  });

  it("reckon a rate from the whole and percentiles from each", () => {
    const cpu = { process: 1, redis: 0, postgres: 0 };
    expect(figuresOf(2000, 500, [1, 2, 3], cpu)).toMatchObject({ perSecond: 4000, p50Ms: 2, p99Ms: 3 });
  });

  it("set rates against each other within a round and give the median of the rounds", () => {
    const series = {
      floor: [round(4000), round(1000), round(3000)],
      drain: [round(2000), round(900), round(2400)],
      endToEnd: [round(2000, 90), round(500, 40), round(900, 60)],
    };
    const report = reportOf({ ...nothing, series });
    expect(report.ratios).toEqual({ "drain/floor": 0.8, "endToEnd/floor": 0.5 });
    expect(report.ratioSpread["drain/floor"]).toEqual({ min: 0.5, max: 0.9 });
    expect(report.floor).toMatchObject({ perSecond: 3000, perSecondOfRounds: [4000, 1000, 3000] });
    expect(report.ackP99Ms).toBe(90);
    expect(report.targets.map(({ name, reached }) => [name, reached])).toEqual([
      ["drain / floor", true],
      ["end to end / floor", true],
      ["acknowledgement under load, p99 ms", true],
    ]);
  });

  it("say which targets are missed", () => {
    const series = { floor: [round(4000)], drain: [round(2000)] };
    const memory = { restMb: 300, pending10kMb: 200, pending200kMb: 400 };
    const report = reportOf({ ...nothing, series, memory });
    expect(report.targets.map(({ reached }) => reached)).toEqual([false, false, false]);
    expect(tableOf(report)).toContain("MISSED   drain / floor: 0.5 (≥ 0.7)");
  });

  it("leave out what was not measured", () => {
    expect(reportOf(nothing)).toEqual({ ratios: {}, ratioSpread: {}, targets: [] });
    expect(tableOf(reportOf(nothing))).toBe("");
  });
});

describe("the traffic of the benchmark", () => {
  const mark = { run: "whole12", number: 34 };

  it("is marked in a way that is found again in the address of a call to the desk", () => {
    const key = encodeURIComponent(`cancelled:#${writeMark(mark)}`);
    expect(readMark(`/v1/tickets/by-ref/deskbridge/${key}`)).toEqual(mark);
    expect(readMark(`/v1/tickets/by-ref/deskbridge/${key}/messages?x=1`)).toEqual(mark);
    expect(readMark("/v1/tickets/by-ref/deskbridge/1042")).toBeUndefined();
  });

  it("is signed over the bytes that are sent", () => {
    const request = webhookRequest(mark, "127.0.0.1:1", "/hooks/shop", new Date()).toString();
    const [head = "", body = ""] = request.split("\r\n\r\n");
    const signature = /X-Shopify-Hmac-Sha256: (\S+)/.exec(head)?.[1];
    expect(signature).toBe(createHmac("sha256", shop.clientSecret).update(body).digest("base64"));
    expect(Number(/Content-Length: (\d+)/.exec(head)?.[1])).toBe(Buffer.byteLength(body));
    expect(JSON.parse(body)).toMatchObject({ name: "#whole12x34" });
  });

  it("counts as wrong when one webhook was answered other than 202", () => {
    expect(() => checkAnswers("r1", { "202": 10 }, 10)).not.toThrow();
    expect(() => checkAnswers("r1", { "202": 9, "503": 1 }, 10)).toThrow(CountError);
    expect(() => checkAnswers("r1", { "202": 9 }, 10)).toThrow(CountError);
  });
});

describe("the check of the desk's receipts", () => {
  function deskWith(receipts: Partial<Receipts>): Pick<Stage, "stub"> {
    const all = { arrivedAt: [1, 2, 3], repeated: 0, strange: [], refusedAt: [], ...receipts };
    return { stub: { call: async () => all } as unknown as Stage["stub"] };
  }

  it("passes when every ticket arrived once", async () => {
    expect((await checkDesk(deskWith({}), "r1")).arrivedAt).toEqual([1, 2, 3]);
  });

  it.each<[string, Partial<Receipts>, string]>([
    ["a lost ticket", { arrivedAt: [1, null, 3] }, "1 tickets of 3 did not arrive"],
    ["a doubled ticket", { repeated: 2 }, "2 tickets arrived more than once"],
    ["a stray call", { strange: ["/v1/other"] }, "the desk was asked for /v1/other"],
  ])("fails for %s", async (_what, receipts, message) => {
    const check = checkDesk(deskWith(receipts), "r1");
    await expect(check).rejects.toThrow(CountError);
    await expect(check).rejects.toThrow(message);
  });
});

describe("what processes cost", () => {
  it("is read from a line of /proc, whatever the process is called", () => {
    const line = "42 (a) b (c)) S 7 42 42 0 -1 4194560 100 0 0 0 150 50 30 20 20 0 1 0 100 0 0";
    expect(parseStat(line)).toEqual({ parent: 7, ownMs: 2000, endedChildrenMs: 500 });
  });

  it("is found for this process, and refused for one that is not there", () => {
    expect(cpuMsOf(process.pid)).toBeGreaterThan(0);
    expect(residentMb(process.pid)).toBeGreaterThan(10);
    expect(() => cpuMsOf(2 ** 30)).toThrow("there is no process");
    expect(() => residentMb(2 ** 30)).toThrow("there is no process");
  });
});

describe("the writes of the benchmark", () => {
  const upserts = deskWrites("r", "upserts", 0, 1280);

  it("are half of new tickets and half of tickets that are there, every second one by a customer who is known", () => {
    const tickets = new Set(upserts.map(({ ticket }) => ticket));
    const customers = new Set(upserts.map(({ requester }) => requester.email));
    expect([tickets.size, customers.size]).toEqual([640, 320]);
    expect(new Set(upserts.map(({ messageRef }) => messageRef)).size).toBe(1280);
  });

  it("leave time between two writes about one ticket or one new customer", () => {
    const last = new Map<string, number>();
    const apart = upserts.flatMap(({ ticket, requester }, index) =>
      [ticket, requester.email].map((name) => {
        const before = last.get(name) ?? Number.NEGATIVE_INFINITY;
        last.set(name, index);
        return index - before;
      }),
    );
    expect(Math.min(...apart)).toBeGreaterThanOrEqual(32);
  });

  it("go on where they stopped", () => {
    expect(deskWrites("r", "upserts", 640, 640)).toEqual(upserts.slice(640));
  });

  it("are set against bare SQL round by round", () => {
    const side = (...seconds: number[]) => seconds.map((each) => ({ seconds: each, latenciesMs: [1, 2, 3] }));
    const figures = [
      { kind: "upserts", api: side(2, 4, 2), sql: side(1, 1, 1) },
      { kind: "messages", api: side(4), sql: side(1) },
    ] as const;
    const report = deskWritesReport(figures, 100);
    expect(report.writes.map(({ apiPerSecond, ratio }) => [apiPerSecond, ratio])).toEqual([
      [50, 0.5],
      [25, 0.25],
    ]);
    expect(report.failures).toEqual(["messages: 0.25 of bare SQL is less than 0.5"]);
  });

  it("say of the feed how fast it was read, each way", () => {
    const report = deskFeedReport({ pages: [30_000, 20_000, 40_000], filtered: [19_999], stream: [50_000] });
    expect(report.feed.map(({ way, perSecond }) => [way, perSecond])).toEqual([
      ["pages", 30_000],
      ["filtered", 19_999],
      ["stream", 50_000],
    ]);
    expect(report.failures).toEqual(["filtered: 19999 changes a second are fewer than 20000"]);
  });
});

describe("the command line of the benchmark", () => {
  it("measures everything unless told", () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ events: 8000, warmUp: 1600, rounds: 3, json: false });
    expect(options === "help" ? [] : [...options.only]).toEqual([...measureNames]);
  });

  it("takes names by commas or one by one", () => {
    const options = parseOptions(["--only", "floor,drain", "--only", "idle", "--events", "100", "--json"]);
    expect(options).toMatchObject({ events: 100, json: true });
    expect(options === "help" ? [] : [...options.only]).toEqual(["floor", "drain", "idle"]);
    expect(parseOptions(["--help"])).toBe("help");
  });

  it("measures the Support API alone, and only when it is asked to", () => {
    expect(parseOptions([])).toMatchObject({ desk: undefined });
    const options = parseOptions(["--only", "desk-writes", "--writes", "100", "--rounds", "1"]);
    expect(options).toMatchObject({ desk: { name: "desk-writes", writes: 100, clients: 16, rounds: 1 } });
    expect(options === "help" ? undefined : options.only.size).toBe(0);
    expect(() => parseOptions(["--only", "desk-writes,floor"])).toThrow("there are floor, ");
  });

  it("refuses what it does not know", () => {
    expect(() => parseOptions(["--only", "flor"])).toThrow("there are floor, ");
    expect(() => parseOptions(["--events", "many"])).toThrow("whole number");
    expect(() => parseOptions(["--fast"])).toThrow("--fast");
  });
});

describe("the use of a rate limit", () => {
  it("is refused by the stub when a stretch of its window holds too many calls, wherever it begins", () => {
    const limit = limiterOf({ calls: 2, perSeconds: 10 });
    expect([0, 9_000, 9_500, 10_000, 18_900, 19_000].map(limit)).toEqual([
      undefined,
      undefined,
      1,
      undefined,
      1,
      undefined,
    ]);
    expect([0, 0, 0].map(limiterOf(undefined))).toEqual([undefined, undefined, undefined]);
  });

  it("is a rate from full window to full window, so that whole windows at a time do not flatter it", () => {
    const arrivedAt = [0, 1, 2, 3].flatMap((window) => [window * 12_500, window * 12_500 + 10]);
    const receipts = { arrivedAt: [...arrivedAt, null], repeated: 0, strange: [], refusedAt: [5, 70_000] };
    expect(useOf(receipts, { calls: 2, perSeconds: 10 })).toEqual({
      used: 0.8,
      rejected: 1,
      rejectedBefore: 1,
      calls: 8,
      seconds: 38,
    });
    expect(useOf({ ...receipts, arrivedAt: [null] }, { calls: 2, perSeconds: 10 }).used).toBe(0);
  });

  it("misses its targets when too little was used or a call was refused late", () => {
    const budget = { used: 0.9, rejected: 1, rejectedBefore: 0, calls: 8, seconds: 38 };
    expect(reportOf({ ...nothing, budget }).targets.map(({ reached }) => reached)).toEqual([false, false]);
  });
});
