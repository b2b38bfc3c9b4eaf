import { describe, expect, it } from "vitest";
import { daysAtOnce, gatheredRows, groupDays } from "../../src/sdk/files/day-groups.ts";

const days = Array.from({ length: 1000 }, (_, index) =>
  new Date(Date.UTC(2026, 0, 1 + index)).toISOString().slice(0, 10),
);

describe("days that are written in one statement", () => {
  it("are all days in order, each once", () => {
    for (const rows of [1, 50, 100_000]) {
      expect(groupDays(days, () => rows, 10_000).flat()).toEqual(days);
    }
    expect(groupDays([], () => 1, 10_000)).toEqual([]);
  });

  it("are many where each has rows enough, and few where they have not", () => {
    const sizes = (rows: number, most?: number): number[] =>
      groupDays(days, () => rows, 10_000, most).map((group) => group.length);
    expect(Math.max(...sizes(100_000))).toBe(512);
    expect(Math.max(...sizes(1))).toBe(daysAtOnce());
    expect(Math.max(...sizes(100_000, 64))).toBe(64);
  });

  it("are many where a few have little", () => {
    const rowsOf = (day: string): number => (day.endsWith("-01") ? 1 : 100_000);
    expect(groupDays(days, rowsOf, 10_000).length).toBe(2);
  });
});

describe("rows that are gathered before they are written", () => {
  it("are fewer the larger they are, and some even of the largest", () => {
    expect(gatheredRows(1000, 1_000_000)).toBeGreaterThan(gatheredRows(1000, 100_000_000));
    expect(gatheredRows(10, 10 * 16 * 1024 ** 2)).toBe(256);
    expect(gatheredRows(1_000_000, 1_000_000)).toBe(524_288);
    expect(gatheredRows(0, 0)).toBeLessThan(10_000);
  });
});
