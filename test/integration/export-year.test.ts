import { expect, it } from "vitest";
import { exportExactReport } from "../../bench/export-report.ts";
import { measureExportExact } from "../../bench/measure-export-exact.ts";

it("a year of a desk, exported bit by bit by processes that are killed, is in each warehouse row by row as brute force finds it", async () => {
  const notes: string[] = [];
  const figures = await measureExportExact({
    tickets: 90,
    seed: 20_261_127,
    rounds: 2,
    sinks: ["postgres", "parquet"],
    note: (line) => void notes.push(line),
  });
  const { failures } = exportExactReport(figures);
  expect(failures).toEqual([]);
  expect(figures.crashes).toBeGreaterThan(0);
  expect(figures.sinks).toHaveLength(2);
  // Every table was looked at, none of them empty: six against brute force in both ways, two against the full export.
  expect(figures.tables).toHaveLength(2 * (6 * 2 + 2));
  expect(figures.tables.filter(({ rows }) => rows === 0)).toEqual([]);
}, 600_000);
