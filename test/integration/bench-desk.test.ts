import { expect, it } from "vitest";
import { measureDeskFeed } from "../../bench/measure-desk-feed.ts";
import { measureDeskWrites } from "../../bench/measure-desk-writes.ts";

it("the benchmark's writes leave the same rows by way of the Support API and of bare SQL", async () => {
  const notes: string[] = [];
  const options = { writes: 256, clients: 8, rounds: 1, note: (line: string) => void notes.push(line) };
  const figures = await measureDeskWrites(options);
  expect(
    figures.map(({ kind, api, sql }) => [kind, ...[...api, ...sql].map((one) => one.latenciesMs.length)]),
  ).toEqual([
    ["upserts", 256, 256],
    ["messages", 256, 256],
  ]);
  expect(notes).toHaveLength(2);
});

it("the benchmark's reader gets every change of the feed in order, each way", async () => {
  const { pages, filtered, stream } = await measureDeskFeed({
    changes: 5000,
    rounds: 1,
    note: () => undefined,
  });
  for (const rates of [pages, filtered, stream]) {
    expect(rates).toHaveLength(1);
    expect(rates[0]).toBeGreaterThan(0);
  }
});
