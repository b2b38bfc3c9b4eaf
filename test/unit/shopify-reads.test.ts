import nock from "nock";
import { afterEach, describe, expect, it } from "vitest";
import connector from "../../connectors/shopify/index.ts";
import type { Connection, Event, EventInput, Page } from "../../src/sdk/index.ts";
import { createTestContext, expectValidEvents } from "../../src/sdk/testing/index.ts";
import { openShopifyStub } from "../support/shopify-stub.ts";
import type { ShopifyStub } from "../support/shopify-stub.ts";
import { fulfillmentEventBody, shopifyRequest } from "../support/shopify-webhooks.ts";

const start = Date.parse("2026-11-22T10:00:00Z");
const never = new AbortController().signal;
const opened: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
  nock.cleanAll();
  nock.enableNetConnect();
});

async function openShop(): Promise<ShopifyStub> {
  const stub = await openShopifyStub();
  opened.push(stub.close);
  return stub;
}

interface Clock {
  now: number;
}

async function connect(settings: object, clock: Clock = { now: start }): Promise<Connection> {
  const context = createTestContext({ now: () => clock.now });
  opened.push(context.close);
  const parsed = connector.config.parse({ shop: "acme.myshopify.com", clientSecret: "hush", ...settings });
  return connector.open(parsed, context);
}

const reading = (stub: ShopifyStub, settings: object = {}): object => ({
  apiUrl: stub.url,
  accessToken: "shpat_good",
  ...settings,
});

function failureOf(order: number): Event {
  const body = fulfillmentEventBody({
    id: order + 1,
    fulfillment: 22,
    order,
    status: "failure",
    message: "Lost",
    at: start,
  });
  return {
    id: `fulfillment_event/${order + 1}`,
    source: "shop",
    type: "fulfillment.failed",
    subject: `order/${order}`,
    time: "2026-11-22T10:00:00Z",
    data: {
      fulfillment: { id: "22", status: "failure", message: "Lost" },
      order: { id: String(order), tags: [], items: [] },
    },
    raw: body,
  };
}

