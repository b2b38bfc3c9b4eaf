import fc from "fast-check";
import { expect, it } from "vitest";
import { bucketEdges } from "../../src/desk/metric-bucket.ts";
import {
  packCell,
  packQuarters,
  bytesOf,
  forEachQuarter,
  slot,
  slotCount,
  unpackCell,
} from "../../src/desk/metric-cell.ts";
import { createMetricSum } from "../../src/desk/metric-sum.ts";
import { binCount, binOf, secondsOf } from "../../src/desk/metric-histogram.ts";

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
        const bytes = bytesOf(packCell(cell));
        sum.addPacked(bytes, 0, bytes.length);
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

it("finds the quarters of a day in their text", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.nat(95).map(String), cells), (day) => {
      const quarters = new Map(Object.entries(day).map(([number, cell]) => [Number(number), packCell(cell)]));
      const text = packQuarters(quarters);
      const found: [number, string][] = [];
      forEachQuarter(bytesOf(text), (number, start, end) => found.push([number, text.slice(start, end)]));
      expect(found).toEqual([...quarters].filter(([, cell]) => cell !== "").toSorted(([a], [b]) => a - b));
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
