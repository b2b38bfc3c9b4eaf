import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { businessSpans } from "../../src/desk/business-hours.ts";
import type { Grouping } from "../../src/desk/metric-facts.ts";
import { groupings } from "../../src/desk/metric-facts.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import { bruteForce, countBusiness } from "../support/metric-brute-force.ts";
import type { History, TicketLog } from "../support/metric-history.ts";
import { openHistory } from "../support/metric-history.ts";
import { calendars, historySteps, pause, starts, ticketGroups } from "../support/metric-steps.ts";
import type { ShownTicket } from "../support/metric-steps.ts";

let stand: DeskStand;

beforeAll(async () => {
  stand = await openDeskStand();
});
afterAll(() => stand.close());

const timeZones = [
  "UTC",
  "Europe/Berlin",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "America/New_York",
  "America/St_Johns",
];

const queries = fc.record({
  interval: fc.constantFrom("hour", "day", "week", undefined),
  time_zone: fc.constantFrom(...timeZones),
  group_by: fc.constantFrom(...groupings, undefined),
  lead: fc.integer({ min: -200_000, max: 400_000 }),
  length: fc.integer({ min: 900, max: 1_500_000 }),
});

interface Row extends Record<string, unknown> {
  readonly start: string;
  readonly end: string;
  readonly group?: string | null;
}

async function get(path: string): Promise<unknown> {
  const { status, json, text } = await stand.send({ method: "GET", path });
  expect({ status, text }).toMatchObject({ status: 200 });
  return json;
}

const seconds = (time: string): number => Date.parse(time) / 1000;
const quarterOf = (at: number): number => Math.floor(at / 900) * 900;
const timeOf = (at: number): string => new Date(at * 1000).toISOString();

function expectEdges(
  rows: readonly Row[],
  from: number,
  until: number,
  interval: string | undefined,
  timeZone: string,
): void {
  const wall = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const label = (at: number): string => wall.format(at * 1000);
  expect(seconds(rows[0]?.start ?? "")).toBe(quarterOf(from));
  expect(seconds(rows.at(-1)?.end ?? "")).toBe(quarterOf(until));
  rows.slice(1).forEach(({ start }, index) => {
    expect(start).toBe(rows[index]?.end);
    const text = label(seconds(start));
    if (interval === "hour") expect(text).toMatch(/:00$/);
    if (interval === "day") expect(text).toMatch(/00:00$/);
    if (interval === "week") expect(text).toMatch(/^Mon.*00:00$/);
  });
  // No bucket has another beginning within it.
  for (const { start, end } of rows) {
    for (let at = seconds(start) + 900; at < seconds(end); at += 900) {
      const text = label(at);
      if (interval === "hour") expect(text).not.toMatch(/:00$/);
      if (interval === "day") expect(text).not.toMatch(/00:00$/);
      if (interval === "week") expect(text).not.toMatch(/^Mon.*00:00$/);
    }
  }
}

it("says of any history what counting its tickets one by one says", { timeout: 300_000 }, async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...starts),
      fc.constantFrom(...calendars),
      fc.array(
        fc.tuple(
          pause,
          historySteps(() => stand.desk.maintain()),
        ),
        { minLength: 10, maxLength: 60 },
      ),
      fc.array(queries, { minLength: 3, maxLength: 6 }),
      async (start, calendar, acts, asked) => {
        const history = await openHistory(stand.databaseUrl, start);
        try {
          await history.write("put_business_hours", {
            ...calendar,
            ...(businessSpans(calendar, 2026) ?? { opens: [], closes: [] }),
          });
          for (const [wait, step] of acts) {
            history.wait(wait);
            await step(history);
          }
          const business = countBusiness(calendar);
          const shown = new Map<TicketLog, ShownTicket>();
          for (const log of history.tickets.filter(({ merged }) => !merged))
            shown.set(log, (await get(`/v1/tickets/tkt_${log.id}`)) as ShownTicket);
          for (const { lead, length, ...query } of asked) {
            compared += await compare({
              history,
              shown,
              business,
              from: start + lead,
              until: start + lead + length,
              ...query,
            });
          }
        } finally {
          await history.wipe();
        }
      },
    ),
    { numRuns: 40, endOnFailure: true },
  );
  expect(compared).toBeGreaterThan(1000);
});

interface Comparison {
  readonly history: History;
  readonly shown: ReadonlyMap<TicketLog, ShownTicket>;
  readonly business: (from: number, until: number) => number;
  readonly from: number;
  readonly until: number;
  readonly interval: string | undefined;
  readonly time_zone: string;
  readonly group_by: Grouping | undefined;
}

/** Returns how many buckets were compared. */
async function compare(comparison: Comparison): Promise<number> {
  const { history, shown, business, from, until, interval, time_zone, group_by } = comparison;
  const query = new URLSearchParams({ from: timeOf(from), until: timeOf(until), time_zone });
  if (interval !== undefined) query.set("interval", interval);
  if (group_by !== undefined) query.set("group_by", group_by);
  const { data } = (await get(`/v1/metrics?${query.toString()}`)) as { data: readonly Row[] };
  for (const group of new Set(data.map((row) => row.group))) {
    expectEdges(
      data.filter((row) => row.group === group),
      from,
      until,
      interval,
      time_zone,
    );
  }
  for (const row of data) {
    const tickets = history.tickets.filter((log) => {
      const ticket = shown.get(log);
      if (group_by === undefined || ticket === undefined) return true;
      return ticketGroups(ticket, group_by).includes(row.group ?? null);
    });
    expect(row).toEqual({
      start: row.start,
      end: row.end,
      ...("group" in row ? { group: row.group } : {}),
      ...bruteForce(tickets, seconds(row.start), seconds(row.end), business),
    });
  }
  expectGroupsComplete(data, comparison);
  return data.length;
}

/** Every group in which a ticket was created within the range has to be there. */
function expectGroupsComplete(
  data: readonly Row[],
  { history, shown, from, until, group_by: grouping }: Comparison,
): void {
  if (grouping === undefined) return;
  const there = new Set(data.map(({ group }) => group));
  for (const log of history.tickets) {
    const ticket = shown.get(log);
    if (
      ticket === undefined ||
      log.merged ||
      log.createdAt < quarterOf(from) ||
      log.createdAt >= quarterOf(until)
    )
      continue;
    for (const group of ticketGroups(ticket, grouping)) expect(there).toContain(group);
  }
}
