import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDayTally, differingDays } from "../../src/export/day-tally.ts";
import { datasetCatalogue } from "../../src/model/dataset-catalogue.ts";
import type { Row } from "../../src/sdk/row-batch.ts";
import { createCsvBatch, createRowBatch } from "../../src/sdk/row-batch.ts";

const columns = datasetCatalogue.tickets.columns.filter(({ name }) =>
  ["id", "subject", "tags", "custom_fields", "csat_score", "created_at"].includes(name),
);
const row = fc.record({
  id: fc.uuid(),
  subject: fc.option(fc.string()),
  tags: fc.array(fc.string(), { maxLength: 3 }),
  custom_fields: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
  csat_score: fc.option(fc.integer({ min: 1, max: 5 })),
  created_at: fc.integer({ min: 1, max: 5 }).map((day) => `2026-11-0${day}T10:00:00.5Z`),
});
const rows = fc.uniqueArray(row, { selector: ({ id }) => id, maxLength: 12 });

function daysOf(some: readonly Row[]) {
  const tally = createDayTally(columns, "created_at");
  tally.add(createRowBatch(columns, some));
  return tally.days();
}

describe("a tally by day", () => {
  it("is the same in whatever order and form the rows come", () => {
    fc.assert(
      fc.property(rows, fc.nat(12), (some, at) => {
        const turned = [...some.slice(at), ...some.slice(0, at)];
        const tally = createDayTally(columns, "created_at");
        const batch = createRowBatch(columns, turned);
        tally.add(createCsvBatch(columns, batch.csv(), batch.count));
        expect(differingDays(daysOf(some), tally.days())).toEqual([]);
        expect(tally.rows()).toBe(some.length);
      }),
    );
  });

  it("shows a row that lacks, one that is there twice and one that is other", () => {
    fc.assert(
      fc.property(rows, row, (some, one) => {
        const day = one.created_at.slice(0, 10);
        const whole = daysOf([...some, one]);
        const changed = { ...one, csat_score: one.csat_score === 5 ? null : (one.csat_score ?? 0) + 1 };
        for (const other of [some, [...some, one, one], [...some, changed]]) {
          expect(differingDays(whole, daysOf(other)).map((found) => found.day)).toEqual([day]);
        }
      }),
    );
  });

  it("does not mind the order of the keys within JSON, and minds that of lists", () => {
    const base = { id: "tkt_1", subject: null, csat_score: null, created_at: "2026-11-01T10:00:00Z" };
    const days = (tags: unknown, fields: unknown) => daysOf([{ ...base, tags, custom_fields: fields }]);
    expect(
      differingDays(days([], { a: 1, b: { c: 2, d: 3 } }), days([], { b: { d: 3, c: 2 }, a: 1 })),
    ).toEqual([]);
    expect(differingDays(days(["x", "y"], {}), days(["y", "x"], {}))).toHaveLength(1);
    expect(differingDays(days([], { a: 1 }), days([], [["a", 1]]))).toHaveLength(1);
  });

  it("has days in their order, with their rows", () => {
    const at = (day: string): Row => ({
      id: day,
      created_at: `${day}T00:00:00Z`,
      tags: [],
      custom_fields: {},
    });
    const days = daysOf([at("2026-11-03"), at("2026-11-01"), at("2026-11-03")]);
    expect([...days].map(([day, total]) => [day, total.rows])).toEqual([
      ["2026-11-01", 1],
      ["2026-11-03", 2],
    ]);
    expect(differingDays(days, new Map())).toEqual([
      { day: "2026-11-01", source: days.get("2026-11-01"), sink: undefined },
      { day: "2026-11-03", source: days.get("2026-11-03"), sink: undefined },
    ]);
  });
});