describe("completing an event", () => {
  it("brings the order, its customer and the tracking of the fulfillment, and keeps what the event said", async () => {
    const stub = await openShop();
    const fulfillment = { id: 22, status: "SUCCESS", updatedAt: start, tracking: "1Z999" };
    stub.orders.set(33, { id: 33, updatedAt: start, fulfillments: [fulfillment] });
    const event = await (await connect(reading(stub))).enrich!(failureOf(33), never);
    expectValidEvents([event as EventInput]);
    expect(event).toMatchObject({
      id: "fulfillment_event/34",
      data: {
        fulfillment: {
          id: "22",
          status: "failure",
          message: "Lost",
          trackingNumber: "1Z999",
          trackingCompany: "UPS",
        },
        order: { id: "33", name: "#33", total: { minor: 5990, currency: "USD" }, tags: ["vip"] },
        customer: {
          id: "77",
          email: "ada@example.com",
          name: "Ada Example",
          phone: "+15024592181",
          ordersCount: 3,
        },
      },
    });
  });

  it("finds the order behind a fulfillment order", async () => {
    const stub = await openShop();
    stub.orders.set(33, { id: 33, updatedAt: start, fulfillmentOrderId: 8 });
    const connection = await connect(reading(stub));
    const hold = { id: "gid://shopify/FulfillmentHold/9", reason: "other" };
    const body = { fulfillment_order: { id: "gid://shopify/FulfillmentOrder/8" }, fulfillment_hold: hold };
    const [held] = connection.webhook!.parse(
      shopifyRequest({ topic: "fulfillment_holds/added", body, secret: "hush", at: start }),
    );
    const event = await connection.enrich!({ ...held, source: "shop" } as Event, never);
    expect(event.data).toMatchObject({
      hold: { id: "9" },
      order: { id: "33", name: "#33" },
      customer: { id: "77" },
    });
    expect(stub.asked).toEqual(["OrderOfFulfillmentOrder"]);
  });

  it("asks nothing for an event that has all it needs", async () => {
    const stub = await openShop();
    const event: Event = {
      ...failureOf(33),
      data: { ...failureOf(33).data, order: { id: "33", name: "#33", tags: [], items: [] } },
    };
    expect(await (await connect(reading(stub))).enrich!(event, never)).toBe(event);
    expect(stub.asked).toEqual([]);
  });

  it("reads an order once for events that come together, and again when what it knows is old", async () => {
    const clock = { now: start };
    const stub = await openShop();
    stub.orders.set(33, { id: 33, updatedAt: start });
    const { enrich } = await connect(reading(stub), clock);
    await Promise.all(Array.from({ length: 20 }, () => enrich!(failureOf(33), never)));
    expect(stub.asked).toHaveLength(1);
    clock.now += 31_000;
    await enrich!(failureOf(33), never);
    expect(stub.asked).toHaveLength(2);
  });

  it("one who gives up does not take the answer from the others", async () => {
    const stub = await openShop();
    stub.orders.set(33, { id: 33, updatedAt: start });
    const { enrich } = await connect(reading(stub));
    const hasty = new AbortController();
    const reason = new Error("lease lost");
    const outcomes = [enrich!(failureOf(33), hasty.signal), enrich!(failureOf(33), never)];
    hasty.abort(reason);
    const [first, second] = await Promise.allSettled(outcomes);
    expect(first).toEqual({ status: "rejected", reason });
    expect(second?.status).toBe("fulfilled");
  });

  it("does not remember a failed read", async () => {
    const stub = await openShop();
    const { enrich } = await connect(reading(stub));
    await expect(enrich!(failureOf(33), never)).rejects.toMatchObject({ code: "target_not_found" });
    stub.orders.set(33, { id: 33, updatedAt: start });
    await expect(enrich!(failureOf(33), never)).resolves.toMatchObject({ data: { order: { name: "#33" } } });
  });

  it("is not offered without a credential, and neither is polling", async () => {
    const connection = await connect({});
    expect(connection.enrich).toBeUndefined();
    expect(connection.sources).toBeUndefined();
    expect(await connection.check!(never)).toMatchObject([{ ok: false }]);
  });
});

describe("the rate limit", () => {
  it("a throttled read says when its points will be there", async () => {
    const stub = await openShop();
    stub.points.available = 5;
    stub.points.cost = () => 1005;
    const { enrich } = await connect(reading(stub));
    await expect(enrich!(failureOf(33), never)).rejects.toMatchObject({
      code: "target_rate_limited",
      retryAfterMs: 10_000,
    });
  });

  it("polling leaves the reserve untouched while live reads go on", async () => {
    const stub = await openShop();
    stub.orders.set(33, { id: 33, updatedAt: start - 60_000 });
    stub.points.maximum = 1000;
    stub.points.available = 310;
    const connection = await connect(reading(stub, { costReserve: 900 }));
    await connection.enrich!(failureOf(33), never);
    await expect(pagesOf(connection)).rejects.toMatchObject({
      code: "target_rate_limited",
      retryAfterMs: 6000,
    });
    stub.orders.set(34, { id: 34, updatedAt: start });
    await expect(connection.enrich!(failureOf(34), never)).resolves.toBeDefined();
    expect(stub.asked).toEqual(["OrderOfEvent", "OrderOfEvent"]);
  });

  it("a page that is too dear is asked for in smaller pieces", async () => {
    const stub = await openShop();
    for (let id = 1; id <= 5; id += 1) stub.orders.set(id, { id, updatedAt: start - 60_000 });
    stub.points.cost = ({ first }) => Number(first ?? 1) * 900;
    stub.points.maximum = 2000;
    stub.points.available = 100_000;
    const events = (await pagesOf(await connect(reading(stub, { costReserve: 0 })))).flatMap(
      (page) => page.events,
    );
    expect(events).toHaveLength(5);
  });
});

