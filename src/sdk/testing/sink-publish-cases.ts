import { expect } from "vitest";
import type { SinkCase, SinkKit } from "./sink.ts";
import { asCsv, dailyTable, gone, upsert, valuesRow, valuesTable } from "./sink-table.ts";

const rowA = valuesRow("a", { text: "first" });
const rowB = valuesRow("b", { text: "second", created_at: "2026-10-31T23:59:59.999999Z" });
const rowC = valuesRow("c", { text: "third", created_at: "2026-11-04T00:00:00Z" });
const bulk = 20_000;

/** When what was written is to be seen, and what stays of it when a process stops. */
export const sinkPublishCases: readonly SinkCase[] = [
  { name: "shows nothing before the commit and everything after it", run: publishes },
  { name: "publishes a run's commits one after another", run: commitsInARow },
  { name: "forgets what was written before an abort, and can be written to again", run: aborts },
  { name: "forgets what was not committed when it is closed", run: closes },
  { name: "keeps nothing of a process that died before its commit", needs: ["crash safety"], run: crashes },
  {
    name: "keeps nothing of a process that died before the first commit of all, and is loaded by the next",
    needs: ["crash safety"],
    run: crashesAtFirst,
  },
  { name: "commits a watermark without a row", run: emptyCommit },
  { name: "changes nothing when a stretch is written again", run: reruns },
  { name: "counts what a commit did", run: counts },
  { name: "takes twenty thousand rows over many days in one commit", run: takesMany },
  { name: "keeps tables apart", run: keepsApart },
  { name: "stops when its signal is aborted, and shows nothing", run: stops },
  {
    name: "refuses the commit of a run that a later one has overtaken",
    needs: ["overtaking"],
    run: overtaken,
  },
  { name: "has no position when the table is new", needs: ["position"], run: noPosition },
  {
    name: "gives the run and the watermark of the last commit, also to the next process",
    needs: ["position"],
    run: position,
  },
  {
    name: "does not move its position with an abort, a close or a crash",
    needs: ["position"],
    run: positionStays,
  },
  { name: "says that it keeps no position rather than a wrong one", run: positionOrNone },
  {
    name: "tells where tables stand as it does when they are opened, if it can do so at once",
    run: standings,
  },
  { name: "reads back what the table holds", needs: ["read"], run: readsAll },
  { name: "reads back some days of it", needs: ["read"], run: readsDays },
];

async function standings(kit: SinkKit): Promise<void> {
  const other = { ...dailyTable, name: "other" };
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)] });
  await kit.export(valuesTable, { run: 2, changes: [upsert(valuesTable, rowB)] });
  await kit.export(other, { run: 2, changes: [] });
  const sink = (await kit.reopen?.()) ?? kit.sink;
  if (sink.standings === undefined) return;
  const { signal } = new AbortController();
  const asked = [valuesTable, { ...valuesTable, name: "new" }, other].map((table) => {
    return { table, export: "nightly", run: 3, onSchemaChange: "evolve", signal } as const;
  });
  const at = { run: 2, watermark: "after run 2" };
  expect(await sink.standings(asked)).toEqual([at, undefined, at]);
  expect(await sink.standings([])).toEqual([]);
  const lines = await sink.standings(asked.map((one) => ({ ...one, export: "hourly" })));
  expect(lines).toEqual([undefined, undefined, undefined]);
}

async function publishes(kit: SinkKit): Promise<void> {
  const writer = await kit.openWriter(valuesTable);
  await writer.write(upsert(valuesTable, rowA, rowB));
  await writer.write(asCsv(upsert(valuesTable, rowC)));
  await kit.expectRows(valuesTable, []);
  await writer.commit({ watermark: "1" });
  await kit.expectRows(valuesTable, [rowA, rowB, rowC]);
}

async function commitsInARow(kit: SinkKit): Promise<void> {
  const writer = await kit.openWriter(valuesTable);
  await writer.write(upsert(valuesTable, rowA));
  await writer.commit({ watermark: "1" });
  await writer.write(upsert(valuesTable, rowB));
  await kit.expectRows(valuesTable, [rowA]);
  await writer.commit({ watermark: "2" });
  await kit.expectRows(valuesTable, [rowA, rowB]);
}

