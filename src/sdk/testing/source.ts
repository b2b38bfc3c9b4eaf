import { expect } from "vitest";
import type { EventInput } from "../../model/event.ts";
import { isoTime } from "../cursor.ts";
import type { Cursor, Page, Source } from "../source.ts";
import { runCases } from "./conformance.ts";
import type { ConformanceCase } from "./conformance.ts";
import { expectValidEvents } from "./event-check.ts";

/** A source on a stub of its vendor, with a clock that the suite sets. */
export interface SourceFixture {
  readonly source: Source;
  /** The clock of the source and of the stub, in milliseconds since the epoch. */
  readonly setNow: (now: number) => void;
  /** Puts one change on the stub that stands for at least one event; `at` is its time. */
  readonly change: (at: number) => void;
  readonly close?: () => Promise<void> | void;
}

export interface SourceSuite {
  readonly name: string;
  /** A fresh fixture. Its pages hold at most four changes, so that a dozen changes take several. */
  readonly open: () => Promise<SourceFixture> | SourceFixture;
  /** Further back than now less this a change is certain to be read: the source's lag and a little. 120 unless told. */
  readonly settleSeconds?: number;
}

/** Holds a source to what the engine relies on. Call it at the top of a test file. */
export function testSource(suite: SourceSuite): void {
  runCases(`source ${suite.name}`, sourceCases(suite));
}

const start = Date.parse("2026-11-22T10:00:00Z");
const hour = 3_600_000;
const dozen = Array.from({ length: 12 }, (_, index) => index);

/** The cases of `testSource`, to be run one by one. */
export function sourceCases(suite: SourceSuite): readonly ConformanceCase[] {
  const settleMs = (suite.settleSeconds ?? 120) * 1000;
  const withFixture = (name: string, run: (fixture: SourceFixture) => Promise<void>): ConformanceCase => ({
    name,
    run: async () => {
      const fixture = await suite.open();
      fixture.setNow(start);
      try {
        await run(fixture);
      } finally {
        await fixture.close?.();
      }
    },
  });
  return [
    withFixture("says what it is and how often it is polled", async ({ source }) => {
      expect(source.description).not.toBe("");
      expect(source.every).toMatch(/^\d+(s|m|h|d)$/);
    }),
    withFixture("ends when it has caught up, with valid events in several pages", ends),
    withFixture("goes on from the cursor of every page without a gap", resumes),
    withFixture("gives the same event ids when a page is read again", repeats),
    withFixture("delivers every change of one second, also when cut off between its pages", sameSecond),
    withFixture("hands out nothing twice when nothing has changed", steady),
    withFixture("delivers what changes after it has caught up", (fixture) => later(fixture, settleMs)),
    withFixture("stops when its signal is aborted", aborts),
    withFixture("reads only what changed before `until`", untilCase),
    withFixture("starts exactly at a cursor without history", startsAt),
  ];
}

async function ends(fixture: SourceFixture): Promise<void> {
  dozen.forEach((index) => fixture.change(start - hour + index * 60_000));
  const pages = await readAll(fixture);
  const events = eventsOf(pages);
  expectValidEvents(events);
  expect(new Set(idsOf(pages)).size).toBeGreaterThanOrEqual(12);
  expect(pages.filter((page) => page.events.length > 0).length).toBeGreaterThan(2);
}

async function resumes(fixture: SourceFixture): Promise<void> {
  dozen.forEach((index) => fixture.change(start - hour + Math.floor(index / 3) * 60_000));
  const pages = await readAll(fixture);
  const all = new Set(idsOf(pages));
  for (const [index, page] of pages.entries()) {
    const read = idsOf(pages.slice(0, index + 1));
    const rest = idsOf(await readAll(fixture, stored(page.cursor)));
    expect(new Set([...read, ...rest]), `cut off after page ${index + 1}`).toEqual(all);
  }
}

