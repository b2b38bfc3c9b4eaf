import type { ShopOrder } from "./order.ts";

/** Where an order stands when one of its webhooks is sent. */
export interface OrderState {
  readonly updatedAt: number;
  readonly financialStatus: "pending" | "paid" | "refunded";
  readonly fulfillmentStatus: "fulfilled" | null;
  readonly cancel?: { readonly reason: CancelReason; readonly at: number };
  readonly note?: string;
}

export type CancelReason = "customer" | "declined" | "fraud" | "inventory" | "other";

/** The body of `orders/create`, `orders/updated` and `orders/cancelled`. */
export function orderBody(order: ShopOrder, state: OrderState): object {
  const total = money(order.totalMinor);
  return {
    id: order.id,
    admin_graphql_api_id: gid("Order", order.id),
    name: order.name,
    order_number: order.number,
    email: order.customer.email,
    phone: null,
    currency: order.currency,
    total_price: total,
    current_total_price: total,
    total_price_set: { shop_money: { amount: total, currency_code: order.currency } },
    current_total_price_set: { shop_money: { amount: total, currency_code: order.currency } },
    financial_status: state.financialStatus,
    fulfillment_status: state.fulfillmentStatus,
    cancel_reason: state.cancel?.reason ?? null,
    cancelled_at: state.cancel === undefined ? null : instant(state.cancel.at),
    closed_at: null,
    tags: "",
    note: state.note ?? null,
    order_status_url: `https://shop.example.com/orders/${order.id}`,
    created_at: instant(order.placedAt),
    updated_at: instant(state.updatedAt),
    customer: customerBody(order),
    line_items: order.items.map((item) => ({
      id: item.id,
      title: item.title,
      name: item.title,
      sku: item.sku,
      quantity: 1,
    })),
    shipping_address: addressBody(order),
  };
}

function customerBody({ customer, placedAt }: ShopOrder): object {
  return {
    id: customer.id,
    admin_graphql_api_id: gid("Customer", customer.id),
    email: customer.email,
    first_name: customer.firstName,
    last_name: customer.lastName,
    phone: null,
    tags: customer.tags.join(", "),
    created_at: instant(placedAt),
    updated_at: instant(placedAt),
  };
}

function addressBody({ customer, city }: ShopOrder): object {
  return {
    first_name: customer.firstName,
    last_name: customer.lastName,
    name: `${customer.firstName} ${customer.lastName}`,
    address1: "1 Example Street",
    address2: null,
    city,
    province: null,
    province_code: null,
    zip: "10000",
    country: null,
    country_code: null,
    phone: null,
  };
}

/** What a carrier reported of a parcel. */
export interface CarrierReport {
  readonly eventId: number;
  readonly status: "failure" | "delayed" | "delivered";
  readonly message: string;
  readonly at: number;
}

/** The body of `fulfillment_events/create`. It names the order, and nobody's name or address. */
export function fulfillmentEventBody(order: ShopOrder, report: CarrierReport): object {
  return {
    id: report.eventId,
    admin_graphql_api_id: gid("FulfillmentEvent", report.eventId),
    fulfillment_id: order.fulfillmentId,
    order_id: order.id,
    status: report.status,
    message: report.message,
    happened_at: instant(report.at),
    created_at: instant(report.at),
    updated_at: instant(report.at),
    estimated_delivery_at: null,
    city: order.city,
    province: null,
    country: null,
    zip: null,
    address1: null,
    latitude: null,
    longitude: null,
    shop_id: 1,
  };
}

export type HoldReason =
  | "awaiting_payment"
  | "high_risk_of_fraud"
  | "incorrect_address"
  | "inventory_out_of_stock"
  | "other";

/** Why the shop keeps an order back. */
export interface Hold {
  readonly id: number;
  readonly reason: HoldReason;
  readonly notes: string;
}

/** The body of `fulfillment_orders/placed_on_hold`. It names neither the order nor the customer. */
export function placedOnHoldBody(order: ShopOrder, hold: Hold): object {
  const created = {
    id: gid("FulfillmentHold", hold.id),
    reason: hold.reason,
    reason_notes: hold.notes,
    held_by_requesting_app: false,
    handle: "",
    held_by_app: null,
  };
  return {
    fulfillment_order: {
      id: gid("FulfillmentOrder", order.fulfillmentOrderId),
      status: "on_hold",
      fulfillment_holds: [created],
    },
    remaining_fulfillment_order: null,
    held_fulfillment_order_line_items: order.items.map((item) => ({
      id: gid("FulfillmentOrderLineItem", item.id),
      quantity: 1,
    })),
    created_fulfillment_hold: created,
  };
}

/** An id as GraphQL writes it. */
export function gid(kind: string, id: number): string {
  return `gid://shopify/${kind}/${id}`;
}

/** Minor units as the vendor writes an amount. */
export function money(minor: number): string {
  return `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, "0")}`;
}

/** An instant as the vendor writes it: seconds, with an offset. */
export function instant(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}+00:00`;
}