async function aborts(kit: SinkKit): Promise<void> {
  const writer = await kit.openWriter(valuesTable);
  await writer.write(upsert(valuesTable, rowA));
  await writer.abort();
  await writer.write(upsert(valuesTable, rowB));
  await writer.commit({ watermark: "1" });
  await kit.expectRows(valuesTable, [rowB]);
}

async function closes(kit: SinkKit): Promise<void> {
  const writer = await kit.openWriter(valuesTable);
  await writer.write(upsert(valuesTable, rowA));
  await writer.commit({ watermark: "1" });
  await writer.write(upsert(valuesTable, rowB));
  await writer.write(gone(valuesTable, rowA));
  await writer.close();
  await kit.expectRows(valuesTable, [rowA]);
  await kit.export(valuesTable, { run: 2, changes: [upsert(valuesTable, rowC)] });
  await kit.expectRows(valuesTable, [rowA, rowC]);
}

async function crashes(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)] });
  const writer = await kit.openWriter(valuesTable, { run: 2 });
  await writer.write(upsert(valuesTable, rowB, valuesRow("a", { text: "changed" })));
  await writer.write(gone(valuesTable, rowA));
  await kit.crash?.();
  await kit.expectRows(valuesTable, [rowA]);
  await kit.export(valuesTable, { run: 3, changes: [upsert(valuesTable, rowC)] });
  await kit.expectRows(valuesTable, [rowA, rowC]);
}

async function crashesAtFirst(kit: SinkKit): Promise<void> {
  const writer = await kit.openWriter(valuesTable, { run: 1 });
  await writer.write(upsert(valuesTable, rowA, rowB));
  await writer.write(asCsv(upsert(valuesTable, rowC)));
  await kit.crash?.();
  await kit.expectRows(valuesTable, []);
  await kit.export(valuesTable, { run: 2, changes: [upsert(valuesTable, rowC)] });
  await kit.expectRows(valuesTable, [rowC]);
}

async function emptyCommit(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)] });
  const receipt = await kit.export(valuesTable, { run: 2, changes: [], watermark: "later" });
  expect(receipt).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
  await kit.expectRows(valuesTable, [rowA]);
}

async function reruns(kit: SinkKit): Promise<void> {
  const changes = [
    upsert(valuesTable, rowA, rowB),
    gone(valuesTable, rowB),
    asCsv(upsert(valuesTable, rowC)),
  ];
  for (const run of [1, 2, 3]) {
    await kit.export(valuesTable, { run, changes, watermark: "the same" });
    await kit.expectRows(valuesTable, [rowA, rowC]);
  }
}

async function counts(kit: SinkKit): Promise<void> {
  const first = await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA, rowB)] });
  expect(first.inserted + first.updated).toBe(2);
  expect(first.deleted).toBe(0);
  expect(first.bytes).toBeGreaterThan(0);
  const changed = valuesRow("a", { text: "changed" });
  const second = await kit.export(valuesTable, {
    run: 2,
    changes: [upsert(valuesTable, changed, rowC), gone(valuesTable, rowB)],
  });
  expect(second.inserted + second.updated).toBe(2);
  expect(second.deleted).toBe(1);
}

async function takesMany(kit: SinkKit): Promise<void> {
  const rows = Array.from({ length: bulk }, (_, index) =>
    valuesRow(`row-${index}`, {
      order: index,
      text: index % 7 === 0 ? null : `text of ${index}`,
      created_at: new Date(Date.UTC(2026, 0, 1) + index * 1_000_000).toISOString().replace(".000Z", "Z"),
    }),
  );
  const writer = await kit.openWriter(valuesTable);
  for (let from = 0; from < bulk; from += 2500) {
    const change = upsert(valuesTable, ...rows.slice(from, from + 2500));
    await writer.write(from % 5000 === 0 ? change : asCsv(change));
  }
  await writer.commit({ watermark: "all" });
  const held = await kit.rows(valuesTable);
  expect(held.length).toBe(bulk);
  await kit.expectRows(valuesTable, rows);
}

async function keepsApart(kit: SinkKit): Promise<void> {
  const day = { day: "2026-11-03", group_by: "all", group_key: "", volume: 3 };
  const values = await kit.openWriter(valuesTable, { run: 1 });
  const daily = await kit.openWriter(dailyTable, { run: 7 });
  await values.write(upsert(valuesTable, rowA));
  await daily.write(upsert(dailyTable, day));
  await daily.commit({ watermark: "daily" });
  await values.abort();
  await kit.expectRows(dailyTable, [day]);
  await kit.expectRows(valuesTable, []);
}

