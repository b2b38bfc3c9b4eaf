import { describe, expect, it } from "vitest";
import { createDay } from "../../demo/day/day.ts";
import { differences } from "../../demo/desk/comparison.ts";
import type { DeskOrder, DeskTicket } from "../../demo/desk/support-api.ts";
import { countTickets, impliedTally, readEventCount, tallyDifferences } from "../../demo/report/tally.ts";
import { formatTickets, maskedName } from "../../demo/report/ticket-table.ts";

const { expected } = createDay(1, Date.parse("2026-11-21T00:00:00Z"));

/** The desk as it should be. */
const tickets: readonly DeskTicket[] = expected.tickets.map((ticket, index) => ({
  id: `ticket-${index}`,
  number: index + 1,
  subject: ticket.subject,
  status: "new",
  tags: ["failure"],
  requester: { name: "Amara Okafor", email: ticket.requester },
  refs: [{ source: "deskbridge", external_id: ticket.key }],
  orders: [{ external_id: "1", name: ticket.order }],
  messages: ticket.messages.map((text) => ({ text })),
}));
const orders: readonly DeskOrder[] = expected.orders.map(({ id, name, status }) => ({
  external_id: id,
  name,
  status,
}));
const [first] = tickets as [DeskTicket];
const changed = (change: Partial<DeskTicket>): readonly DeskTicket[] =>
  tickets.map((ticket) => (ticket === first ? { ...ticket, ...change } : ticket));

describe("the comparison of a desk with what the day implies", () => {
  it("finds nothing where they agree", () => {
    expect(differences(expected, tickets, orders)).toEqual([]);
  });

  it.each<[string, readonly DeskTicket[], string]>([
    ["a ticket that is missing", tickets.slice(1), "missing"],
    ["a ticket that is there twice", [...tickets, { ...first, number: 999 }], "there are 2 of it"],
    ["a ticket without a key", [...tickets, { ...first, refs: [] }], "nobody asked for it"],
    [
      "a message that is there twice",
      changed({ messages: [...first.messages, ...first.messages] }),
      "its messages are",
    ],
    ["a message that is missing", changed({ messages: [] }), "its messages are none"],
    ["another subject", changed({ subject: "?" }), 'its subject is "?"'],
    ["another order", changed({ orders: [] }), "linked to no order"],
    ["another customer", changed({ requester: { name: null, email: "a@example.com" } }), "somebody else's"],
  ])("names %s, and nobody's address", (_name, desk, words) => {
    const found = differences(expected, desk, orders);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(words);
    expect(found[0]).not.toContain("@");
  });

  it("names an order whose state is another, and one that is not there", () => {
    const [one, two] = expected.orders;
    const desk = orders.map((order, index) => (index === 0 ? { ...order, status: "?" } : order));
    expect(differences(expected, tickets, desk)).toEqual([
      `order ${one?.name}: it is "?" rather than "${one?.status}"`,
    ]);
    expect(differences(expected, tickets, [orders[0], undefined, ...orders.slice(2)])).toEqual([
      `order ${two?.name}: not on the desk`,
    ]);
  });
});

describe("the figures of the demo", () => {
  const right = { ...impliedTally(expected), exported: 300, seconds: 5 };

  it("count the tickets, and the messages after each one's first", () => {
    expect(countTickets(tickets)).toEqual({
      ticketsOpened: expected.tickets.length,
      messagesAppended: right.messagesAppended,
    });
  });

  it("agree with the day, or say which one does not", () => {
    expect(tallyDifferences(expected, right)).toEqual([]);
    expect(tallyDifferences(expected, { ...right, dead: 2 })).toEqual(["dead: 2 rather than 0"]);
  });

  it("are read from the metrics, over all connections and types", () => {
    const metrics = [
      "# TYPE deskbridge_events_total counter",
      'deskbridge_events_total{connection="shop",type="order.created",outcome="duplicate"} 3',
      'deskbridge_events_total{connection="shop",type="order.updated",outcome="duplicate"} 4',
      'deskbridge_events_total{connection="shop",type="none",outcome="rejected"} 2',
      'deskbridge_rings_total{target="desk",outcome="sent"} 9',
    ].join("\n");
    expect(readEventCount(metrics, "duplicate")).toBe(7);
    expect(readEventCount(metrics, "rejected")).toBe(2);
  });
});

describe("the demo's table", () => {
  it("shows order, reason and messages of each ticket, and no full name or address", () => {
    const lines = formatTickets(tickets).split("\n");
    expect(lines).toHaveLength(tickets.length + 1);
    expect(lines[1]).toContain(expected.tickets[0]?.order);
    expect(lines[1]).toContain(expected.tickets[0]?.messages[0]);
    expect(lines.join("\n")).not.toMatch(/@|Okafor/);
  });

  it.each([
    ["Amara Okafor", "Amara O."],
    ["Ana María Şahin", "Ana María Ş."],
    ["Prince", "Prince"],
    ["", ""],
  ])("masks %s as %s", (name, masked) => {
    expect(maskedName(name)).toBe(masked);
  });
});
