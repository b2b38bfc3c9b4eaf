import { expect } from "vitest";
import { datasetCatalogue } from "../../model/dataset-catalogue.ts";
import type { DatasetName } from "../../model/dataset.ts";
import { datasetNames } from "../../model/dataset.ts";
import { isoTime } from "../cursor.ts";
import type { DatasetPage, DatasetSource } from "../dataset-source.ts";
import type { Row, RowChange } from "../row-batch.ts";
import { runCases } from "./conformance.ts";
import type { ConformanceCase } from "./conformance.ts";
import { expectValidBatch } from "./row-check.ts";

/** A source of one dataset on a stub of its vendor or on a real desk. Rows are named by the first column of their key. */
export interface DatasetFixture {
  readonly source: DatasetSource;
  /** The clock of the source and of the stub, in milliseconds since the epoch. Absent for a desk that has the real time. */
  readonly setNow?: (now: number) => void;
  /** Makes a row at a time, which a desk with the real time takes no notice of; returns what it is named by. */
  readonly create: (at: number) => Promise<string> | string;
  /** Changes a row. Absent where rows never do. */
  readonly change?: (name: string, at: number) => Promise<void> | void;
  /** Takes a row away. Absent where the source does not tell of it. */
  readonly remove?: (name: string, at: number) => Promise<void> | void;
  readonly close?: () => Promise<void> | void;
}

export interface DatasetSuite {
  readonly name: string;
  readonly dataset: DatasetName;
  /** A fresh fixture without rows. Its pages hold at most four changes, so that a dozen take several. */
  readonly open: () => Promise<DatasetFixture> | DatasetFixture;
  /** How long after it a change is certain to be read: the source's lag and a little. 120 unless told. */
  readonly settleSeconds?: number;
}

/** Holds a source of a dataset to what exports rely on. Call it at the top of a test file. */
export function testDatasetSource(suite: DatasetSuite): void {
  runCases(`dataset ${suite.dataset} of ${suite.name}`, datasetSourceCases(suite));
}

const start = Date.parse("2026-11-22T10:00:00Z");
const hour = 3_600_000;
const dozen = Array.from({ length: 12 }, (_, index) => index);

interface Stand extends DatasetFixture {
  readonly dataset: DatasetName;
  /** Everything that happened so far is certain to be read from now on. */
  readonly settle: () => void;
}

/** The cases of `testDatasetSource`, to be run one by one. */
export function datasetSourceCases(suite: DatasetSuite): readonly ConformanceCase[] {
  const settleMs = (suite.settleSeconds ?? 120) * 1000;
  const withStand = (name: string, run: (stand: Stand) => Promise<void>): ConformanceCase => ({
    name,
    run: async () => {
      const fixture = await suite.open();
      let now = start;
      const settle = (): void => fixture.setNow?.((now += settleMs));
      fixture.setNow?.(now);
      try {
        await run({ ...fixture, dataset: suite.dataset, settle });
      } finally {
        await fixture.close?.();
      }
    },
  });
  return [
    withStand("is one of those that the source declares", declares),
    withStand("ends, in several pages, with whole rows", ends),
    withStand("goes on from the watermark of every page without a gap", resumes),
    withStand("gives the same rows when it is read again", repeats),
    withStand("has every row of one second, also when cut off between its pages", sameSecond),
    withStand("has a page also when nothing has happened, and its watermark is good", steady),
    withStand("has what was made after it was read", later),
    withStand("has a change of an old row, where rows change", changes),
    withStand("has the deletion of a row, where the source tells of it", removes),
    withStand("ends when its signal is aborted", aborts),
    withStand("has the columns that were asked for and no others", picks),
    withStand("has the rows of some days, where it can be asked for them", days),
  ];
}

async function makeDozen({ create, settle }: Stand, apartMs: number): Promise<readonly string[]> {
  const names: string[] = [];
  for (const index of dozen) names.push(await create(start - hour + index * apartMs));
  settle();
  return names;
}

async function declares({ source, dataset }: Stand): Promise<void> {
  expect(source.datasets).toContain(dataset);
  expect(datasetNames).toEqual(expect.arrayContaining([...source.datasets]));
  expect(source.datasets).toEqual(expect.arrayContaining([...(source.forgets ?? [])]));
}

