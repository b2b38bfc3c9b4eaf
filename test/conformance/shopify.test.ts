import connector from "../../connectors/shopify/index.ts";
import type { Connection } from "../../src/sdk/index.ts";
import { createTestContext, testSource, testWebhook } from "../../src/sdk/testing/index.ts";
import type { WebhookSample } from "../../src/sdk/testing/index.ts";
import { openShopifyStub } from "../support/shopify-stub.ts";
import { fulfillmentEventBody, orderBody, shopifyRequest } from "../support/shopify-webhooks.ts";

const now = Date.parse("2026-11-22T10:00:00Z");

async function open(settings: object, clock: () => number = Date.now): Promise<Connection> {
  const config = connector.config.parse({ shop: "acme.myshopify.com", clientSecret: "hush", ...settings });
  return connector.open(config, createTestContext({ now: clock }));
}

interface TopicSample extends WebhookSample {
  readonly topic: string;
}

const sample = (name: string, topic: string, body: object, events = 1): TopicSample => ({
  name,
  topic,
  body: Buffer.from(JSON.stringify(body)),
  events,
});

const report = { id: 1, fulfillment: 2, order: 3, at: now };
const hold = {
  id: "gid://shopify/FulfillmentHold/9",
  reason: "incorrect_address",
  reason_notes: "No such street",
};
const fulfillmentOrder = {
  id: "gid://shopify/FulfillmentOrder/8",
  status: "on_hold",
  fulfillment_holds: [hold],
};

const samples = [
  sample(
    "a failed delivery",
    "fulfillment_events/create",
    fulfillmentEventBody({ ...report, status: "failure" }),
  ),
  sample("a delay", "fulfillment_events/create", fulfillmentEventBody({ ...report, status: "delayed" })),
  sample(
    "a parcel on its way",
    "fulfillment_events/create",
    fulfillmentEventBody({ ...report, status: "in_transit" }),
    0,
  ),
  sample("a new order", "orders/create", orderBody(3, now)),
  sample("an order of a guest", "orders/create", orderBody(3, now, { customer: null })),
  sample("a hold", "fulfillment_orders/placed_on_hold", {
    fulfillment_order: fulfillmentOrder,
    created_fulfillment_hold: hold,
  }),
  sample("another hold", "fulfillment_holds/added", {
    fulfillment_order: { id: fulfillmentOrder.id },
    fulfillment_hold: hold,
  }),
  sample("a topic that nobody needs", "themes/publish", { id: 1 }, 0),
] as const;

for (const family of ["x-shopify", "shopify"] as const) {
  testWebhook({
    name: `shopify with ${family} headers`,
    open: async (clientSecret) => (await open({ clientSecret })).webhook!,
    secrets: ["current", "previous", "wrong"],
    requiredHeaders: [`${family}-hmac-sha256`],
    toleranceSeconds: 172_800,
    samples,
    sign: ({ body, secret, at }, { topic }: WebhookSample & { topic?: string }) => {
      const eventId = "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043";
      return shopifyRequest({ topic: topic ?? samples[0].topic, body, secret, at, eventId, family });
    },
    now,
  });
}

testSource({
  name: "orders of shopify",
  open: async () => {
    let clock = now;
    const stub = await openShopifyStub();
    stub.points.cost = ({ first }) => (typeof first === "number" && first > 4 ? 5000 : 1);
    const connection = await open({ apiUrl: stub.url, accessToken: "shpat_good" }, () => clock);
    let id = 1000;
    return {
      source: connection.sources!["orders"]!,
      setNow: (at) => {
        clock = at;
      },
      change: (at) => {
        id += 1;
        stub.orders.set(id, { id, updatedAt: at });
      },
      close: stub.close,
    };
  },
});
