import { createHash } from "node:crypto";
import { hmacSignature } from "../../src/sdk/signature.ts";
import type { WebhookRequest } from "../../src/sdk/webhook.ts";

export interface ShopifyWebhook {
  /** Such as `fulfillment_events/create`. */
  readonly topic: string;
  /** An object is written as JSON; a string or bytes are sent as they are. */
  readonly body: object | string | Buffer;
  readonly secret: string;
  /** When it is sent, in milliseconds since the epoch. */
  readonly at: number;
  /** Identity of the event; the same for each delivery of it. Made from topic and body unless given; `null` sends none. */
  readonly eventId?: string | null;
  readonly shop?: string;
  /** Header names of webhooks (`x-shopify`, the default) or of the newer events (`shopify`). */
  readonly family?: "x-shopify" | "shopify";
}

export interface SignedRequest {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** A webhook as Shopify signs and sends it, ready to be posted. */
export function signedShopifyWebhook(webhook: ShopifyWebhook): SignedRequest {
  const { family = "x-shopify" } = webhook;
  const body = bytesOf(webhook.body);
  const eventId =
    webhook.eventId === undefined ? digest(`${webhook.topic} ${body.toString()}`) : webhook.eventId;
  const signature = hmacSignature(
    { header: `${family}-hmac-sha256`, algorithm: "sha256", encoding: "base64" },
    webhook.secret,
    { body, headers: {} },
  );
  return {
    body,
    headers: {
      "content-type": "application/json",
      [`${family}-topic`]: webhook.topic,
      [`${family}-hmac-sha256`]: signature,
      [`${family}-shop-domain`]: webhook.shop ?? "acme.myshopify.com",
      [`${family}-api-version`]: "2026-07",
      [`${family}-webhook-id`]: digest(`${eventId} ${webhook.at}`),
      [`${family}-triggered-at`]: new Date(webhook.at).toISOString(),
      ...(eventId === null ? {} : { [`${family}-event-id`]: eventId }),
    },
  };
}

/** The same as it reaches a connector. */
export function shopifyRequest(webhook: ShopifyWebhook): WebhookRequest {
  const { headers, body } = signedShopifyWebhook(webhook);
  return { method: "POST", path: "", query: {}, headers, body, receivedAt: webhook.at };
}

function bytesOf(body: ShopifyWebhook["body"]): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** Body of `fulfillment_events/create`, in the documented form. */
export function fulfillmentEventBody(facts: {
  readonly id: number;
  readonly fulfillment: number;
  readonly order: number;
  readonly status: string;
  readonly message?: string;
  readonly at: number;
}): object {
  const time = new Date(facts.at).toISOString();
  return {
    id: facts.id,
    fulfillment_id: facts.fulfillment,
    status: facts.status,
    message: facts.message ?? null,
    happened_at: time,
    city: null,
    province: null,
    country: "CA",
    zip: null,
    address1: null,
    latitude: null,
    longitude: null,
    shop_id: 1,
    created_at: time,
    updated_at: time,
    estimated_delivery_at: null,
    order_id: facts.order,
    admin_graphql_api_id: `gid://shopify/FulfillmentEvent/${facts.id}`,
  };
}

/** Body of `orders/*`, in the documented form, with what a test wants to say differently. */
export function orderBody(id: number, at: number, changes: object = {}): object {
  const time = new Date(at).toISOString();
  return {
    id,
    admin_graphql_api_id: `gid://shopify/Order/${id}`,
    name: `#${id}`,
    email: "ada@example.com",
    contact_email: "ada@example.com",
    phone: null,
    currency: "USD",
    total_price: "59.90",
    total_price_set: {
      shop_money: { amount: "59.90", currency_code: "USD" },
      presentment_money: { amount: "59.90", currency_code: "USD" },
    },
    financial_status: "paid",
    fulfillment_status: null,
    cancel_reason: null,
    cancelled_at: null,
    closed_at: null,
    created_at: time,
    updated_at: time,
    note: null,
    tags: "vip, gift",
    order_status_url: "https://acme.myshopify.com/1/orders/abc/authenticate?key=secret",
    customer_locale: "en-CA",
    customer: {
      id: 77,
      email: "ada@example.com",
      first_name: "Ada",
      last_name: "Example",
      phone: "+1(502)-459-2181",
      tags: "wholesale",
      created_at: time,
      updated_at: time,
    },
    line_items: [{ id: 5, title: "Lamp", name: "Lamp - blue", sku: "LAMP", quantity: 2 }],
    shipping_address: {
      name: "Ada Example",
      address1: "1 Example Street",
      address2: "",
      city: "Ottawa",
      province: "Ontario",
      province_code: "ON",
      zip: "K2P 2L8",
      country: "Canada",
      country_code: "CA",
      phone: "555-625-1199",
    },
    ...changes,
  };
}
