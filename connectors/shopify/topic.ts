import { AppError, parseMoney } from "deskbridge/sdk";
import type { EventInput, EventType } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { carrierEventType, hasFailed, identity, takesHold } from "./happening.ts";
import { bareOrder, customerFromRest, orderFromRest } from "./order.ts";
import { idOf, known, list, lower, object, text, timeOf } from "./value.ts";
import type { Json } from "./value.ts";

/** A verified webhook, its body parsed. */
export interface Delivery {
  readonly topic: string;
  readonly body: Json;
  /** Identity of the vendor's event, the same for each time that it is sent. */
  readonly eventId: string;
  /** RFC 3339 UTC: when the vendor sent it first, or when it arrived. */
  readonly time: string;
  readonly settings: Config;
}

type Parser = (delivery: Delivery) => readonly EventInput[];

const orderUpdated: Parser = (delivery) => orderEvent(delivery, "order.updated");

/** What each topic becomes. A topic that is not here is nobody's business: no events. */
export const topics: Readonly<Record<string, Parser>> = {
  "orders/create": (delivery) => orderEvent(delivery, "order.created", identity.orderCreated),
  "orders/updated": orderUpdated,
  "orders/paid": orderUpdated,
  "orders/fulfilled": orderUpdated,
  "orders/partially_fulfilled": orderUpdated,
  "orders/cancelled": (delivery) => orderEvent(delivery, "order.cancelled", identity.orderCancelled),
  "fulfillment_events/create": carrierReport,
  "fulfillments/create": fulfillment,
  "fulfillments/update": fulfillment,
  "fulfillment_orders/placed_on_hold": hold,
  "fulfillment_holds/added": hold,
  "fulfillment_orders/fulfillment_request_rejected": (delivery) =>
    serviceRefusal(delivery, "request_rejected"),
  "fulfillment_orders/fulfillment_service_failed_to_complete": (delivery) =>
    serviceRefusal(delivery, "failed_to_complete"),
  "refunds/create": refund,
  "returns/request": returnRequest,
  "disputes/create": dispute,
  "disputes/update": dispute,
  "order_transactions/create": transaction,
  "customers/create": (delivery) => customerEvent(delivery, "customer.created"),
  "customers/update": (delivery) => customerEvent(delivery, "customer.updated"),
  "customers/delete": (delivery) => customerEvent(delivery, "customer.deleted"),
};

type OrderEventType = "order.created" | "order.updated" | "order.cancelled";

function orderEvent(
  delivery: Delivery,
  type: OrderEventType,
  identify?: (order: string) => string,
): readonly EventInput[] {
  const facts = orderFromRest(delivery.body, delivery.settings.shop) ?? missing(delivery, "id");
  const { order, customer } = facts;
  const happened =
    type === "order.created"
      ? order.createdAt
      : type === "order.cancelled"
        ? order.cancelledAt
        : order.updatedAt;
  const id = identify?.(order.id) ?? deliveryId(delivery);
  return [event(delivery, type, { id, time: happened, order: order.id, data: known({ order, customer }) })];
}

function carrierReport(delivery: Delivery): readonly EventInput[] {
  const { body, settings } = delivery;
  const status = lower(body["status"]) ?? missing(delivery, "status");
  const report = idOf(body["id"]) ?? missing(delivery, "id");
  const fulfillmentId = idOf(body["fulfillment_id"]) ?? missing(delivery, "fulfillment_id");
  const order = idOf(body["order_id"]) ?? missing(delivery, "order_id");
  const type = carrierEventType(settings, status);
  if (type === undefined) return [];
  const happenedAt = timeOf(body["happened_at"]);
  const facts = known({
    id: fulfillmentId,
    status,
    message: text(body["message"]),
    estimatedDeliveryAt: timeOf(body["estimated_delivery_at"]),
    happenedAt,
  });
  const data = { fulfillment: facts, order: bareOrder(order) };
  return [event(delivery, type, { id: identity.carrierReport(report), time: happenedAt, order, data })];
}