async function repeats(fixture: SourceFixture): Promise<void> {
  dozen.forEach((index) => fixture.change(start - hour + index * 1000));
  const first = idsOf(await readAll(fixture));
  expect(first.length).toBeGreaterThan(0);
  expect(idsOf(await readAll(fixture))).toEqual(first);
}

async function sameSecond(fixture: SourceFixture): Promise<void> {
  dozen.forEach(() => fixture.change(start - hour));
  const pages = await readAll(fixture);
  expect(new Set(idsOf(pages)).size).toBeGreaterThanOrEqual(12);
  const [first] = pages;
  const rest = await readAll(fixture, stored(first?.cursor));
  expect(new Set([...idsOf(pages.slice(0, 1)), ...idsOf(rest)])).toEqual(new Set(idsOf(pages)));
}

async function steady(fixture: SourceFixture): Promise<void> {
  dozen.forEach((index) => fixture.change(start - hour + index * 60_000));
  const pages = await readAll(fixture);
  expect(new Set(idsOf(pages)).size).toBe(idsOf(pages).length);
  fixture.setNow(start + 60_000);
  expect(idsOf(await readAll(fixture, stored(pages.at(-1)?.cursor)))).toEqual([]);
}

async function later(fixture: SourceFixture, settleMs: number): Promise<void> {
  dozen.forEach((index) => fixture.change(start - hour + index * 60_000));
  const before = await readAll(fixture);
  fixture.change(start + 1000);
  fixture.setNow(start + 1000 + settleMs);
  const after = await readAll(fixture, stored(before.at(-1)?.cursor));
  expect(idsOf(after).length).toBeGreaterThan(0);
  expect(idsOf(before)).not.toEqual(expect.arrayContaining(idsOf(after)));
}

async function aborts(fixture: SourceFixture): Promise<void> {
  dozen.forEach((index) => fixture.change(start - hour + index * 60_000));
  const controller = new AbortController();
  const pages = fixture.source.read({ cursor: undefined, signal: controller.signal })[Symbol.asyncIterator]();
  expect((await pages.next()).done).not.toBe(true);
  controller.abort(new Error("closing"));
  const outcome = await pages.next().then(
    (result) => (result.done === true ? "ended" : "went on"),
    () => "ended",
  );
  expect(outcome).toBe("ended");
}

async function untilCase(fixture: SourceFixture): Promise<void> {
  dozen.forEach((index) => fixture.change(start - hour + index * 60_000));
  const all = await readAll(fixture);
  const until = start - hour + 6 * 60_000;
  const early = await readAll(fixture, { time: isoTime(start - 2 * hour), seen: [] }, isoTime(until));
  expect(idsOf(early).length).toBeGreaterThan(0);
  expect(idsOf(early).length).toBeLessThan(idsOf(all).length);
  expect(Date.parse(early.at(-1)?.cursor.time ?? "")).toBeLessThanOrEqual(until);
}

async function startsAt(fixture: SourceFixture): Promise<void> {
  dozen.forEach((index) => fixture.change(start - hour + index * 1000));
  expect(idsOf(await readAll(fixture, { time: isoTime(start), seen: [] }))).toEqual([]);
}

async function readAll(fixture: SourceFixture, cursor?: Cursor, until?: string): Promise<Page[]> {
  const { signal } = new AbortController();
  const pages: Page[] = [];
  for await (const page of fixture.source.read({
    cursor,
    signal,
    ...(until === undefined ? {} : { until }),
  })) {
    pages.push(page);
    expect(pages.length, "the read ends").toBeLessThan(200);
  }
  return pages;
}

// As the ledger keeps it: through JSON.
function stored(cursor: Cursor | undefined): Cursor {
  expect(cursor).toBeDefined();
  return JSON.parse(JSON.stringify(cursor)) as Cursor;
}

function eventsOf(pages: readonly Page[]): EventInput[] {
  return pages.flatMap((page) => page.events);
}

function idsOf(pages: readonly Page[]): string[] {
  return eventsOf(pages).map((event) => event.id);
}
