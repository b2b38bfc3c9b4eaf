import fc from "fast-check";
import { expect, it } from "vitest";
import { bucketEdges } from "../../src/desk/metric-bucket.ts";
import type { Cell } from "../../src/desk/metric-cell.ts";
import {
  addTo,
  firstBinSlot,
  packCell,
  packQuarters,
  slot,
  slotCount,
  unpackCell,
  unpackQuarters,
} from "../../src/desk/metric-cell.ts";
import type { DayCut } from "../../src/desk/metric-day.ts";
import { cutDays, partOf } from "../../src/desk/metric-day.ts";
import { metricNames } from "../../src/desk/metric-definition.ts";
import type { GroupChange } from "../../src/desk/metric-facts.ts";
import { gatherChanges } from "../../src/desk/metric-facts.ts";
import { reportMetrics } from "../../src/desk/metric-report.ts";
import { createMetricSum } from "../../src/desk/metric-sum.ts";
import { binCount, binOf, secondsOf } from "../../src/desk/metric-histogram.ts";
import { openPacked } from "../../src/desk/metric-text.ts";
import type { MetricDay } from "../../src/desk/store/metrics-read.ts";

const durations = fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 2 ** 31 - 1 }));

it("gives a duration by its bin within 0.8 %, and exactly below 128 seconds", () => {
  fc.assert(
    fc.property(durations, (seconds) => {
      const given = secondsOf(binOf(seconds));
      expect(Math.abs(given - seconds)).toBeLessThanOrEqual(seconds < 128 ? 0 : seconds / 128);
    }),
  );
  expect(binOf(2 ** 40)).toBe(binCount - 1);
});

it("puts longer durations into no lower bins", () => {
  fc.assert(
    fc.property(durations, durations, (one, other) => {
      expect(Math.sign(binOf(one) - binOf(other)) * Math.sign(one - other)).toBeGreaterThanOrEqual(0);
    }),
  );
});

const cells = fc
  .array(
    fc.tuple(
      fc.nat(slotCount - 1),
      fc.integer({ min: -(2 ** 50), max: 2 ** 50 }).filter((figure) => figure !== 0),
    ),
  )
  .map((entries) => new Map(entries));

const smallCells = fc
  .array(fc.tuple(fc.nat(slotCount - 1), fc.integer({ min: 1, max: 60 })))
  .map((entries) => new Map(entries));

it("unpacks what it packed, in text of one byte a character", () => {
  fc.assert(
    fc.property(cells, (cell) => {
      const packed = packCell(cell);
      expect(packed).toMatch(/^[\x20-\x7f]*$/);
      expect(unpackCell(packed)).toEqual(cell);
    }),
  );
});

it("adds packed cells up as their figures", () => {
  fc.assert(
    fc.property(fc.array(smallCells), (some) => {
      const sum = createMetricSum();
      const expected = new Map<number, number>();
      for (const cell of some) {
        const text = openPacked(packCell(cell));
        sum.addPacked(text, text.bytes.length, 1);
        for (const [at, figure] of cell) expected.set(at, (expected.get(at) ?? 0) + figure);
      }
      for (let at = 0; at < slot.replyBins; at += 1) expect(sum.figure(at)).toBe(expected.get(at) ?? 0);
      const inBins = [...expected].filter(([at]) => at >= slot.replyBins && at < slot.replyBusinessBins);
      const seconds = inBins
        .toSorted(([a], [b]) => a - b)
        .flatMap(([at, count]) => Array.from({ length: count }, () => secondsOf(at - slot.replyBins)));
      const ranks = seconds.map((_, index) => index + 1);
      expect(sum.atRanks(slot.replyBins, ranks)).toEqual(seconds);
      sum.clear();
      expect(sum.isEmpty()).toBe(true);
      expect(sum.atRanks(slot.replyBins, [1])).toEqual([]);
    }),
  );
});

it("adds nothing where it takes away what it added", () => {
  fc.assert(
    fc.property(smallCells, cells, (kept, cell) => {
      const sum = createMetricSum();
      sum.add(kept);
      for (const sign of [1, -1] as const) {
        const text = openPacked(packCell(cell));
        sum.addPacked(text, text.bytes.length, sign);
      }
      for (let at = 0; at < firstBinSlot; at += 1) expect(sum.figure(at)).toBe(kept.get(at) ?? 0);
    }),
  );
});

