import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { config } from "../../connectors/shopify/config.ts";
import { createWebhook } from "../../connectors/shopify/webhook.ts";
import type { EventInput, WebhookRequest } from "../../src/sdk/index.ts";
import { expectValidEvents } from "../../src/sdk/testing/index.ts";
import { fulfillmentEventBody, orderBody, shopifyRequest } from "../support/shopify-webhooks.ts";

const at = Date.parse("2026-11-22T10:00:00Z");
const settings = { shop: "acme.myshopify.com", clientSecret: "hush" };

function parse(
  topic: string,
  body: object | string,
  changes: object = {},
  edit: (request: WebhookRequest) => WebhookRequest = (request) => request,
): readonly EventInput[] {
  const webhook = createWebhook(config.parse({ ...settings, ...changes }));
  const request = edit(shopifyRequest({ topic, body, secret: "hush", at, eventId: "event-1" }));
  webhook.verify(request);
  const events = webhook.parse(request);
  expectValidEvents(events);
  return events;
}

const report = (status: string, changes: object = {}): object => ({
  ...fulfillmentEventBody({ id: 11, fulfillment: 22, order: 33, status, message: "Address unknown", at }),
  ...changes,
});

describe("a carrier's report", () => {
  it.each([
    ["failure", "fulfillment.failed"],
    ["delayed", "fulfillment.delayed"],
    ["attempted_delivery", "fulfillment.attempted"],
    ["delivered", "fulfillment.delivered"],
  ])("%s becomes %s on its order", (status, type) => {
    expect(parse("fulfillment_events/create", report(status))).toMatchObject([
      {
        id: "fulfillment_event/11",
        type,
        subject: "order/33",
        time: "2026-11-22T10:00:00.000Z",
        data: { fulfillment: { id: "22", status, message: "Address unknown" }, order: { id: "33" } },
      },
    ]);
  });

  it.each(["in_transit", "out_for_delivery", "confirmed", "ready_for_pickup", "label_printed"])(
    "%s is nobody's business",
    (status) => {
      expect(parse("fulfillment_events/create", report(status))).toEqual([]);
    },
  );

  it("counts as a failure when the configuration says so", () => {
    const changes = { failureStatuses: ["delayed"] };
    expect(parse("fulfillment_events/create", report("delayed"), changes)).toMatchObject([
      { type: "fulfillment.failed" },
    ]);
    expect(parse("fulfillment_events/create", report("failure"), changes)).toEqual([]);
  });

  it("keeps ids beyond 2^53 exact", () => {
    const body = JSON.stringify(report("failure")).replace('"order_id":33', '"order_id":820982911946154508');
    expect(parse("fulfillment_events/create", body)).toMatchObject([
      { subject: "order/820982911946154508", data: { order: { id: "820982911946154508" } } },
    ]);
  });

  it.each(["id", "fulfillment_id", "order_id", "status"])("without %s is malformed and says so", (field) => {
    expect(() => parse("fulfillment_events/create", report("failure", { [field]: null }))).toThrow(
      expect.objectContaining({
        code: "webhook_malformed",
        details: { topic: "fulfillment_events/create", path: field },
      }),
    );
  });
});

