import { describe, expect, it } from "vitest";
import connector from "../../connectors/_template/index.ts";
import { scheme } from "../../connectors/_template/webhook.ts";
import { hmacSignature } from "../../src/sdk/index.ts";
import type { Connection } from "../../src/sdk/index.ts";
import { createTestContext, testSource, testWebhook } from "../../src/sdk/testing/index.ts";
import { openTemplateStub } from "../support/template-stub.ts";

const shipment = {
  id: "s1",
  orderId: "1001",
  state: "failed",
  reason: "Address unknown",
  updatedAt: "2026-11-22T09:58:00Z",
};

async function open(settings: object, now?: () => number): Promise<Connection> {
  const config = connector.config.parse({
    baseUrl: "http://127.0.0.1:9",
    apiKey: "key",
    webhookSecret: "secret",
    ...settings,
  });
  return connector.open(config, createTestContext(now === undefined ? {} : { now }));
}

testWebhook({
  name: "the template",
  open: async (webhookSecret) => (await open({ webhookSecret })).webhook!,
  secrets: ["current", "previous", "wrong"],
  requiredHeaders: ["x-example-signature", "x-example-timestamp"],
  toleranceSeconds: 300,
  samples: [
    { name: "a failed shipment", body: Buffer.from(JSON.stringify(shipment)), events: 1 },
    {
      name: "a delivered shipment",
      body: Buffer.from(JSON.stringify({ ...shipment, state: "delivered" })),
      events: 0,
    },
  ],
  sign: ({ body, secret, at }) => {
    const headers = { "x-example-timestamp": String(Math.floor(at / 1000)) };
    const signature = hmacSignature(scheme, secret, { body, headers });
    return {
      method: "POST",
      path: "",
      query: {},
      headers: { ...headers, "x-example-signature": signature },
      body,
      receivedAt: at,
    };
  },
});

testSource({
  name: "shipments of the template",
  open: async () => {
    let now = 0;
    const stub = await openTemplateStub("key");
    const connection = await open({ baseUrl: stub.url }, () => now);
    return {
      source: connection.sources!["shipments"]!,
      setNow: (at) => {
        now = at;
      },
      change: (at) => {
        stub.shipments.push({
          ...shipment,
          id: `s${stub.shipments.length}`,
          updatedAt: new Date(at).toISOString(),
        });
      },
      close: stub.close,
    };
  },
});

describe("check of the template", () => {
  it("tells a good key from a wrong one", async () => {
    const stub = await openTemplateStub("key");
    const { signal } = new AbortController();
    const outcomes = await Promise.all(
      ["key", "other"].map(async (apiKey) => (await open({ baseUrl: stub.url, apiKey })).check!(signal)),
    );
    expect(outcomes.flat()).toMatchObject([{ ok: true }, { ok: false }]);
    expect(outcomes[1]?.[0]?.detail).toContain("check apiKey");
    await stub.close();
  });
});
