import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import connector from "../../connectors/webhook/index.ts";
import { AppError } from "../../src/errors.ts";
import type { EventInput, Webhook, WebhookRequest } from "../../src/sdk/index.ts";
import { createTestContext, expectValidEvents } from "../../src/sdk/testing/index.ts";

const receivedAt = Date.parse("2026-11-22T10:00:00Z");
const order = { id: "{{ item.order_id }}", tags: [], items: [] };
const parcel = {
  type: "fulfillment.failed",
  subject: "order/{{ item.order_id }}",
  data: { fulfillment: { id: "{{ item.id }}", status: "{{ lower(item.status) }}" }, order },
};

async function open(settings: object): Promise<Webhook> {
  const config = connector.config.parse({ verify: { scheme: "none" }, ...settings });
  return (await connector.open(config, createTestContext())).webhook!;
}

async function parse(
  settings: object,
  body: unknown,
  extra: Partial<WebhookRequest> = {},
): Promise<readonly EventInput[]> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const request = {
    method: "POST",
    path: "",
    query: {},
    headers: {},
    body: Buffer.from(text),
    receivedAt,
    ...extra,
  };
  const events = (await open(settings)).parse(request);
  expectValidEvents(events);
  return events;
}

async function faultOf(settings: object, body: unknown): Promise<AppError> {
  const fault: unknown = await parse(settings, body).then(undefined, (error: unknown) => error);
  if (fault instanceof AppError) return fault;
  throw new Error(`expected an AppError, got ${String(fault)}`);
}

function issuesOf(settings: object): string[] {
  const result = connector.config.safeParse({ verify: { scheme: "none" }, ...settings });
  return (result.error?.issues ?? []).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
}

const item = { id: 7, order_id: "12", status: "LOST" };

describe("a mapping", () => {
  it("makes one event for each entry whose condition is true", async () => {
    const delivered = { ...parcel, type: "fulfillment.delivered", when: "item.status == 'DONE'" };
    const events = [{ ...parcel, when: "item.status in ['LOST', 'BROKEN']" }, delivered];
    expect(await parse({ events }, item)).toMatchObject([
      {
        type: "fulfillment.failed",
        subject: "order/12",
        time: "2026-11-22T10:00:00Z",
        data: { fulfillment: { id: "7", status: "lost" }, order: { id: "12" } },
        raw: item,
      },
    ]);
    expect(await parse({ events }, { ...item, status: "MOVING" })).toEqual([]);
  });

  it("reads headers and the query as well as the body", async () => {
    const events = [
      { ...parcel, when: "headers['x-kind'] == 'parcel' && query.shop == 'eu'", id: "{{ headers['x-id'] }}" },
    ];
    const extra = { headers: { "x-kind": "parcel", "x-id": "e-1" }, query: { shop: "eu" } };
    expect(await parse({ events }, item, extra)).toMatchObject([{ id: "e-1" }]);
  });

  it("goes through a list, whose every item has an identity", async () => {
    const settings = { batch: "body.parcels", events: [parcel] };
    const events = await parse(settings, { parcels: [item, { ...item, id: 8 }] });
    expect(events.map((event) => event.data)).toMatchObject([
      { fulfillment: { id: "7" } },
      { fulfillment: { id: "8" } },
    ]);
    expect(await parse(settings, { parcels: [] })).toEqual([]);
  });

  it("without an id takes a digest of the body, the same for the same body", async () => {
    const body = JSON.stringify(item);
    const [event] = await parse({ events: [parcel] }, body);
    expect(event?.id).toBe(`sha256-${createHash("sha256").update(body).digest("hex")}`);
  });

  it("keeps two events of one item apart", async () => {
    const also = { type: "order.updated", subject: "order/{{ item.order_id }}", data: { order } };
    const named = { id: "{{ item.id }}" };
    const events = await parse(
      {
        events: [
          { ...parcel, ...named },
          { ...also, ...named },
          { ...also, ...named },
        ],
      },
      item,
    );
    expect(events.map((event) => event.id)).toEqual(["7", "7:order.updated", "7:order.updated:2"]);
  });

  it("writes times in UTC, amounts in minor units and ids as text", async () => {
    const paid = {
      type: "payment.failed",
      subject: "order/{{ item.order_id }}",
      time: "{{ item.at }}",
      data: {
        payment: {
          id: "{{ item.id }}",
          status: "failed",
          amount: { amount: "{{ item.total }}", currency: "KWD" },
          dueAt: "{{ item.due }}",
        },
      },
    };
    const body = { ...item, at: 1_763_805_600, due: "2026-12-01T10:00:00+02:00", total: "12.345" };
    expect(await parse({ events: [paid] }, body)).toMatchObject([
      {
        time: "2025-11-22T10:00:00Z",
        data: {
          payment: { id: "7", amount: { minor: 12_345, currency: "KWD" }, dueAt: "2026-12-01T08:00:00Z" },
        },
      },
    ]);
  });

  it("keeps ids beyond 2^53 exact", async () => {
    const body = '{"id":9007199254740993,"order_id":12,"status":"LOST"}';
    expect(await parse({ events: [parcel] }, body)).toMatchObject([
      { data: { fulfillment: { id: "9007199254740993" } } },
    ]);
  });
});

