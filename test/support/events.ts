import type { AppendItem } from "../../src/ledger/ledger.ts";
import type { Event } from "../../src/model/event.ts";

/** A canonical failed fulfillment of an order, as a connection named `shop` would hand it over. */
export function failedFulfillment(id: string, order: string, facts: Partial<Event> = {}): Event {
  return {
    id,
    source: "shop",
    type: "fulfillment.failed",
    subject: `order/${order}`,
    time: "2026-11-22T10:00:00.000Z",
    data: {
      fulfillment: { id: `f-${order}`, status: "failure", message: "address not found" },
      order: { id: order, name: `#${order}`, total: { minor: 4200, currency: "USD" }, tags: [], items: [] },
      customer: { id: `c-${order}`, email: `buyer${order}@example.com`, name: "Buyer", tags: [] },
    },
    ...facts,
  };
}

/** An append of an event with one delivery to the lane of its subject. */
export function appendOf(event: Event, delivery: Partial<AppendItem["deliveries"][number]> = {}): AppendItem {
  return {
    event,
    receivedAt: Date.now(),
    via: "webhook",
    deliveries: [{ flow: "errors", target: "desk", lane: event.subject, priority: "live", ...delivery }],
  };
}