async function ends(stand: Stand): Promise<void> {
  const names = await makeDozen(stand, 60_000);
  const pages = await readAll(stand);
  expect(pages.filter(({ all }) => all.length > 0).length).toBeGreaterThan(2);
  expect(namesIn(stand, tableOf(stand, pages))).toEqual(names.toSorted());
  for (const { all } of pages) for (const { batch } of all) expectValidBatch(batch);
}

async function resumes(stand: Stand): Promise<void> {
  await makeDozen(stand, 20_000);
  const pages = await readAll(stand);
  const whole = tableOf(stand, pages);
  for (const [index, { watermark }] of pages.entries()) {
    const table = tableOf(stand, pages.slice(0, index + 1));
    expect(tableOf(stand, await readAll(stand, watermark), table), `cut off after page ${index + 1}`).toEqual(
      whole,
    );
  }
}

async function repeats(stand: Stand): Promise<void> {
  await makeDozen(stand, 1000);
  const pages = await readAll(stand);
  const once = tableOf(stand, pages);
  expect(once.size).toBe(12);
  expect(tableOf(stand, [...pages, ...(await readAll(stand))])).toEqual(once);
}

async function sameSecond(stand: Stand): Promise<void> {
  await makeDozen(stand, 0);
  const pages = await readAll(stand);
  const whole = tableOf(stand, pages);
  expect(whole.size).toBe(12);
  const table = tableOf(stand, pages.slice(0, 1));
  expect(tableOf(stand, await readAll(stand, pages[0]?.watermark), table)).toEqual(whole);
}

async function steady(stand: Stand): Promise<void> {
  await makeDozen(stand, 60_000);
  const pages = await readAll(stand);
  const whole = tableOf(stand, pages);
  stand.settle();
  const again = await readAll(stand, pages.at(-1)?.watermark);
  expect(again.length).toBeGreaterThan(0);
  expect(tableOf(stand, again, tableOf(stand, pages))).toEqual(whole);
  const third = await readAll(stand, again.at(-1)?.watermark);
  expect(tableOf(stand, third, tableOf(stand, pages))).toEqual(whole);
}

async function later(stand: Stand): Promise<void> {
  await makeDozen(stand, 60_000);
  const pages = await readAll(stand);
  const name = await stand.create(start + 1000);
  stand.settle();
  await expectCaughtUp(stand, pages);
  expect(namesIn(stand, tableOf(stand, await readAll(stand)))).toContain(name);
}

async function changes(stand: Stand): Promise<void> {
  const [name = ""] = await makeDozen(stand, 60_000);
  const pages = await readAll(stand);
  const before = rowNamed(stand, tableOf(stand, pages), name);
  if (stand.change === undefined) return expect(before).toBeDefined();
  await stand.change(name, start + 1000);
  stand.settle();
  await expectCaughtUp(stand, pages);
  const after = rowNamed(stand, tableOf(stand, await readAll(stand)), name);
  expect(after).toBeDefined();
  expect(after).not.toEqual(before);
}

async function removes(stand: Stand): Promise<void> {
  const [name = ""] = await makeDozen(stand, 60_000);
  const pages = await readAll(stand);
  expect(rowNamed(stand, tableOf(stand, pages), name)).toBeDefined();
  if (stand.remove === undefined) return;
  await stand.remove(name, start + 1000);
  stand.settle();
  await expectCaughtUp(stand, pages);
  expect(rowNamed(stand, tableOf(stand, await readAll(stand)), name)).toBeUndefined();
}

/** What a warehouse has after one more read is what a read of everything has. */
async function expectCaughtUp(stand: Stand, pages: readonly ReadPage[]): Promise<void> {
  const table = tableOf(stand, pages);
  let { watermark } = pages.at(-1) ?? { watermark: "" };
  const caughtUp = async (): Promise<Table> => {
    const more = await readAll(stand, watermark);
    watermark = more.at(-1)?.watermark ?? watermark;
    return tableOf(stand, more, table);
  };
  // A desk with the real time may let a transaction of somebody else's end first.
  const whole = async (): Promise<boolean> => {
    const [one, other] = [await caughtUp(), tableOf(stand, await readAll(stand))];
    return JSON.stringify([...one].toSorted()) === JSON.stringify([...other].toSorted());
  };
  await expect.poll(whole, { timeout: 10_000, interval: 10 }).toBe(true);
}

