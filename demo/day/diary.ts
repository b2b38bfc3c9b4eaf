import type { CancelReason, CarrierReport, Hold, OrderState } from "./body.ts";
import { fulfillmentEventBody, orderBody, placedOnHoldBody } from "./body.ts";
import type { ExpectedOrder, ExpectedTicket } from "./expectation.ts";
import type { ShopOrder } from "./order.ts";

/** A webhook as the shop would send it, before it is signed. */
export interface Notice {
  readonly topic: string;
  readonly body: string;
}

type OrderChange = Partial<Pick<OrderState, "financialStatus" | "fulfillmentStatus" | "note">>;

/** Writes down what happens to one order: the webhooks that it causes, and what they must lead to on the desk. */
export interface Diary {
  readonly placed: () => void;
  readonly changed: (change: OrderChange) => void;
  /** Like `changed`, but `later` arrives first: the desk must not fall back to the older state. */
  readonly changedTwiceSwapped: (earlier: OrderChange, later: OrderChange) => void;
  readonly reported: (status: CarrierReport["status"], message: string) => void;
  readonly held: (reason: Hold["reason"], notes: string) => void;
  /** A cancellation that the customer asked for opens no ticket. */
  readonly cancelled: (reason: CancelReason) => void;
  readonly notices: readonly Notice[];
  readonly expected: () => { readonly tickets: readonly ExpectedTicket[]; readonly order: ExpectedOrder };
}

const betweenMs = 17 * 60_000;

export function createDiary(order: ShopOrder): Diary {
  const notices: Notice[] = [];
  const tickets = createTicketBook(order);
  let state: OrderState = { updatedAt: order.placedAt, financialStatus: "pending", fulfillmentStatus: null };
  let now = order.placedAt;
  let reports = 0;

  const tick = (): number => (now += betweenMs);
  const note = (topic: string, body: object): void =>
    void notices.push({ topic, body: JSON.stringify(body) });
  const changeTo = (change: Partial<OrderState>): object => {
    state = { ...state, ...change, updatedAt: tick() };
    return orderBody(order, state);
  };

  return {
    notices,
    placed: () => note("orders/create", orderBody(order, state)),
    changed: (change) => note("orders/updated", changeTo(change)),
    changedTwiceSwapped: (earlier, later) => {
      const first = changeTo(earlier);
      note("orders/updated", changeTo(later));
      note("orders/updated", first);
    },
    reported: (status, message) => {
      reports += 1;
      const report = { eventId: order.id + 200 + reports, status, message, at: tick() };
      note("fulfillment_events/create", fulfillmentEventBody(order, report));
      if (status !== "delivered") tickets.fulfillment(status, message);
    },
    held: (reason, notes) => {
      note(
        "fulfillment_orders/placed_on_hold",
        placedOnHoldBody(order, { id: order.id + 300, reason, notes }),
      );
      tickets.hold(reason, notes);
    },
    cancelled: (reason) => {
      note(
        "orders/cancelled",
        changeTo({ financialStatus: "refunded", cancel: { reason, at: now + betweenMs } }),
      );
      if (reason !== "customer") tickets.cancellation(reason);
    },
    expected: () => ({
      tickets: tickets.all(),
      order: { id: String(order.id), name: order.name, status: statusOf(state) },
    }),
  };
}

interface TicketBook {
  readonly fulfillment: (status: string, message: string) => void;
  readonly hold: (reason: string, notes: string) => void;
  readonly cancellation: (reason: string) => void;
  readonly all: () => readonly ExpectedTicket[];
}

/** What the flows of `demo/deskbridge.yaml` make of the order's troubles. */
function createTicketBook({ id, name, fulfillmentId, customer }: ShopOrder): TicketBook {
  const tickets = new Map<string, { subject: string; messages: string[] }>();
  const add = (key: string, subject: string, message: string): void => {
    const ticket = tickets.get(key) ?? { subject, messages: [] };
    ticket.messages.push(message);
    tickets.set(key, ticket);
  };
  return {
    fulfillment: (status, message) =>
      add(`fulfillment:${fulfillmentId}`, `Order ${name}: ${status}`, message),
    hold: (reason, notes) => add(`hold:${id}`, `Order ${name} is on hold: ${reason}`, notes),
    cancellation: (reason) =>
      add(`cancelled:${id}`, `Order ${name} was cancelled`, `The shop cancelled ${name}: ${reason}.`),
    all: () =>
      [...tickets].map(([key, ticket]) => ({ key, order: name, requester: customer.email, ...ticket })),
  };
}

/** What the demo's flow makes of an order's state. */
function statusOf(state: OrderState): string {
  if (state.cancel !== undefined) return "cancelled";
  return state.fulfillmentStatus ?? "unfulfilled";
}
