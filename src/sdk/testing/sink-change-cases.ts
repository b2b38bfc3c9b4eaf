import { expect } from "vitest";
import type { Row } from "../row-batch.ts";
import type { SinkCase, SinkKit } from "./sink.ts";
import { asCsv, dailyTable, gone, upsert, valuesRow, valuesTable } from "./sink-table.ts";

const first = valuesRow("a", { text: "first" });
const second = valuesRow("a", { text: "second", order: 2 });
const third = valuesRow("a", { flag: true });
const other = valuesRow("b", { text: "other", created_at: "2025-12-31T23:59:59.999999Z" });

/** Which change of a row counts, and what a full run and a repair take away. */
export const sinkChangeCases: readonly SinkCase[] = [
  { name: "lets the later change of a row win within a batch", run: withinBatch },
  { name: "lets the later change of a row win between batches", run: betweenBatches },
  { name: "lets the later change of a row win between commits", run: betweenCommits },
  { name: "lets the later change of a row win in a first load of many rows", run: inFirstLoad },
  { name: "takes a row away that was put there before, in the same commit", run: upsertThenDelete },
  { name: "puts a row back that was taken away before, in the same commit", run: deleteThenUpsert },
  { name: "follows a row that comes and goes, in one commit and over several", run: comesAndGoes },
  { name: "takes the deletion of a row that is not there", run: deletesNothing },
  { name: "puts nothing of an older row into the one that takes its place", run: replacesWhole },
  { name: "tells rows apart by all columns of their key, the empty text among them", run: wideKey },
  { name: "tells keys apart that differ in case, spaces and accents only", run: exactKeys },
  { name: "takes away what a full run did not write", needs: ["full runs"], run: fullRun },
  {
    name: "keeps what a full run wrote in its earlier commits, and in a run that it goes on from",
    needs: ["full runs"],
    run: fullRunInParts,
  },
  {
    name: "keeps a row that a full run wrote without changing it",
    needs: ["full runs"],
    run: fullRunUnchanged,
  },
  {
    name: "may leave a row as it is that is written without a change, where no run will drop",
    needs: ["full runs"],
    run: incrementalUnchanged,
  },
  {
    name: "takes away what a repair of some days did not write, and nothing of other days",
    needs: ["full runs"],
    run: repair,
  },
  { name: "repairs days of a table whose day is a date", needs: ["full runs"], run: repairDates },
];

async function withinBatch(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, {
    run: 1,
    changes: [upsert(valuesTable, first, other, second, third, second)],
  });
  await kit.expectRows(valuesTable, [second, other]);
}

async function betweenBatches(kit: SinkKit): Promise<void> {
  const changes = [
    upsert(valuesTable, second),
    asCsv(upsert(valuesTable, third, other)),
    upsert(valuesTable, first),
  ];
  await kit.export(valuesTable, { run: 1, changes });
  await kit.expectRows(valuesTable, [first, other]);
}

async function betweenCommits(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, second, other)] });
  const writer = await kit.openWriter(valuesTable, { run: 2 });
  await writer.write(upsert(valuesTable, third));
  await writer.commit({ watermark: "2" });
  await kit.expectRows(valuesTable, [third, other]);
  await writer.write(upsert(valuesTable, first));
  await writer.commit({ watermark: "3" });
  await kit.expectRows(valuesTable, [first, other]);
}

async function inFirstLoad(kit: SinkKit): Promise<void> {
  const rowsOf = (turn: number, count: number): Row[] =>
    Array.from({ length: count }, (_, index) =>
      valuesRow(`row-${index}`, { order: turn, text: "w".repeat((index * 37) % 200) }),
    );
  const again = rowsOf(2, 400);
  const changes = [
    upsert(valuesTable, ...rowsOf(1, 2000)),
    asCsv(upsert(valuesTable, ...again, ...rowsOf(3, 200).toReversed())),
    upsert(valuesTable, ...rowsOf(4, 10)),
  ];
  await kit.export(valuesTable, { run: 1, changes });
  const latest = [...rowsOf(4, 10), ...rowsOf(3, 200).slice(10), ...again.slice(200)];
  await kit.expectRows(valuesTable, [...latest, ...rowsOf(1, 2000).slice(400)]);
}

async function upsertThenDelete(kit: SinkKit): Promise<void> {
  const changes = [upsert(valuesTable, first, other), asCsv(gone(valuesTable, first))];
  await kit.export(valuesTable, { run: 1, changes });
  await kit.expectRows(valuesTable, [other]);
}

async function deleteThenUpsert(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, first, other)] });
  const changes = [gone(valuesTable, first), upsert(valuesTable, second)];
  await kit.export(valuesTable, { run: 2, changes });
  await kit.expectRows(valuesTable, [second, other]);
}

async function comesAndGoes(kit: SinkKit): Promise<void> {
  const away = gone(valuesTable, first);
  const changes = [upsert(valuesTable, first), away, upsert(valuesTable, second), away];
  await kit.export(valuesTable, { run: 1, changes });
  await kit.expectRows(valuesTable, []);
  const writer = await kit.openWriter(valuesTable, { run: 2 });
  for (const [change, rows] of [
    [upsert(valuesTable, third), [third]],
    [away, []],
    [upsert(valuesTable, first), [first]],
  ] as const) {
    await writer.write(change);
    await writer.commit({ watermark: "on" });
    await kit.expectRows(valuesTable, rows);
  }
}

async function deletesNothing(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [gone(valuesTable, first)] });
  await kit.expectRows(valuesTable, []);
  await kit.export(valuesTable, { run: 2, changes: [upsert(valuesTable, other), gone(valuesTable, first)] });
  await kit.expectRows(valuesTable, [other]);
}

