import { createHmac } from "node:crypto";

/** Names one event of one run; it is in the order's name, in the ticket's key and thereby in the address of the call to the desk. */
export interface Mark {
  readonly run: string;
  readonly number: number;
}

export function writeMark({ run, number }: Mark): string {
  return `${run}x${number}`;
}

/** Finds the mark in the path of a call to the desk; undefined when there is none. */
export function readMark(path: string): Mark | undefined {
  const found = /([a-z]+\d+)x(\d+)(?:$|[/?])/.exec(path);
  if (found?.[1] === undefined) return undefined;
  return { run: found[1], number: Number(found[2]) };
}

/** The shop whose webhooks are played; its secret signs them. */
export const shop = {
  domain: "bench.myshopify.com",
  clientSecret: "bench-client-secret-0123456789",
} as const;

const orderedAt = "2026-11-22T10:00:00-05:00";

const price = (amount: string) => ({
  shop_money: { amount, currency_code: "USD" },
  presentment_money: { amount, currency_code: "USD" },
});

const address = {
  first_name: "Robin",
  last_name: "Example",
  address1: "1 Test Street",
  address2: "Floor 2",
  city: "Springfield",
  zip: "12345",
  province: "Illinois",
  country: "United States",
  name: "Robin Example",
  country_code: "US",
  province_code: "IL",
  phone: "+12175550123",
  latitude: 39.8,
  longitude: -89.6,
};

const lineOf = (order: number, number: number) => ({
  id: order * 10 + number,
  admin_graphql_api_id: `gid://shopify/LineItem/${order * 10 + number}`,
  title: `Article ${number}`,
  sku: `SKU-${number}`,
  quantity: number,
  fulfillable_quantity: number,
  grams: 250,
  price: "19.00",
  price_set: price("19.00"),
  requires_shipping: true,
  taxable: true,
  vendor: "Example",
  properties: [],
  tax_lines: [],
  discount_allocations: [],
});

const customerOf = (number: number) => ({
  id: 7_000_000_000 + number,
  email: `buyer${number}@example.com`,
  created_at: orderedAt,
  updated_at: orderedAt,
  first_name: "Robin",
  last_name: "Example",
  orders_count: 3,
  state: "enabled",
  verified_email: true,
  phone: null,
  tags: "",
  currency: "USD",
  default_address: address,
});

/** A cancelled order as the shop system sends it, about four kilobytes, with the customer in it. */
export function cancelledOrder(mark: Mark): string {
  const id = 5_000_000_000_000 + mark.number;
  const at = orderedAt;
  return JSON.stringify({
    id,
    admin_graphql_api_id: `gid://shopify/Order/${id}`,
    name: `#${writeMark(mark)}`,
    order_number: 1000 + mark.number,
    email: `buyer${mark.number}@example.com`,
    contact_email: `buyer${mark.number}@example.com`,
    created_at: at,
    updated_at: at,
    processed_at: at,
    cancelled_at: at,
    cancel_reason: "inventory",
    currency: "USD",
    financial_status: "refunded",
    fulfillment_status: null,
    confirmed: true,
    tags: "vip, wholesale",
    note: null,
    order_status_url: `https://bench.myshopify.com/orders/${id}`,
    subtotal_price: "114.00",
    total_price: "120.00",
    total_price_set: price("120.00"),
    subtotal_price_set: price("114.00"),
    total_tax_set: price("6.00"),
    line_items: [1, 2, 3].map((number) => lineOf(id, number)),
    shipping_address: address,
    billing_address: address,
    customer: customerOf(mark.number),
    shipping_lines: [],
    refunds: [],
    fulfillments: [],
    note_attributes: [],
    discount_codes: [],
    payment_gateway_names: ["bench"],
  });
}

/** The body that asks the desk stub for a ticket, of the size that the product's own has. */
export function ticketBody(mark: Mark): unknown {
  return {
    subject: `Order #${writeMark(mark)}: cancelled`,
    requester: { email: `buyer${mark.number}@example.com`, name: "Robin Example" },
    message: {
      text: "The order was cancelled: inventory. Tell the customer what happens next.",
      visibility: "public",
    },
    priority: "normal",
    tags: ["cancelled-order"],
    repeat: { closed: "reopen" },
  };
}

/** One signed webhook as the bytes of an HTTP/1.1 request with keep-alive. */
export function webhookRequest(mark: Mark, host: string, path: string, sentAt: Date): Buffer {
  const body = Buffer.from(cancelledOrder(mark));
  const head = [
    `POST ${path} HTTP/1.1`,
    `Host: ${host}`,
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    "X-Shopify-Topic: orders/cancelled",
    `X-Shopify-Shop-Domain: ${shop.domain}`,
    "X-Shopify-API-Version: 2026-07",
    `X-Shopify-Hmac-Sha256: ${createHmac("sha256", shop.clientSecret).update(body).digest("base64")}`,
    `X-Shopify-Event-Id: ${writeMark(mark)}`,
    `X-Shopify-Webhook-Id: ${writeMark(mark)}`,
    `X-Shopify-Triggered-At: ${sentAt.toISOString()}`,
    "User-Agent: bench",
    "",
    "",
  ];
  return Buffer.concat([Buffer.from(head.join("\r\n")), body]);
}