describe("an order", () => {
  it("carries everything that the body tells, and no address that lets anyone in", () => {
    const [created] = parse("orders/create", orderBody(33, at));
    expect(created).toMatchObject({
      id: "order/33/created",
      type: "order.created",
      subject: "order/33",
      data: {
        order: {
          id: "33",
          name: "#33",
          status: "open",
          financialStatus: "paid",
          fulfillmentStatus: "unfulfilled",
          total: { minor: 5990, currency: "USD" },
          tags: ["vip", "gift"],
          url: "https://acme.myshopify.com/admin/orders/33",
          items: [{ id: "5", sku: "LAMP", title: "Lamp - blue", quantity: 2 }],
          shippingAddress: { line1: "1 Example Street", region: "ON", country: "CA", postalCode: "K2P 2L8" },
        },
        customer: {
          id: "77",
          name: "Ada Example",
          email: "ada@example.com",
          phone: "+15024592181",
          locale: "en-CA",
          tags: ["wholesale"],
        },
      },
    });
    expect(JSON.stringify(created?.data)).not.toContain("authenticate");
  });

  it("has the delivery's identity when updated, its own when created or cancelled", () => {
    const cancelled = orderBody(33, at, {
      cancelled_at: "2026-11-22T04:00:00-05:00",
      cancel_reason: "inventory",
    });
    const events = [
      ...parse("orders/updated", orderBody(33, at)),
      ...parse("orders/paid", orderBody(33, at)),
      ...parse("orders/cancelled", cancelled),
    ];
    expect(events.map((one) => [one.id, one.type])).toEqual([
      ["event-1:orders/updated", "order.updated"],
      ["event-1:orders/paid", "order.updated"],
      ["order/33/cancelled", "order.cancelled"],
    ]);
    expect(events[2]).toMatchObject({
      time: "2026-11-22T09:00:00.000Z",
      data: { order: { status: "cancelled", cancelReason: "inventory" } },
    });
  });

  it("names a guest after the order and takes the contact details given with it", () => {
    const [created] = parse("orders/create", orderBody(33, at, { customer: null }));
    expect(created?.data).toMatchObject({
      customer: { id: "guest-33", email: "ada@example.com", name: "Ada Example" },
    });
    const [anonymous] = parse(
      "orders/create",
      orderBody(33, at, { customer: null, email: null, contact_email: null }),
    );
    expect(anonymous?.data).not.toHaveProperty("customer");
  });

  it("has its total in the currency's own minor unit", () => {
    const total = (amount: string, currency: string): unknown =>
      parse("orders/create", orderBody(33, at, { total_price: amount, currency, total_price_set: null }))[0]
        ?.data;
    expect(total("1200", "JPY")).toMatchObject({ order: { total: { minor: 1200, currency: "JPY" } } });
    expect(total("1.234", "KWD")).toMatchObject({ order: { total: { minor: 1234, currency: "KWD" } } });
  });
});

describe("what goes wrong with a fulfillment", () => {
  const fulfillment = {
    id: 22,
    order_id: 33,
    updated_at: "2026-11-22T10:00:00Z",
    tracking_number: "1Z",
    tracking_company: "UPS",
  };

  it.each(["error", "failure", "cancelled"])("a fulfillment of status %s failed", (status) => {
    expect(parse("fulfillments/update", { ...fulfillment, status })).toMatchObject([
      {
        id: `fulfillment/22/${status}`,
        type: "fulfillment.failed",
        subject: "order/33",
        data: { fulfillment: { id: "22", status, trackingNumber: "1Z", trackingCompany: "UPS" } },
      },
    ]);
  });

  it("a carrier's failure is told by the carrier's report, not by the fulfillment again", () => {
    expect(
      parse("fulfillments/update", { ...fulfillment, status: "success", shipment_status: "failure" }),
    ).toEqual([]);
  });

  it("both topics about one hold give one event, on the fulfillment order that they name", () => {
    const hold = {
      id: "gid://shopify/FulfillmentHold/9",
      reason: "INCORRECT_ADDRESS",
      reason_notes: "No such street",
    };
    const fulfillmentOrder = { id: "gid://shopify/FulfillmentOrder/8" };
    const placed = parse("fulfillment_orders/placed_on_hold", {
      fulfillment_order: fulfillmentOrder,
      created_fulfillment_hold: hold,
    });
    const added = parse("fulfillment_holds/added", {
      fulfillment_order: fulfillmentOrder,
      fulfillment_hold: hold,
    });
    expect([...placed, ...added].map((one) => one.id)).toEqual(["hold/9", "hold/9"]);
    expect(placed).toMatchObject([
      {
        type: "order.held",
        subject: "fulfillment_order/8",
        data: { hold: { id: "9", reason: "incorrect_address", note: "No such street" }, order: { id: "" } },
      },
    ]);
    const filtered = { holdReasons: ["awaiting_payment"] };
    expect(
      parse(
        "fulfillment_holds/added",
        { fulfillment_order: fulfillmentOrder, fulfillment_hold: hold },
        filtered,
      ),
    ).toEqual([]);
  });

  it.each([
    ["fulfillment_orders/fulfillment_request_rejected", "request_rejected"],
    ["fulfillment_orders/fulfillment_service_failed_to_complete", "failed_to_complete"],
  ])("%s is a failure with the service's words", (topic, status) => {
    const body = {
      fulfillment_order: { id: "gid://shopify/FulfillmentOrder/8", status: "open" },
      message: "We broke it.",
    };
    expect(parse(topic, body)).toMatchObject([
      {
        id: `event-1:${topic}`,
        type: "fulfillment.failed",
        subject: "fulfillment_order/8",
        data: { fulfillment: { id: "8", status, message: "We broke it." } },
      },
    ]);
  });
});