async function pagesOf(connection: Connection): Promise<Page[]> {
  const pages: Page[] = [];
  const cursor = { time: "2026-11-01T00:00:00Z", seen: [] };
  for await (const page of connection.sources!["orders"]!.read({ cursor, signal: never })) pages.push(page);
  return pages;
}

describe("polling", () => {
  it("tells of everything that hooks would have told, under the same identities", async () => {
    const stub = await openShop();
    const reports = [
      { id: 11, status: "FAILURE", message: "Lost", at: start - 90_000 },
      { id: 12, status: "IN_TRANSIT", at: start - 95_000 },
    ];
    stub.orders.set(33, {
      id: 33,
      createdAt: start - 3_600_000,
      updatedAt: start - 60_000,
      cancelledAt: start - 61_000,
      cancelReason: "INVENTORY",
      fulfillments: [{ id: 22, status: "ERROR", updatedAt: start - 80_000, tracking: "1Z", reports }],
      holds: [{ id: 9, reason: "INCORRECT_ADDRESS", note: "No such street" }],
      refunds: [{ id: 44, amount: "12.50", at: start - 70_000 }],
    });
    const connection = await connect(reading(stub));
    const events = (await pagesOf(connection)).flatMap((page) => page.events);
    expectValidEvents(events);
    expect(events.map((event) => [event.id, event.type])).toEqual([
      ["order/33/created", "order.created"],
      ["fulfillment_event/11", "fulfillment.failed"],
      ["fulfillment/22/error", "fulfillment.failed"],
      ["refund/44", "refund.created"],
      ["order/33/cancelled", "order.cancelled"],
      ["order/33/updated/2026-11-22T09:59:00.000Z", "order.updated"],
      ["hold/9", "order.held"],
    ]);
    expect(events[1]?.data).toMatchObject({
      fulfillment: { message: "Lost", trackingNumber: "1Z" },
      customer: { id: "77" },
    });
    const hooked = connection.webhook!.parse(
      shopifyRequest({
        topic: "fulfillment_events/create",
        body: fulfillmentEventBody({ id: 11, fulfillment: 22, order: 33, status: "failure", at: start }),
        secret: "hush",
        at: start,
      }),
    );
    expect(hooked[0]?.id).toBe(events[1]?.id);
  });

  it("does not tell again what happened long before the order's last change", async () => {
    const stub = await openShop();
    const old = start - 30 * 24 * 3_600_000;
    const reports = [{ id: 11, status: "FAILURE", at: old }];
    stub.orders.set(33, {
      id: 33,
      createdAt: old,
      updatedAt: start - 60_000,
      fulfillments: [{ id: 22, status: "SUCCESS", updatedAt: old, reports }],
    });
    const events = (await pagesOf(await connect(reading(stub)))).flatMap((page) => page.events);
    expect(events.map((event) => event.type)).toEqual(["order.updated"]);
  });
});

describe("access tokens of the client-credentials grant", () => {
  it("are fetched once, used again, and renewed when they end", async () => {
    const clock = { now: start };
    const stub = await openShop();
    stub.orders.set(33, { id: 33, updatedAt: start });
    const { enrich } = await connect({ apiUrl: stub.url, clientId: "client" }, clock);
    await Promise.all([33, 33, 33].map((order) => enrich!(failureOf(order), never)));
    clock.now += 40_000;
    await enrich!(failureOf(33), never);
    expect(stub.asked).toEqual(["token", "OrderOfEvent", "OrderOfEvent"]);
    clock.now += 86_400_000;
    await enrich!(failureOf(33), never);
    expect(stub.asked.slice(3)).toEqual(["token", "OrderOfEvent"]);
  });

  it("are replaced at once when the shop refuses them", async () => {
    const clock = { now: start };
    const stub = await openShop();
    stub.orders.set(33, { id: 33, updatedAt: start });
    const { enrich } = await connect({ apiUrl: stub.url, clientId: "client" }, clock);
    await enrich!(failureOf(33), never);
    stub.tokens.clear();
    clock.now += 40_000;
    await expect(enrich!(failureOf(33), never)).resolves.toMatchObject({ data: { order: { name: "#33" } } });
    expect(stub.asked.filter((one) => one === "token")).toHaveLength(2);
  });

  it("that cannot be had are the vendor's refusal", async () => {
    const stub = await openShop();
    const { enrich } = await connect({ apiUrl: stub.url, clientId: "client", clientSecret: "other" });
    await expect(enrich!(failureOf(33), never)).rejects.toMatchObject({ code: "target_rejected" });
  });
});