async function aborts(stand: Stand): Promise<void> {
  await makeDozen(stand, 60_000);
  const stop = new AbortController();
  const pages = readOf(stand, undefined, columnNames(stand), stop.signal)[Symbol.asyncIterator]();
  const first = await pages.next();
  expect(first.done).not.toBe(true);
  stop.abort(new Error("closing"));
  const outcome = await pages.next().then(
    (result) => (result.done === true ? "ended" : "went on"),
    () => "ended",
  );
  expect(outcome).toBe("ended");
}

async function picks(stand: Stand): Promise<void> {
  await makeDozen(stand, 60_000);
  const { key, day } = datasetCatalogue[stand.dataset];
  const names = columnNames(stand).filter((name) => key.includes(name) || name === day);
  const pages = await collect(readOf(stand, undefined, names, new AbortController().signal));
  const batches = pages.flatMap(({ all }) => all.map(({ batch }) => batch));
  expect(batches.length).toBeGreaterThan(0);
  for (const batch of batches) expect(batch.columns.map(({ name }) => name)).toEqual(names);
  for (const row of batches.flatMap((batch) => batch.rows())) expect(Object.keys(row)).toEqual(names);
}

async function days(stand: Stand): Promise<void> {
  await makeDozen(stand, 60_000);
  const { source, dataset } = stand;
  const whole = tableOf(stand, await readAll(stand));
  if (source.readDays === undefined) return expect(whole.size).toBe(12);
  const { day } = datasetCatalogue[dataset];
  const dayOf = (row: Row): string => String(row[day]).slice(0, 10);
  const [from = ""] = [...whole.values()].map(dayOf).toSorted();
  const until = isoTime(Date.parse(from) + 24 * hour).slice(0, 10);
  const { signal } = new AbortController();
  const asked = { dataset, columns: columnNames(stand), signal };
  const read = await collect(source.readDays({ ...asked, from, until }));
  const those = new Map([...whole].filter(([, row]) => dayOf(row) === from));
  expect(tableOf(stand, read)).toEqual(those);
  const before = isoTime(Date.parse(from) - 24 * hour).slice(0, 10);
  expect(tableOf(stand, await collect(source.readDays({ ...asked, from: before, until: from }))).size).toBe(
    0,
  );
}

type Table = Map<string, Row>;

interface ReadPage {
  readonly all: readonly RowChange[];
  readonly watermark: string;
}

function columnNames({ dataset }: Stand): readonly string[] {
  return datasetCatalogue[dataset].columns.map(({ name }) => name);
}

function readOf(
  { source, dataset }: Stand,
  after: string | undefined,
  columns: readonly string[],
  signal: AbortSignal,
): AsyncIterable<DatasetPage> {
  return source.read({ dataset, columns, after, signal });
}

function readAll(stand: Stand, after?: string): Promise<readonly ReadPage[]> {
  return collect(readOf(stand, after, columnNames(stand), new AbortController().signal));
}

async function collect(pages: AsyncIterable<DatasetPage>): Promise<readonly ReadPage[]> {
  const read: ReadPage[] = [];
  for await (const { changes: stream, watermark } of pages) {
    const all: RowChange[] = [];
    for await (const change of stream) all.push(change);
    read.push({ all, watermark });
    expect(watermark.length).toBeLessThanOrEqual(2000);
    expect(read.length, "the read ends").toBeLessThan(200);
  }
  expect(read.length, "there is a page").toBeGreaterThan(0);
  return read;
}

/** What a warehouse has that took these pages, on top of what it had. */
function tableOf({ dataset }: Stand, pages: readonly ReadPage[], table: Table = new Map()): Table {
  const { key } = datasetCatalogue[dataset];
  for (const { kind, batch } of pages.flatMap(({ all }) => all)) {
    for (const row of batch.rows()) {
      const name = JSON.stringify(key.map((column) => row[column]));
      if (kind === "delete") table.delete(name);
      else table.set(name, row);
    }
  }
  return table;
}

function namesIn({ dataset }: Stand, table: Table): readonly string[] {
  const [first = ""] = datasetCatalogue[dataset].key;
  return [...table.values()].map((row) => String(row[first])).toSorted();
}

function rowNamed({ dataset }: Stand, table: Table, name: string): Row | undefined {
  const [first = ""] = datasetCatalogue[dataset].key;
  return [...table.values()].find((row) => row[first] === name);
}