describe("money matters", () => {
  const transactions = (status: string): object[] => [
    { kind: "refund", status, amount: "75.00", currency: null },
    { kind: "refund", status, amount: "10.00", currency: null },
  ];
  const refund = {
    id: 44,
    order_id: 33,
    note: "Damaged",
    created_at: "2026-11-22T10:00:00Z",
    total_duties_set: { shop_money: { amount: "0.00", currency_code: "USD" } },
  };

  it("a refund is the sum of its transactions, and failed when all of them did", () => {
    const events = [
      ...parse("refunds/create", { ...refund, transactions: transactions("success") }),
      ...parse("refunds/create", { ...refund, transactions: transactions("failure") }),
      ...parse("refunds/create", { ...refund, transactions: [] }),
    ];
    expect(events).toMatchObject([
      {
        id: "refund/44",
        type: "refund.created",
        data: { refund: { amount: { minor: 8500, currency: "USD" }, reason: "Damaged" } },
      },
      { id: "refund/44", type: "refund.failed" },
      { type: "refund.created" },
    ]);
    expect(events[2]?.data).not.toHaveProperty("refund.amount");
  });

  it("a dispute names its order where it has one, and itself otherwise", () => {
    const dispute = {
      id: 55,
      type: "chargeback",
      amount: "11.50",
      currency: "CAD",
      reason: "fraudulent",
      status: "needs_response",
    };
    const events = [
      ...parse("disputes/create", { ...dispute, order_id: 33 }),
      ...parse("disputes/update", { ...dispute, order_id: null }),
    ];
    expect(events).toMatchObject([
      {
        type: "payment.disputed",
        subject: "order/33",
        data: { payment: { amount: { minor: 1150, currency: "CAD" } } },
      },
      { id: "event-1:disputes/update", subject: "dispute/55" },
    ]);
  });

  it("a failed charge is a failed payment, a good one is nobody's business", () => {
    const charge = {
      id: 66,
      order_id: 33,
      kind: "sale",
      amount: "5.00",
      currency: "USD",
      error_code: "card_declined",
    };
    expect(parse("order_transactions/create", { ...charge, status: "failure" })).toMatchObject([
      { type: "payment.failed", data: { payment: { id: "66", reason: "card_declined" } } },
    ]);
    expect(parse("order_transactions/create", { ...charge, status: "success" })).toEqual([]);
    expect(parse("order_transactions/create", { ...charge, status: "failure", kind: "refund" })).toEqual([]);
  });

  it("a return carries what is sent back and why", () => {
    const line = {
      quantity: 1,
      return_reason: "DEFECTIVE",
      fulfillment_line_item: { line_item: { id: 5, name: "Lamp", sku: "LAMP" } },
    };
    expect(
      parse("returns/request", { id: 77, status: "requested", order: { id: 33 }, return_line_items: [line] }),
    ).toMatchObject([
      {
        type: "return.requested",
        subject: "order/33",
        data: {
          returnRequest: {
            id: "77",
            status: "requested",
            reason: "defective",
            items: [{ title: "Lamp", quantity: 1 }],
          },
        },
      },
    ]);
  });
});