describe("answers of the API, by nock", () => {
  const shop = "https://acme.myshopify.com";
  const path = "/admin/api/2026-07/graphql.json";
  const failing = (code: string): object => ({
    data: null,
    errors: [{ message: "no", extensions: { code } }],
  });

  it.each([
    [200, failing("THROTTLED"), "target_rate_limited"],
    [200, failing("ACCESS_DENIED"), "target_unauthorized"],
    [200, failing("INTERNAL_SERVER_ERROR"), "target_unavailable"],
    [200, failing("undefinedField"), "target_rejected"],
    [200, {}, "target_protocol"],
    [200, "<html>login</html>", "target_protocol"],
    [401, { errors: "[API] Invalid API key" }, "target_unauthorized"],
    [402, { errors: "Frozen" }, "target_rejected"],
    [403, { errors: "Forbidden" }, "target_unauthorized"],
    [404, { errors: "Not Found" }, "target_not_found"],
    [429, { errors: "Slow down" }, "target_rate_limited"],
    [503, "<html></html>", "target_unavailable"],
  ])("%i with %j is %s, in enrichment and in polling alike", async (status, body, code) => {
    nock.disableNetConnect();
    nock(shop)
      .post(path)
      .times(2)
      .matchHeader("x-shopify-access-token", "shpat_good")
      .reply(status, body as nock.Body);
    const connection = await connect({ accessToken: "shpat_good" });
    await expect(connection.enrich!(failureOf(33), never)).rejects.toMatchObject({ code });
    await expect(pagesOf(connection)).rejects.toMatchObject({ code });
    expect(nock.isDone()).toBe(true);
  });

  it("no answer is target_unavailable, and the token is in no error", async () => {
    nock.disableNetConnect();
    nock(shop)
      .post(path)
      .replyWithError(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }));
    const { enrich } = await connect({ accessToken: "shpat_good" });
    const fault: unknown = await enrich!(failureOf(33), never).then(undefined, (error: unknown) => error);
    expect(fault).toMatchObject({ code: "target_unavailable" });
    expect(JSON.stringify(fault) + String(fault)).not.toContain("shpat_good");
  });
});

describe("check", () => {
  it("is content with a token that may read, a supported version and hooks", async () => {
    const stub = await openShop();
    const results = await (await connect(reading(stub))).check!(never);
    expect(results.map((one) => [one.name, one.ok])).toEqual([
      ["credential", true],
      ["API version", true],
      ["scopes", true],
      ["webhooks", true],
    ]);
  });

  it("says what is missing and what to do about it", async () => {
    const stub = await openShop();
    stub.scopes.splice(0);
    stub.subscriptions.splice(0);
    const results = await (
      await connect(reading(stub, { shop: "other.myshopify.com", apiVersion: "2026-07" }))
    ).check!(never);
    expect(results.map((one) => one.ok)).toEqual([false, true, false, false]);
    expect(results.map((one) => one.detail).join("\n")).toMatch(
      /belongs to acme[^]*add read_orders, read_customers[^]*no subscription/,
    );
    const wrong = await (await connect(reading(stub, { accessToken: "nope" }))).check!(never);
    expect(wrong).toMatchObject([{ name: "credential", ok: false }]);
  });
});
