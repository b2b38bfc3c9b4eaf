import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EventInput } from "../../src/model/event.ts";
import type { Cursor, Page, Source } from "../../src/sdk/source.ts";
import { isoTime } from "../../src/sdk/cursor.ts";
import { createWindowedSource } from "../../src/sdk/windowed-source.ts";
import type { WindowPage, WindowRequest, WindowedSourceOptions } from "../../src/sdk/windowed-source.ts";

const start = Date.parse("2026-11-22T10:00:00Z");
const never = new AbortController().signal;

/** A change as the vendor's list shows it from `visibleAt` on. */
interface Change {
  readonly id: string;
  readonly at: number;
  readonly visibleAt: number;
}

function eventOf(change: Change): EventInput {
  const id = `${change.id}@${change.at}`;
  return {
    id,
    type: "order.updated",
    subject: `order/${change.id}`,
    time: isoTime(change.at),
    data: { order: { id: change.id, tags: [], items: [] } },
  };
}

interface Vendor {
  now: number;
  asked: WindowRequest[];
  readonly list: (request: WindowRequest) => Promise<WindowPage>;
}

/** Lists by (time, id) as a keyset, `newestFirst` for a vendor that knows no other order. */
function vendorOf(history: readonly Change[], pageSize: number, newestFirst = false): Vendor {
  const sign = newestFirst ? -1 : 1;
  const compare = (a: Change, b: Change): number => sign * (a.at - b.at || a.id.localeCompare(b.id));
  const vendor: Vendor = {
    now: start,
    asked: [],
    list: async (request) => {
      vendor.asked.push(request);
      const rows = history
        .filter((row) => row.visibleAt <= vendor.now)
        .filter((row) => row.at >= Date.parse(request.from) && row.at < Date.parse(request.to))
        .sort(compare);
      const last = request.after === undefined ? undefined : (JSON.parse(request.after) as Change);
      const rest = last === undefined ? rows : rows.filter((row) => compare(row, last) > 0);
      const shown = rest.slice(0, pageSize);
      const records = shown.map((row) => ({ time: isoTime(row.at), id: row.id, events: [eventOf(row)] }));
      return rest.length > pageSize ? { records, after: JSON.stringify(shown.at(-1)) } : { records };
    },
  };
  return vendor;
}

function sourceOf(vendor: Vendor, options: Partial<WindowedSourceOptions> = {}): Source {
  return createWindowedSource({
    description: "test",
    every: "1m",
    overlapMs: 60_000,
    lagMs: 5000,
    now: () => vendor.now,
    fetchPage: vendor.list,
    ...options,
  });
}

async function readAll(source: Source, cursor: Cursor | undefined, until?: string): Promise<Page[]> {
  const pages: Page[] = [];
  const request = { cursor, signal: never, ...(until === undefined ? {} : { until }) };
  for await (const page of source.read(request)) pages.push(page);
  return pages;
}

const idsOf = (pages: readonly Page[]): string[] =>
  pages.flatMap((page) => page.events.map((event) => event.id));