function fulfillment(delivery: Delivery): readonly EventInput[] {
  const { body, settings } = delivery;
  const id = idOf(body["id"]) ?? missing(delivery, "id");
  const status = lower(body["status"]) ?? missing(delivery, "status");
  const order = idOf(body["order_id"]) ?? missing(delivery, "order_id");
  if (!hasFailed(settings, status)) return [];
  const happenedAt = timeOf(body["updated_at"]);
  const facts = known({
    id,
    status,
    trackingNumber: text(body["tracking_number"]),
    trackingCompany: text(body["tracking_company"]),
    trackingUrl: text(body["tracking_url"]),
    happenedAt,
  });
  const data = { fulfillment: facts, order: bareOrder(order) };
  return [
    event(delivery, "fulfillment.failed", {
      id: identity.fulfillmentStatus(id, status),
      time: happenedAt,
      order,
      data,
    }),
  ];
}

// Two topics tell of a hold; its id makes one event of them. Neither names the order.
function hold(delivery: Delivery): readonly EventInput[] {
  const { body, settings } = delivery;
  const fulfillmentOrder =
    idOf(object(body["fulfillment_order"])["id"]) ?? missing(delivery, "fulfillment_order.id");
  const [first] = list(object(body["fulfillment_order"])["fulfillment_holds"]);
  const facts = object(body["created_fulfillment_hold"] ?? body["fulfillment_hold"] ?? first);
  const reason = lower(facts["reason"]) ?? missing(delivery, "fulfillment_hold.reason");
  if (!takesHold(settings, reason)) return [];
  const holdId = idOf(facts["id"]);
  const data = {
    hold: known({ id: holdId, reason, note: text(facts["reason_notes"]) }),
    order: bareOrder(idOf(object(body["fulfillment_order"])["order_id"])),
  };
  const id = holdId === undefined ? deliveryId(delivery) : identity.hold(holdId);
  return [event(delivery, "order.held", { id, order: text(data.order.id), fulfillmentOrder, data })];
}

function serviceRefusal(delivery: Delivery, status: string): readonly EventInput[] {
  const { body } = delivery;
  const fulfillmentOrder =
    idOf(object(body["fulfillment_order"])["id"]) ?? missing(delivery, "fulfillment_order.id");
  const order = idOf(object(body["fulfillment_order"])["order_id"]);
  const facts = known({ id: fulfillmentOrder, status, message: text(body["message"]) });
  const data = { fulfillment: facts, order: bareOrder(order) };
  return [event(delivery, "fulfillment.failed", { id: deliveryId(delivery), order, fulfillmentOrder, data })];
}

function refund(delivery: Delivery): readonly EventInput[] {
  const { body } = delivery;
  const id = idOf(body["id"]) ?? missing(delivery, "id");
  const order = idOf(body["order_id"]) ?? missing(delivery, "order_id");
  const transactions = list(body["transactions"]).map(object);
  const currency = text(object(object(body["total_duties_set"])["shop_money"])["currency_code"]);
  const amounts = transactions.map((one) => parseMoney(one["amount"], text(one["currency"]) ?? currency));
  const statuses = transactions.map((one) => lower(one["status"]));
  const failed =
    statuses.length > 0 && statuses.every((status) => status === "failure" || status === "error");
  const facts = known({
    id,
    status: failed ? "failure" : statuses[0],
    reason: text(body["note"]),
    amount: sumOf(amounts),
  });
  const data = { refund: facts, order: bareOrder(order) };
  const type = failed ? "refund.failed" : "refund.created";
  return [event(delivery, type, { id: identity.refund(id), time: timeOf(body["created_at"]), order, data })];
}

type Money = NonNullable<ReturnType<typeof parseMoney>>;

function sumOf(amounts: readonly (Money | undefined)[]): Money | undefined {
  const [first] = amounts;
  if (first === undefined || amounts.some((one) => one?.currency !== first.currency)) return undefined;
  return { minor: amounts.reduce((sum, one) => sum + (one?.minor ?? 0), 0), currency: first.currency };
}

