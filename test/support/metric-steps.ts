import fc from "fast-check";
import type { BusinessHours } from "../../src/desk/business-hours.ts";
import type { Grouping } from "../../src/desk/metric-facts.ts";
import type { History, TicketLog } from "./metric-history.ts";

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

/** Business hours that histories are played under. */
export const calendars: readonly BusinessHours[] = [
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
export const starts = ["2026-03-27T10:00:00Z", "2026-04-03T22:10:00Z", "2026-10-30T03:20:00Z"].map(
  (time) => Date.parse(time) / 1000,
);
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

/** Something that happens in a history. */
export type Step = (history: History) => Promise<void>;

/** A step with one of the tickets that are there, when there is one. */
function withTicket(act: (history: History, ticket: TicketLog, other: TicketLog) => Promise<void>) {
  return fc.tuple(fc.nat(), fc.nat()).map(([one, two]): Step => async (history) => {
    const there = history.tickets.filter(({ merged }) => !merged);
    const [ticket, other] = [there[one % there.length], there[two % there.length]];
    if (ticket !== undefined && other !== undefined) await act(history, ticket, other);
  });
}

/** What may happen; now and then `maintain` runs. */
export const historySteps = (maintain: () => Promise<void>): fc.Arbitrary<Step> =>
  fc.oneof(
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
    { weight: 2, arbitrary: fc.constant<Step>(maintain) },
  );
/** Seconds between two steps. */
export const pause = fc.oneof(
  fc.integer({ min: 1, max: 100 }),
  fc.integer({ min: 100, max: 50_000 }),
  fc.constantFrom(900, 3600, 86_400),
);

/** As much of a ticket as its groups go by. */
export interface ShownTicket {
  readonly channel: string;
  readonly tags: readonly string[];
  readonly assignee: string | null;
  readonly orders: readonly { readonly source: string }[];
  readonly custom_fields: { readonly reason?: string };
}

/** The groups that a ticket is in, null being none. */
export function ticketGroups(ticket: ShownTicket, grouping: Grouping): readonly (string | null)[] {
  const orNull = (keys: readonly string[]): readonly (string | null)[] =>
    keys.length === 0 ? [null] : [...new Set(keys)];
  if (grouping === "channel") return [ticket.channel];
  if (grouping === "tag") return orNull(ticket.tags);
  if (grouping === "assignee") return [ticket.assignee];
  if (grouping === "order_source") return orNull(ticket.orders.map(({ source }) => source));
  const { reason = "" } = ticket.custom_fields;
  return [reason === "" ? (ticket.tags[0] ?? null) : reason];
}