describe("a windowed source", () => {
  const change = (id: string, offsetMs: number, lateMs = 0): Change => ({
    id,
    at: start + offsetMs,
    visibleAt: start + offsetMs + lateMs,
  });

  it("reads in time order up to now less the lag, and moves the cursor there", async () => {
    const vendor = vendorOf([change("b", -20_000), change("a", -30_000), change("c", -2000)], 10);
    const pages = await readAll(sourceOf(vendor), undefined);
    expect(idsOf(pages)).toEqual([`a@${start - 30_000}`, `b@${start - 20_000}`]);
    expect(pages.at(-1)?.cursor.time).toBe("2026-11-22T09:59:55Z");
    vendor.now = start + 10_000;
    expect(idsOf(await readAll(sourceOf(vendor), pages.at(-1)?.cursor))).toEqual([`c@${start - 2000}`]);
  });

  it("delivers what was committed late within the overlap, and nothing twice", async () => {
    const vendor = vendorOf([change("a", -30_000), change("late", -50_000, 52_000)], 10);
    const first = await readAll(sourceOf(vendor), undefined);
    vendor.now = start + 4000;
    const second = await readAll(sourceOf(vendor), first.at(-1)?.cursor);
    expect([idsOf(first), idsOf(second)]).toEqual([[`a@${start - 30_000}`], [`late@${start - 50_000}`]]);
  });

  it("carries only the cursor when nothing is new, and nothing at all when no time has passed", async () => {
    const vendor = vendorOf([change("a", -30_000)], 10);
    const [first] = await readAll(sourceOf(vendor), undefined);
    expect(await readAll(sourceOf(vendor), first?.cursor)).toEqual([]);
    vendor.now = start + 60_000;
    expect(await readAll(sourceOf(vendor), first?.cursor)).toMatchObject([{ events: [] }]);
  });

  it("resumes in the middle of a second that spans pages", async () => {
    const vendor = vendorOf(
      ["a", "b", "c", "d", "e"].map((id) => change(id, -30_000)),
      2,
    );
    const source = sourceOf(vendor, { overlapMs: 0 });
    const [first] = await readAll(source, undefined);
    expect(idsOf(await readAll(source, first?.cursor))).toEqual(
      ["c", "d", "e"].map((id) => `${id}@${start - 30_000}`),
    );
  });

  it("tells two versions of one record with the same time apart", async () => {
    let version = "1";
    const fetchPage = async (): Promise<WindowPage> => ({
      records: [{ time: isoTime(start - 30_000), id: "a", version, events: [eventOf(change(version, 0))] }],
    });
    const source = sourceOf(vendorOf([], 1), { fetchPage });
    const [first] = await readAll(source, undefined);
    expect(await readAll(source, first?.cursor)).toEqual([]);
    version = "2";
    expect(idsOf(await readAll(source, first?.cursor))).toEqual([`2@${start}`]);
  });

  it("starts exactly at a cursor that has no floor, however wide the overlap", async () => {
    const vendor = vendorOf([change("old", -30_000), change("new", 30_000)], 10);
    const source = sourceOf(vendor);
    const now = { time: isoTime(start), seen: [] };
    expect(await readAll(source, now)).toEqual([]);
    vendor.now = start + 40_000;
    const pages = await readAll(source, now);
    expect(idsOf(pages)).toEqual([`new@${start + 30_000}`]);
    vendor.now = start + 50_000;
    expect(idsOf(await readAll(source, pages.at(-1)?.cursor))).toEqual([]);
  });

  it("brings a cursor from the future back, stores it, and goes on from there", async () => {
    const vendor = vendorOf([change("a", 20_000)], 10);
    const source = sourceOf(vendor);
    const [repaired] = await readAll(source, { time: "2031-01-01T00:00:00Z", seen: [] });
    expect(repaired).toMatchObject({ events: [], cursor: { time: "2026-11-22T09:59:55Z" } });
    vendor.now = start + 600_000;
    expect(idsOf(await readAll(source, repaired?.cursor))).toEqual([`a@${start + 20_000}`]);
  });

  it("reads up to `until` and no further", async () => {
    const vendor = vendorOf([change("a", -40_000), change("b", -30_000), change("c", -20_000)], 1);
    const since = { time: isoTime(start - 40_000), seen: [] };
    const pages = await readAll(sourceOf(vendor), since, isoTime(start - 20_000));
    expect(idsOf(pages)).toEqual([`a@${start - 40_000}`, `b@${start - 30_000}`]);
    expect(pages.at(-1)?.cursor.time).toBe(isoTime(start - 20_000));
    expect(await readAll(sourceOf(vendor), pages.at(-1)?.cursor, isoTime(start - 20_000))).toEqual([]);
  });

  it("keeps windows to their width and the listing under the vendor's cap", async () => {
    const history = Array.from({ length: 40 }, (_, index) =>
      change(`r${index}`, -3_600_000 + index * 60_000),
    );
    const vendor = vendorOf(history, 3);
    const options = { windowMs: 600_000, maxRecordsPerWindow: 6, origin: isoTime(start - 3_600_000) };
    expect(new Set(idsOf(await readAll(sourceOf(vendor, options), undefined))).size).toBe(40);
    const widths = vendor.asked.map(({ from, to }) => Date.parse(to) - Date.parse(from));
    expect(Math.max(...widths)).toBe(600_000);
    const deepest = vendor.asked.reduce((deep, { after }, index) => {
      const depth = after === undefined ? 1 : (deep[index - 1] ?? 0) + 1;
      return [...deep, depth];
    }, Array<number>());
    expect(Math.max(...deepest)).toBe(2);
  });

  it("ends with the caller's reason when it is aborted before a page", async () => {
    const reason = new Error("closing");
    const source = sourceOf(vendorOf([change("a", -30_000)], 1));
    const pages = source.read({ cursor: undefined, signal: AbortSignal.abort(reason) });
    const first = pages[Symbol.asyncIterator]().next();
    await expect(first).rejects.toBe(reason);
  });

  const record = (offsetMs: number) => ({ time: isoTime(start + offsetMs), id: "x", events: [] });
  it.each([
    ["records out of order", { records: [record(-20_000), record(-30_000)] }],
    ["a time that cannot be read", { records: [{ time: "yesterday", id: "x", events: [] }] }],
    ["only records from before the window", { records: [record(-90_000)] }],
    ["a next page that is the page itself", { records: [], after: "again" }],
  ])("stops with target_protocol on %s", async (_what, page: WindowPage) => {
    const source = sourceOf(vendorOf([], 1), { fetchPage: async () => page });
    await expect(readAll(source, { time: isoTime(start - 60_000), seen: [] })).rejects.toMatchObject({
      code: "target_protocol",
    });
  });

  it("stops with a word when more records share one second than the vendor lists", async () => {
    const vendor = vendorOf(
      Array.from({ length: 20 }, (_, index) => change(`r${index}`, -30_000)),
      4,
    );
    const source = sourceOf(vendor, { maxRecordsPerWindow: 8, origin: isoTime(start - 30_000) });
    await expect(readAll(source, undefined)).rejects.toMatchObject({ code: "target_protocol" });
  });
});