function returnRequest(delivery: Delivery): readonly EventInput[] {
  const { body } = delivery;
  const id = idOf(body["id"]) ?? missing(delivery, "id");
  const order = idOf(object(body["order"])["id"]) ?? idOf(body["order_id"]) ?? missing(delivery, "order.id");
  const lines = list(body["return_line_items"]).map(object);
  const facts = known({
    id,
    status: lower(body["status"]),
    reason: lines.map((line) => lower(line["return_reason"])).find((reason) => reason !== undefined),
    items: lines.flatMap(returnedItem),
  });
  const data = { returnRequest: facts, order: bareOrder(order) };
  return [event(delivery, "return.requested", { id: deliveryId(delivery), order, data })];
}

function returnedItem(line: Json): { id?: string; sku?: string; title: string; quantity: number }[] {
  const item = object(object(line["fulfillment_line_item"])["line_item"]);
  const title = text(item["name"]) ?? text(item["title"]);
  const quantity = line["quantity"];
  if (title === undefined || typeof quantity !== "number") return [];
  return [known({ id: idOf(item["id"]), sku: text(item["sku"]), title, quantity })];
}

function dispute(delivery: Delivery): readonly EventInput[] {
  const { body } = delivery;
  const id = idOf(body["id"]) ?? missing(delivery, "id");
  const order = idOf(body["order_id"]);
  const payment = known({
    id,
    status: lower(body["status"]) ?? missing(delivery, "status"),
    reason: lower(body["reason"]),
    amount: parseMoney(body["amount"], body["currency"]),
    dueAt: timeOf(body["evidence_due_by"]),
  });
  const data = order === undefined ? { payment } : { payment, order: bareOrder(order) };
  const subject = `dispute/${id}`;
  return [event(delivery, "payment.disputed", { id: deliveryId(delivery), order, subject, data })];
}

const paying = new Set(["sale", "authorization", "capture"]);

function transaction(delivery: Delivery): readonly EventInput[] {
  const { body } = delivery;
  const id = idOf(body["id"]) ?? missing(delivery, "id");
  const status = lower(body["status"]) ?? missing(delivery, "status");
  const order = idOf(body["order_id"]) ?? missing(delivery, "order_id");
  const failed = status === "failure" || status === "error";
  if (!failed || !paying.has(lower(body["kind"]) ?? "")) return [];
  const payment = known({
    id,
    status,
    reason: text(body["error_code"]) ?? text(body["message"]),
    amount: parseMoney(body["amount"], body["currency"]),
  });
  const data = { payment, order: bareOrder(order) };
  return [
    event(delivery, "payment.failed", {
      id: deliveryId(delivery),
      time: timeOf(body["created_at"]),
      order,
      data,
    }),
  ];
}

function customerEvent(
  delivery: Delivery,
  type: "customer.created" | "customer.updated" | "customer.deleted",
): readonly EventInput[] {
  const customer = customerFromRest(delivery.body) ?? missing(delivery, "id");
  const time = type === "customer.deleted" ? undefined : customer.updatedAt;
  const subject = `customer/${customer.id}`;
  return [event(delivery, type, { id: deliveryId(delivery), time, subject, data: { customer } })];
}

interface Parts<T extends EventType> {
  readonly id: string;
  /** When it happened by what the body says; the delivery's time where it says nothing. */
  readonly time?: string | undefined;
  readonly order?: string | undefined;
  readonly fulfillmentOrder?: string;
  /** For what belongs to no order. */
  readonly subject?: string;
  readonly data: Extract<EventInput, { type: T }>["data"];
}

// All events of an order share its subject, and so its lane, wherever the order is known.
function event<T extends EventType>(delivery: Delivery, type: T, parts: Parts<T>): EventInput {
  const subject =
    parts.order === undefined
      ? (parts.subject ?? `fulfillment_order/${parts.fulfillmentOrder}`)
      : `order/${parts.order}`;
  const { id, data } = parts;
  return { id, type, subject, time: parts.time ?? delivery.time, data, raw: delivery.body } as EventInput;
}

function deliveryId({ eventId, topic }: Delivery): string {
  return `${eventId}:${topic}`;
}

function missing({ topic }: Delivery, path: string): never {
  throw new AppError(
    "webhook_malformed",
    `The body of ${topic} lacks "${path}", or it is not of the documented form.`,
    {
      details: { topic, path },
    },
  );
}