describe("a request that the mapping does not fit", () => {
  it.each([
    ["an absent field in a condition", { ...parcel, when: "item.state == 'x'" }, "events[0].when"],
    ["a condition that is no condition", { ...parcel, when: "item.status" }, "events[0].when"],
    ["an absent field in the subject", { ...parcel, subject: "order/{{ item.order }}" }, "events[0].subject"],
    ["a subject that is of no form", { ...parcel, subject: "{{ item.order_id }}" }, "events[0].subject"],
    ["an id that is no text", { ...parcel, id: "{{ item }}" }, "events[0].id"],
    ["a time that is none", { ...parcel, time: "{{ item.status }}" }, "events[0].time"],
    [
      "data of another form",
      {
        ...parcel,
        data: { ...parcel.data, fulfillment: { id: "{{ item.id }}", status: "{{ [item.status] }}" } },
      },
      "events[0].data.fulfillment.status",
    ],
    [
      "an amount that is none",
      {
        type: "refund.created",
        subject: "order/1",
        data: { refund: { id: "1", amount: { amount: "{{ item.status }}", currency: "USD" } } },
      },
      "events[0].data.refund.amount.minor",
    ],
  ])("%s is webhook_malformed and names its place", async (_what, entry, path) => {
    const fault = await faultOf({ events: [entry] }, item);
    expect(fault).toMatchObject({ code: "webhook_malformed", details: { path } });
    expect(fault.message).not.toContain("LOST");
  });

  it("a batch that is no list is webhook_malformed", async () => {
    const fault = await faultOf({ batch: "body.parcels", events: [parcel] }, { parcels: { a: 1 } });
    expect(fault).toMatchObject({ code: "webhook_malformed", details: { path: "batch" } });
  });
});

describe("the configuration", () => {
  it.each([
    [
      "a misspelt field of the data",
      { ...parcel, data: { ...parcel.data, fulfilment: {} } },
      /^events\.0\.data: .*"fulfilment"/,
    ],
    [
      "a needed field that is missing",
      { ...parcel, data: { order } },
      /^events\.0\.data: "fulfillment" is needed/,
    ],
    [
      "a field deep in the data",
      { ...parcel, data: { ...parcel.data, order: { ...order, nam: "x" } } },
      /^events\.0\.data\.order: .*"nam"/,
    ],
    ["an unknown event type", { ...parcel, type: "fulfillment.lost" }, /^events\.0\.type/],
    ["a broken expression", { ...parcel, when: "item.status ==" }, /^events\.0\.when/],
    ["a condition of another type", { ...parcel, when: "'yes'" }, /^events\.0\.when: .*expected bool/],
    ["an unknown variable in a hole", { ...parcel, id: "{{ itm.id }}" }, /^events\.0\.id/],
    ["an unknown key", { ...parcel, wen: "true" }, /^events\.0: .*wen/],
  ])("refuses %s", (_what, entry, message) => {
    expect(issuesOf({ events: [entry] }).join("\n")).toMatch(message);
  });

  it.each([
    ["no verification at all", undefined, /^verify/],
    ["an unknown scheme", { scheme: "jwt" }, /^verify\.scheme/],
    ["a signature without a secret", { scheme: "hmac", header: "x" }, /^verify\.secrets/],
    ["three secrets", { scheme: "path-token", secrets: ["a", "b", "c"] }, /^verify\.secrets/],
    ["an empty secret", { scheme: "path-token", secrets: "" }, /^verify\.secrets/],
    [
      "a scheme that does not sign the body",
      { scheme: "hmac", header: "x", secrets: "s", signedContent: "{timestamp}" },
      /^verify: .*\{body\}/,
    ],
    [
      "a tolerance without a time",
      { scheme: "hmac", header: "x", secrets: "s", toleranceSeconds: 5 },
      /^verify: .*timestampHeader/,
    ],
    ["a secret that is not base64", { scheme: "standard-webhooks", secrets: "hello" }, /^verify: .*whsec_/],
  ])("refuses %s", (_what, verify, message) => {
    expect(issuesOf({ verify, events: [parcel] }).join("\n")).toMatch(message);
  });

  it("has a JSON Schema for editors", () => {
    const schema = z.toJSONSchema(connector.config, { io: "input" });
    expect(schema).toMatchObject({
      type: "object",
      required: ["verify", "events"],
      additionalProperties: false,
    });
  });
});

describe("the official Standard Webhooks vector", () => {
  it("is accepted at its time where it is at hand, and refused a byte later", async () => {
    const file = join(import.meta.dirname, "../../../shared/payloads/standard-webhooks/vector.json");
    if (!existsSync(file)) console.log(`absent: ${file}`);
    const vectors = existsSync(file)
      ? [
          JSON.parse(readFileSync(file, "utf8")) as {
            id: string;
            payload: string;
            secret: string;
            signature: string;
            timestamp: number;
          },
        ]
      : [];
    for (const { id, payload, secret, signature, timestamp } of vectors) {
      const webhook = await open({
        verify: { scheme: "standard-webhooks", secrets: secret },
        events: [parcel],
      });
      const headers = {
        "webhook-id": id,
        "webhook-timestamp": String(timestamp),
        "webhook-signature": signature,
      };
      const request = {
        method: "POST",
        path: "",
        query: {},
        headers,
        body: Buffer.from(payload),
        receivedAt: timestamp * 1000,
      };
      expect(webhook.verify(request)).toBeUndefined();
      expect(() => webhook.verify({ ...request, body: Buffer.from(`${payload} `) })).toThrow(AppError);
    }
    expect(vectors.length).toBe(existsSync(file) ? 1 : 0);
  });
});