async function stops(kit: SinkKit): Promise<void> {
  const controller = new AbortController();
  const writer = await kit.openWriter(valuesTable, { signal: controller.signal });
  await writer.write(upsert(valuesTable, rowA));
  controller.abort(new Error("closing"));
  const outcome = async (): Promise<void> => {
    await writer.write(upsert(valuesTable, rowB));
    await writer.commit({ watermark: "1" });
  };
  await expect(outcome()).rejects.toThrow("closing");
  await writer.close();
  await kit.expectRows(valuesTable, []);
}

async function overtaken(kit: SinkKit): Promise<void> {
  const slow = await kit.openWriter(valuesTable, { run: 1 });
  await slow.write(upsert(valuesTable, rowA));
  await kit.export(valuesTable, { run: 2, changes: [upsert(valuesTable, rowB)] });
  await expect(slow.commit({ watermark: "slow" })).rejects.toMatchObject({ code: "lease_lost" });
  await slow.close();
  await kit.expectRows(valuesTable, [rowB]);
}

async function noPosition(kit: SinkKit): Promise<void> {
  const writer = await kit.openWriter(valuesTable);
  expect(writer.keepsPosition).toBe(true);
  expect(writer.position).toBeUndefined();
  await writer.close();
  expect((await kit.openWriter(valuesTable)).position).toBeUndefined();
}

async function position(kit: SinkKit): Promise<void> {
  const long = `{"é'\\":"${"w".repeat(1980)}"}`;
  await kit.export(valuesTable, { run: 3, changes: [upsert(valuesTable, rowA)], watermark: "plain" });
  expect((await kit.openWriter(valuesTable, { run: 4 })).position).toEqual({ run: 3, watermark: "plain" });
  const writer = await kit.openWriter(valuesTable, { run: 5 });
  await writer.commit({ watermark: "between" });
  await writer.commit({ watermark: long });
  await writer.close();
  expect((await kit.openWriter(valuesTable, { run: 6 })).position).toEqual({ run: 5, watermark: long });
}

async function positionStays(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)], watermark: "one" });
  const writer = await kit.openWriter(valuesTable, { run: 2 });
  await writer.write(upsert(valuesTable, rowB));
  await writer.abort();
  await writer.write(upsert(valuesTable, rowB));
  await writer.close();
  const left = await kit.openWriter(valuesTable, { run: 3 });
  await left.write(upsert(valuesTable, rowB));
  await kit.crash?.();
  expect((await kit.openWriter(valuesTable, { run: 4 })).position).toEqual({ run: 1, watermark: "one" });
}

async function positionOrNone(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA)], watermark: "one" });
  const writer = await kit.openWriter(valuesTable, { run: 2 });
  expect(writer.keepsPosition).toBe(!kit.lacks("position"));
  expect(writer.position?.watermark).toBe(kit.lacks("position") ? undefined : "one");
}

async function readsAll(kit: SinkKit): Promise<void> {
  const rows = [rowA, rowB, rowC];
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, ...rows)] });
  expect(await read(kit)).toEqual(rows);
}

async function readsDays(kit: SinkKit): Promise<void> {
  await kit.export(valuesTable, { run: 1, changes: [upsert(valuesTable, rowA, rowB, rowC)] });
  expect(await read(kit, { from: "2026-10-31", until: "2026-11-01" })).toEqual([rowB]);
  expect(await read(kit, { from: "2026-11-01", until: "2026-11-05" })).toEqual([rowA, rowC]);
  expect(await read(kit, { from: "2026-11-04", until: "2026-11-04" })).toEqual([]);
}

async function read(kit: SinkKit, days?: { from: string; until: string }): Promise<unknown[]> {
  const { signal } = new AbortController();
  const sink = (await kit.reopen?.()) ?? kit.sink;
  const batches = sink.read?.({ table: valuesTable, export: "nightly", signal, ...(days && { days }) });
  expect(batches).toBeDefined();
  const rows = [];
  for await (const batch of batches ?? []) {
    expect(batch.columns.map(({ name }) => name)).toEqual(valuesTable.columns.map(({ name }) => name));
    rows.push(...batch.rows());
  }
  return rows.toSorted((a, b) => (String(a["id"]) < String(b["id"]) ? -1 : 1));
}
