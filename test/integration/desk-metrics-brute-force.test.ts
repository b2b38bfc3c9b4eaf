import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { BusinessHours } from "../../src/desk/business-hours.ts";
import { businessSpans } from "../../src/desk/business-hours.ts";
import type { Grouping } from "../../src/desk/metric-facts.ts";
import { groupings } from "../../src/desk/metric-facts.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import { bruteForce, countBusiness } from "../support/metric-brute-force.ts";
import type { History, TicketLog } from "../support/metric-history.ts";
import { openHistory } from "../support/metric-history.ts";

let stand: DeskStand;

beforeAll(async () => {
  stand = await openDeskStand();
});
afterAll(() => stand.close());

const officeDay = [
  ["09:00", "12:30"],
  ["13:15", "17:00"],
] as const;
const week = {
  monday: officeDay,
  tuesday: officeDay,
  wednesday: officeDay,
  thursday: officeDay,
  friday: officeDay,
};

const calendars: readonly BusinessHours[] = [
  { time_zone: "UTC", hours: null, holidays: [] },
  { time_zone: "Europe/Berlin", hours: week, holidays: ["2026-03-27"] },
  { time_zone: "Australia/Lord_Howe", hours: { ...week, sunday: [["00:30", "06:00"]] }, holidays: [] },
  {
    time_zone: "America/New_York",
    hours: { saturday: [["00:00", "24:00"]], sunday: [["00:00", "24:00"]] },
    holidays: [],
  },
];
/** Each with a day on which clocks are moved in the days after it: in Europe, on Lord Howe Island, in America. */
const starts = ["2026-03-27T10:00:00Z", "2026-04-03T22:10:00Z", "2026-10-30T03:20:00Z"].map(
  (time) => Date.parse(time) / 1000,
);
const timeZones = [
  "UTC",
  "Europe/Berlin",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "America/New_York",
  "America/St_Johns",
];

const attributes = {
  channel: fc.constantFrom("email", "chat"),
  assignee: fc.constantFrom("kim", "lee"),
  tags: fc.uniqueArray(fc.constantFrom("late", "lost", "vip"), { maxLength: 2 }),
  custom_fields: fc.constantFrom({ reason: "damage" }, { reason: "" }, { other: 1 }),
  orders: fc.uniqueArray(
    fc.record({ source: fc.constantFrom("shop", "market"), external_id: fc.constantFrom("1", "2") }),
    { maxLength: 2, selector: ({ source, external_id: id }) => `${source} ${id}` },
  ),
};
const changed = fc.record(attributes, { requiredKeys: [] });
const fields = fc.record(
  {
    ...attributes,
    message: fc.constantFrom(
      { text: "first", direction: "inbound", visibility: "public" },
      { text: "first", direction: "outbound", visibility: "public" },
    ),
  },
  { requiredKeys: [] },
);
const messages = [
  [{ direction: "outbound", visibility: "public" }, true],
  [{ direction: "outbound", visibility: "public", author: { type: "agent", id: "kim" } }, true],
  [{ direction: "outbound", visibility: "public", author: { type: "system" } }, false],
  [{ direction: "outbound", visibility: "internal" }, false],
  [{ direction: "inbound", visibility: "public" }, false],
] as const;

type Step = (history: History) => Promise<void>;

/** A step with one of the tickets that are there, when there is one. */
function withTicket(act: (history: History, ticket: TicketLog, other: TicketLog) => Promise<void>) {
  return fc.tuple(fc.nat(), fc.nat()).map(([one, two]): Step => async (history) => {
    const there = history.tickets.filter(({ merged }) => !merged);
    const [ticket, other] = [there[one % there.length], there[two % there.length]];
    if (ticket !== undefined && other !== undefined) await act(history, ticket, other);
  });
}

const steps = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(fields, fc.nat(9)).map(
      ([given, odds]): Step =>
        (history) =>
          history.create(given, odds === 0),
    ),
  },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom(...messages)
      .chain(([message, isReply]) =>
        withTicket((history, ticket) => history.message(ticket, message, isReply)),
      ),
  },
  {
    weight: 5,
    arbitrary: fc
      .constantFrom("solved", "solved", "closed", "open", "pending" as const)
      .chain((status) => withTicket((history, ticket) => history.setStatus(ticket, status))),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 5 }), fc.boolean())
      .chain(([score, close]) => withTicket((history, ticket) => history.rate(ticket, score, close))),
  },
  {
    weight: 2,
    arbitrary: changed.chain(({ tags, ...rest }) =>
      withTicket((history, ticket) =>
        history.change(ticket, { ...rest, ...(tags === undefined ? {} : { set_tags: tags }) }),
      ),
    ),
  },
  {
    weight: 1,
    arbitrary: withTicket(async (history, ticket, other) => {
      if (ticket !== other) await history.merge(ticket, other);
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>(async () => stand.desk.maintain()) },
);
const pause = fc.oneof(
  fc.integer({ min: 1, max: 100 }),
  fc.integer({ min: 100, max: 50_000 }),
  fc.constantFrom(900, 3600, 86_400),
);

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

interface Ticket {
  readonly channel: string;
  readonly tags: readonly string[];
  readonly assignee: string | null;
  readonly orders: readonly { readonly source: string }[];
  readonly custom_fields: { readonly reason?: string };
}

function groupsOf(ticket: Ticket, grouping: Grouping): readonly (string | null)[] {
  const orNull = (keys: readonly string[]): readonly (string | null)[] =>
    keys.length === 0 ? [null] : [...new Set(keys)];
  if (grouping === "channel") return [ticket.channel];
  if (grouping === "tag") return orNull(ticket.tags);
  if (grouping === "assignee") return [ticket.assignee];
  if (grouping === "order_source") return orNull(ticket.orders.map(({ source }) => source));
  const { reason = "" } = ticket.custom_fields;
  return [reason === "" ? (ticket.tags[0] ?? null) : reason];
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
      fc.array(fc.tuple(pause, steps), { minLength: 10, maxLength: 60 }),
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
          const shown = new Map<TicketLog, Ticket>();
          for (const log of history.tickets.filter(({ merged }) => !merged))
            shown.set(log, (await get(`/v1/tickets/tkt_${log.id}`)) as Ticket);
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
  readonly shown: ReadonlyMap<TicketLog, Ticket>;
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
      return groupsOf(ticket, group_by).includes(row.group ?? null);
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
    for (const group of groupsOf(ticket, grouping)) expect(there).toContain(group);
  }
}