it("finds the quarters of a day in their text", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.nat(95).map(String), cells), (day) => {
      const quarters = new Map(Object.entries(day).map(([number, cell]) => [Number(number), packCell(cell)]));
      const found = [...unpackQuarters(packQuarters(quarters))];
      expect(found).toEqual([...quarters].filter(([, cell]) => cell !== "").toSorted(([a], [b]) => a - b));
    }),
  );
});

const start = Date.UTC(2026, 2, 27) / 1000;
const moments = fc.integer({ min: 0, max: 4 * 96 - 1 }).map((quarter) => start + 900 * quarter);
const facts = fc.record({
  created: moments,
  turns: fc.array(moments, { maxLength: 3 }),
  reply: fc.option(fc.tuple(moments, durations, durations)),
  resolution: fc.option(fc.tuple(moments, durations, durations)),
  reopens: fc.nat(1),
  replies: fc.nat(2),
  rating: fc.option(fc.tuple(moments, fc.integer({ min: 1, max: 5 }))),
  channel: fc.constant("email"),
  tags: fc.constant([]),
  assignee: fc.constant(null),
  order_sources: fc.constant([]),
  reason: fc.constant(null),
});
const edgesOfRange = fc
  .uniqueArray(moments, { minLength: 2, maxLength: 40 })
  .map((some) => some.toSorted((a, b) => a - b));

/** Changes as they are stored by day, no more of it than the edges make necessary. */
function stored(changes: readonly GroupChange[], cuts: ReadonlyMap<number, DayCut>): readonly MetricDay[] {
  return changes.map(({ key, day, quarters }) => {
    const total: Cell = new Map();
    for (const cell of quarters.values()) for (const [at, amount] of cell) addTo(total, at, amount);
    const cut = cuts.get(day);
    const needed = [...quarters].filter(([quarter]) => cut?.parts.includes(partOf(quarter)) === true);
    return {
      key,
      day,
      total: cut !== undefined && cut.rest === undefined ? "" : packCell(total),
      quarters: packQuarters(new Map(needed.map(([quarter, cell]) => [quarter, packCell(cell)]))),
    };
  });
}

it("reports of stored days what it reports of the changes that were stored, wherever buckets cut them", () => {
  fc.assert(
    fc.property(fc.array(facts), edgesOfRange, (tickets, edges) => {
      const gathered = gatherChanges();
      for (const ticket of tickets) gathered.add(ticket, 1);
      const days = (edges.at(-1) ?? 0) / 86_400;
      const changes = gathered.changes().filter(({ code, day }) => code === 0 && day < days);
      const none = { days: [], openBefore: new Map<string, number>(), unfolded: [] };
      const all = new Set(metricNames);
      expect(reportMetrics({ ...none, days: stored(changes, cutDays(edges)) }, edges, all, "")).toEqual(
        reportMetrics({ ...none, unfolded: changes }, edges, all, ""),
      );
    }),
  );
});

const seconds = (time: string): number => Date.parse(time) / 1000;
const edges = (
  from: string,
  until: string,
  interval: "hour" | "day" | "week",
  timeZone: string,
): readonly string[] =>
  bucketEdges({ from: seconds(from), until: seconds(until), interval, timeZone, mostBuckets: 100 }).map(
    (edge) => new Date(edge * 1000).toISOString().slice(0, 16),
  );

it("begins days at midnight of the time zone, whatever daylight saving makes of their length", () => {
  expect(edges("2026-03-28T12:07:00Z", "2026-03-31T00:00:00Z", "day", "Europe/Berlin")).toEqual([
    "2026-03-28T12:00",
    "2026-03-28T23:00",
    "2026-03-29T22:00",
    "2026-03-30T22:00",
    "2026-03-31T00:00",
  ]);
});

it("begins hours on the hour where clocks are moved by half of one", () => {
  expect(edges("2026-04-04T13:00:00Z", "2026-04-04T17:30:00Z", "hour", "Australia/Lord_Howe")).toEqual([
    "2026-04-04T13:00",
    "2026-04-04T14:00",
    "2026-04-04T15:30",
    "2026-04-04T16:30",
    "2026-04-04T17:30",
  ]);
});

it("begins weeks on Monday", () => {
  expect(edges("2026-11-22T00:00:00Z", "2026-11-30T00:00:00Z", "week", "Asia/Kathmandu")).toEqual([
    "2026-11-22T00:00",
    "2026-11-22T18:15",
    "2026-11-29T18:15",
    "2026-11-30T00:00",
  ]);
});

it("refuses more buckets than are allowed", () => {
  expect(() => edges("2026-01-01T00:00:00Z", "2026-12-31T00:00:00Z", "hour", "UTC")).toThrow("more than 100");
});
