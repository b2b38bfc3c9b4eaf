import { z } from "zod";
import * as data from "./data.ts";

const withOrder = { order: data.order, customer: data.customer.optional() };
const aboutOrder = { order: data.order.optional(), customer: data.customer.optional() };

const orderEvent = z.strictObject(withOrder);
const fulfillmentEvent = z.strictObject({ fulfillment: data.fulfillment, ...withOrder });
const paymentEvent = z.strictObject({ payment: data.payment, ...aboutOrder });
const refundEvent = z.strictObject({ refund: data.refund, ...aboutOrder });
const returnEvent = z.strictObject({ returnRequest: data.returnRequest, ...aboutOrder });
const customerEvent = z.strictObject({ customer: data.customer });
const byActor = { actor: data.actor.optional() };
const ticketEvent = z.strictObject({ ticket: data.ticket, contact: data.contact.optional(), ...byActor });
const contactEvent = z.strictObject({ contact: data.contact, ...byActor });

/** The canonical event types, each with the schema of its `data`. Unknown facts are left out, never null. */
export const eventData = {
  "order.created": orderEvent,
  "order.updated": orderEvent,
  "order.cancelled": orderEvent,
  "order.held": z.strictObject({ hold: data.hold, ...withOrder }),
  "fulfillment.failed": fulfillmentEvent,
  "fulfillment.delayed": fulfillmentEvent,
  "fulfillment.returned": fulfillmentEvent,
  "fulfillment.attempted": fulfillmentEvent,
  "fulfillment.delivered": fulfillmentEvent,
  "payment.failed": paymentEvent,
  "payment.disputed": paymentEvent,
  "refund.created": refundEvent,
  "refund.failed": refundEvent,
  "return.requested": returnEvent,
  "return.received": returnEvent,
  "customer.created": customerEvent,
  "customer.updated": customerEvent,
  "customer.deleted": customerEvent,
  "survey.submitted": z.strictObject({
    survey: data.survey,
    ...aboutOrder,
    ticket: data.ticket.optional(),
  }),
  "ticket.created": ticketEvent,
  "ticket.updated": ticketEvent,
  "ticket.closed": ticketEvent,
  "ticket.reopened": ticketEvent,
  "message.created": z.strictObject({
    message: data.message,
    ticket: data.ticket,
    contact: data.contact.optional(),
    ...byActor,
  }),
  "contact.created": contactEvent,
  "contact.updated": contactEvent,
  "contact.merged": contactEvent,
  "contact.deleted": contactEvent,
  "record.changed": z.strictObject({ record: data.changedRecord }),
} as const;

export type EventType = keyof typeof eventData;
export type EventData<T extends EventType = EventType> = z.infer<(typeof eventData)[T]>;

export const eventTypes = Object.keys(eventData) as readonly EventType[];

export function isEventType(name: string): name is EventType {
  return Object.hasOwn(eventData, name);
}

/**
 * One thing that happened in a connected system (CloudEvents 1.0 attribute names). `id` is the vendor's own identity of the
 * event and is unique within `source`, the connection's name; the ledger dedupes on the pair. `subject` names the business
 * object (`order/1001`) and is the default lane. `raw` keeps the vendor's body as it was parsed.
 */
export interface Event<T extends EventType = EventType> {
  readonly id: string;
  readonly source: string;
  readonly type: T;
  readonly subject: string;
  /** When it happened, by the vendor's clock. */
  readonly time: string;
  readonly data: EventData<T>;
  readonly raw?: unknown;
}

/** What a connector hands over: an event before the engine has put the connection's name on it. */
export type EventInput = { [T in EventType]: Omit<Event<T>, "source"> }[EventType];