interface Plan {
  readonly history: readonly Change[];
  readonly pageSize: number;
  readonly options: Partial<WindowedSourceOptions>;
  /** Seconds between polls, and after how many pages each is cut off. */
  readonly polls: readonly {
    readonly pauseMs: number;
    readonly pages: number;
    readonly losesLast: boolean;
  }[];
}

const overlapMs = 20_000;
const lagMs = 3000;

const change = fc
  .record({
    id: fc.constantFrom("a", "b", "c", "d", "e", "f"),
    second: fc.nat({ max: 40 }),
    ms: fc.constantFrom(0, 0, 1, 500),
    lateMs: fc.integer({ min: -8000, max: overlapMs + lagMs }),
  })
  .map(({ id, second, ms, lateMs }): Change => {
    const at = start + second * 1000 + ms;
    return { id, at, visibleAt: at + lateMs };
  });

const plan = (unordered: boolean): fc.Arbitrary<Plan> =>
  fc.record({
    history: fc.uniqueArray(change, { maxLength: 60, selector: (row) => `${row.id}@${row.at}` }),
    pageSize: fc.integer({ min: 1, max: 9 }),
    options: fc
      .record({ windowMs: fc.constantFrom(undefined, 4000, 30_000), cap: fc.constantFrom(undefined, 70) })
      .map(({ windowMs, cap }) => ({
        unordered,
        ...(windowMs === undefined ? {} : { windowMs }),
        ...(cap === undefined || unordered ? {} : { maxRecordsPerWindow: cap }),
      })),
    polls: fc.array(
      fc.record({
        pauseMs: fc.nat({ max: 15_000 }),
        pages: fc.integer({ min: 1, max: 5 }),
        losesLast: fc.boolean(),
      }),
      { maxLength: 12 },
    ),
  });

/** Plays the plan's polls, then one that runs to its end long after the last change; gives every event id handed out, in order. */
async function play({ history, pageSize, options, polls }: Plan, mayLose: boolean): Promise<string[]> {
  const vendor = vendorOf(history, pageSize, options.unordered === true);
  const source = sourceOf(vendor, { ...options, overlapMs, lagMs, origin: isoTime(start) });
  const delivered: string[] = [];
  let cursor: Cursor | undefined;
  for (const { pauseMs, pages, losesLast } of [
    ...polls,
    { pauseMs: 200_000, pages: Infinity, losesLast: false },
  ]) {
    vendor.now += pauseMs;
    let left = pages;
    for await (const page of source.read({ cursor, signal: never })) {
      delivered.push(...idsOf([page]));
      left -= 1;
      // A crash between the hand-over and the commit: the page's cursor is not kept.
      if (left === 0 && mayLose && losesLast) break;
      expectForward(cursor, page.cursor, vendor.now);
      cursor = page.cursor;
      if (left === 0) break;
    }
  }
  return delivered;
}

function expectForward(before: Cursor | undefined, after: Cursor, now: number): void {
  const at = Date.parse(after.time);
  if (before !== undefined && at < Date.parse(before.time))
    throw new Error(`the cursor went back to ${after.time}`);
  if (at > now - lagMs) throw new Error(`the cursor ${after.time} is ahead of what may be read`);
}

describe.each([
  ["oldest first", false],
  ["in no order", true],
])(
  "for any history, pages of any size, cut-offs and late commits, a vendor that lists %s",
  (_name, unordered) => {
    const expected = ({ history }: Plan): string[] => history.map((row) => eventOf(row).id).sort();

    it("has every record delivered exactly once while each page's cursor is kept", async () => {
      const property = fc.asyncProperty(plan(unordered), async (one) => {
        const delivered = await play(one, false);
        return JSON.stringify(delivered.sort()) === JSON.stringify(expected(one));
      });
      expect(await fc.check(property, { numRuns: 400 })).toMatchObject({
        failed: false,
        counterexample: null,
      });
    });

    it("has every record delivered at least once, and nothing else, when pages are lost after the hand-over", async () => {
      const property = fc.asyncProperty(plan(unordered), async (one) => {
        const delivered = [...new Set(await play(one, true))].sort();
        return JSON.stringify(delivered) === JSON.stringify(expected(one));
      });
      expect(await fc.check(property, { numRuns: 400 })).toMatchObject({
        failed: false,
        counterexample: null,
      });
    });
  },
);