describe("a customer", () => {
  it.each([
    ["customers/create", "customer.created"],
    ["customers/update", "customer.updated"],
    ["customers/delete", "customer.deleted"],
  ])("%s is %s", (topic, type) => {
    const events = parse(topic, { id: 88, email: "ada@example.com", first_name: "Ada", tags: "" });
    expect(events).toMatchObject([
      { id: `event-1:${topic}`, type, subject: "customer/88", data: { customer: { id: "88" } } },
    ]);
  });
});

describe("headers", () => {
  const body = { id: 88 };
  const without =
    (name: string) =>
    (request: WebhookRequest): WebhookRequest => {
      const { [name]: _left, ...headers } = request.headers;
      return { ...request, headers };
    };

  it("give the same identity to a body sent again when they carry no event id", () => {
    const bare = without("x-shopify-event-id");
    const [first] = parse("customers/create", body, {}, bare);
    const [again] = parse("customers/create", body, {}, bare);
    const [other] = parse("customers/create", { id: 89 }, {}, bare);
    expect(first?.id).toMatch(/^sha256-[0-9a-f]{64}:customers\/create$/);
    expect(again?.id).toBe(first?.id);
    expect(other?.id).not.toBe(first?.id);
  });

  it("give the time where the body has none; without them it is the time of arrival", () => {
    expect(parse("customers/delete", body)[0]?.time).toBe("2026-11-22T10:00:00Z");
    const late = (request: WebhookRequest): WebhookRequest => ({
      ...without("x-shopify-triggered-at")(request),
      receivedAt: at + 9000,
    });
    expect(parse("customers/delete", body, {}, late)[0]?.time).toBe("2026-11-22T10:00:09Z");
  });

  it("are not believed when the body's time lies days ahead", () => {
    const [event] = parse(
      "fulfillment_events/create",
      report("failure", { happened_at: "2031-01-01T00:00:00Z" }),
    );
    expect(event?.time).toBe("2026-11-22T10:00:00Z");
  });

  it("without a topic are malformed", () => {
    expect(() => parse("customers/create", body, {}, without("x-shopify-topic"))).toThrow(
      expect.objectContaining({ code: "webhook_malformed" }),
    );
  });
});

describe("the vendor's own samples", () => {
  const folder = join(import.meta.dirname, "../../../shared/payloads/shopify");
  const samples = [
    ["rest-orders1.json", "orders/create", (all: Record<string, unknown[]>) => all["orders"]?.[0], 1],
    [
      "rest-fulfillment_event2.json",
      "fulfillment_events/create",
      (all: Record<string, unknown>) => all["fulfillment_event"],
      0,
    ],
    [
      "rest-fulfillment3.json",
      "fulfillments/update",
      (all: Record<string, unknown>) => all["fulfillment"],
      1,
    ],
    ["rest-refund2.json", "refunds/create", (all: Record<string, unknown>) => all["refund"], 1],
    ["rest-dispute2.json", "disputes/create", (all: Record<string, unknown>) => all["dispute"], 1],
    [
      "rest-customers1.json",
      "customers/create",
      (all: Record<string, unknown[]>) => all["customers"]?.[0],
      1,
    ],
  ] as const;

  it("become valid events, where they are at hand", () => {
    const present = samples.filter(([file]) => existsSync(join(folder, file)));
    if (present.length < samples.length) console.log(`absent: ${folder}`);
    for (const [file, topic, unwrap, count] of present) {
      const all = JSON.parse(readFileSync(join(folder, file), "utf8")) as never;
      expect(parse(topic, unwrap(all) as object)).toHaveLength(count);
    }
    expect(present.every(([file]) => existsSync(join(folder, file)))).toBe(true);
  });
});

describe("the configuration", () => {
  it.each([
    [{ shop: "acme.com" }, "shop"],
    [{ clientSecret: [] }, "clientSecret"],
    [{ clientSecret: ["a", "b", "c"] }, "clientSecret"],
    [{ accessToken: "a", clientId: "b" }, "clientId"],
    [{ apiVersion: "2026-02" }, "apiVersion"],
    [{ unknownKey: 1 }, ""],
  ])("refuses %o", (changes, path) => {
    const result = config.safeParse({ ...settings, ...changes });
    expect(result.error?.issues[0]?.path.join(".")).toBe(path);
  });
});