async function replacesWhole(kit: SinkKit): Promise<void> {
  const full = valuesRow("a", {
    text: "t",
    order: 1,
    amount: 1.5,
    flag: true,
    seen_at: "2026-11-03T08:00:00Z",
    due_on: "2026-11-03",
    data: { a: 1 },
  });
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, full)] });
  await kit.expectRows(valuesTable, [full]);
  await kit.export(valuesTable, { run: 2, changes: [upsert(valuesTable, valuesRow("a"))] });
  await kit.expectRows(valuesTable, [valuesRow("a")]);
}

const day = (on: string, by: string, key: string, volume: number): Row => ({
  day: on,
  group_by: by,
  group_key: key,
  volume,
});

async function wideKey(kit: SinkKit): Promise<void> {
  const rows = [
    day("2026-11-03", "all", "", 5),
    day("2026-11-03", "tag", "", 1),
    day("2026-11-03", "tag", "all", 2),
    day("2026-11-04", "all", "", 3),
  ];
  await kit.export(dailyTable, { run: 1, changes: [upsert(dailyTable, ...rows)] });
  await kit.expectRows(dailyTable, rows);
  const changed = day("2026-11-03", "tag", "", 9);
  await kit.export(dailyTable, {
    run: 2,
    changes: [asCsv(upsert(dailyTable, changed)), gone(dailyTable, rows[0] ?? {})],
  });
  await kit.expectRows(dailyTable, [changed, ...rows.slice(2)]);
}

async function exactKeys(kit: SinkKit): Promise<void> {
  const ids = [
    "key",
    "Key",
    "KEY",
    "key ",
    " key",
    "ke\u0301y",
    "k\u00e9y",
    "kéy ",
    "\u{1d458}ey",
    "null",
    "NULL",
    "\\N",
    "\\.",
    "0",
    "00",
    "true",
  ];
  const rows = ids.map((id, order) => valuesRow(id, { order }));
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, ...rows)] });
  await kit.expectRows(valuesTable, rows);
  await kit.export(valuesTable, { run: 2, changes: [asCsv(gone(valuesTable, ...rows.slice(0, 13)))] });
  await kit.expectRows(valuesTable, rows.slice(13));
}

async function fullRun(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, first, other)] });
  const receipt = await kit.export(valuesTable, {
    run: 2,
    changes: [upsert(valuesTable, second)],
    dropOlderThan: 2,
  });
  expect(receipt.deleted).toBe(1);
  await kit.expectRows(valuesTable, [second]);
}

async function fullRunInParts(kit: SinkKit): Promise<void> {
  const rows = ["a", "b", "c", "d"].map((id) => valuesRow(id, { text: id }));
  const [a, b, c, d] = rows.map((row) => upsert(valuesTable, row));
  if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error("four rows");
  await kit.export(valuesTable, { run: 1, changes: [a, b, c, d] });
  await kit.export(valuesTable, { run: 2, changes: [a] });
  const writer = await kit.openWriter(valuesTable, { run: 3 });
  await writer.write(b);
  await writer.commit({ watermark: "3b" });
  await writer.write(c);
  await writer.commit({ watermark: "3c", dropOlderThan: 2 });
  await kit.expectRows(valuesTable, rows.slice(0, 3));
}

async function fullRunUnchanged(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, first, other)] });
  await kit.export(valuesTable, { run: 2, changes: [upsert(valuesTable, first)] });
  await kit.export(valuesTable, { run: 3, changes: [upsert(valuesTable, first)], dropOlderThan: 3 });
  await kit.expectRows(valuesTable, [first]);
  // What a run before it wrote without changing it counts as written by it, too.
  await kit.export(valuesTable, { run: 4, changes: [upsert(valuesTable, first, other)] });
  await kit.export(valuesTable, { run: 5, changes: [], dropOlderThan: 4 });
  await kit.expectRows(valuesTable, [first, other]);
}

async function incrementalUnchanged(kit: SinkKit): Promise<void> {
  const run = (number: number, mayDrop: boolean, rows: readonly Row[], drop: object = {}) =>
    kit.export(valuesTable, { run: number, changes: [upsert(valuesTable, ...rows)], mayDrop, ...drop });
  await run(1, true, [first, other]);
  await run(2, false, [first, { ...other, text: "changed" }]);
  await kit.expectRows(valuesTable, [first, { ...other, text: "changed" }]);
  await run(3, true, [first], { dropOlderThan: 3 });
  await kit.expectRows(valuesTable, [first]);
}

async function repair(kit: SinkKit): Promise<void> {
  const at = (id: string, created_at: string): Row => valuesRow(id, { created_at });
  const before = at("before", "2026-11-02T23:59:59.999999Z");
  const begin = at("begin", "2026-11-03T00:00:00Z");
  const kept = at("kept", "2026-11-03T12:00:00Z");
  const last = at("last", "2026-11-04T23:59:59.999999Z");
  const after = at("after", "2026-11-05T00:00:00Z");
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, before, begin, kept, last, after)] });
  await kit.export(valuesTable, {
    run: 2,
    changes: [upsert(valuesTable, kept)],
    dropOlderThanIn: { from: "2026-11-03", until: "2026-11-05" },
  });
  await kit.expectRows(valuesTable, [before, kept, after]);
}

async function repairDates(kit: SinkKit): Promise<void> {
  const rows = ["2026-10-31", "2026-11-01", "2026-11-02"].map((on) => day(on, "all", "", 1));
  await kit.export(dailyTable, { run: 1, changes: [upsert(dailyTable, ...rows)] });
  const dropOlderThanIn = { from: "2026-11-01", until: "2026-11-02" };
  await kit.export(dailyTable, { run: 2, changes: [], dropOlderThanIn });
  await kit.expectRows(
    dailyTable,
    rows.filter((row) => row["day"] !== "2026-11-01"),
  );
}
