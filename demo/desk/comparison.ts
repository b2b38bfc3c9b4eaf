import type { Expectation, ExpectedOrder, ExpectedTicket } from "../day/expectation.ts";
import type { DeskOrder, DeskTicket } from "./support-api.ts";

/** What is on the desk and what should be, one line a difference; empty when they agree. Names orders, keys and texts, never a person. */
export function differences(
  expected: Pick<Expectation, "tickets" | "orders">,
  tickets: readonly DeskTicket[],
  orders: readonly (DeskOrder | undefined)[],
): readonly string[] {
  const byKey = Map.groupBy(tickets, (ticket) => ticket.refs[0]?.external_id ?? `(no ref) ${ticket.number}`);
  const keys = new Set(expected.tickets.map((ticket) => ticket.key));
  const unexpected = [...byKey.keys()].filter((key) => !keys.has(key));
  return [
    ...expected.tickets.flatMap((ticket) => ticketFaults(ticket, byKey.get(ticket.key) ?? [])),
    ...unexpected.map((key) => `ticket ${key}: nobody asked for it`),
    ...expected.orders.flatMap((order, index) => orderFaults(order, orders[index])),
  ];
}

function ticketFaults(expected: ExpectedTicket, found: readonly DeskTicket[]): string[] {
  const name = `ticket ${expected.key} of ${expected.order}`;
  const [ticket, ...others] = found;
  if (ticket === undefined) return [`${name}: missing`];
  const faults: string[] = [];
  if (others.length > 0) faults.push(`${name}: there are ${found.length} of it`);
  if (ticket.subject !== expected.subject)
    faults.push(`${name}: its subject is "${ticket.subject}" rather than "${expected.subject}"`);
  if (ticket.requester.email !== expected.requester) faults.push(`${name}: it is somebody else's`);
  if (ticket.orders[0]?.name !== expected.order)
    faults.push(`${name}: it is linked to ${ticket.orders[0]?.name ?? "no order"}`);
  const texts = ticket.messages.map((message) => message.text);
  if (texts.join("\n") !== expected.messages.join("\n"))
    faults.push(`${name}: its messages are ${quoted(texts)} rather than ${quoted(expected.messages)}`);
  return faults;
}

function orderFaults(expected: ExpectedOrder, found: DeskOrder | undefined): string[] {
  if (found === undefined) return [`order ${expected.name}: not on the desk`];
  if (found.status === expected.status) return [];
  return [`order ${expected.name}: it is "${found.status}" rather than "${expected.status}"`];
}

function quoted(texts: readonly string[]): string {
  return texts.length === 0 ? "none" : texts.map((text) => `"${text}"`).join(", ");
}
