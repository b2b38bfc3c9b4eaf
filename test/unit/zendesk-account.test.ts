import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readRate } from "../../connectors/zendesk/api.ts";
import type { CheckResult } from "../../src/sdk/index.ts";
import { openZendeskBench } from "../support/zendesk-bench.ts";
import type { ZendeskBench } from "../support/zendesk-bench.ts";

const full = {
  customFields: { shipment: 360001 },
  orders: { object: "order", field: 360002 },
  webhookSecret: "hush",
  plan: "enterprise",
};
let bench: ZendeskBench;

beforeEach(async () => {
  bench = await openZendeskBench(full);
});

afterEach(() => bench.close());

async function check(settings: object = {}): Promise<Readonly<Record<string, CheckResult>>> {
  const connection = await bench.connect(settings);
  const results = await connection.check!(new AbortController().signal);
  return Object.fromEntries(results.map((one) => [one.name, one]));
}

describe("doctor on zendesk", () => {
  it("finds an account that is all right", async () => {
    bench.stub.webhooks.push({ endpoint: "https://d.example/hooks/desk", status: "active" });
    const results = await check();
    expect(Object.values(results).filter(({ ok }) => !ok)).toEqual([]);
    expect(Object.keys(results)).toEqual([
      "credential",
      "rate limit",
      "export",
      "audits",
      "ticket fields",
      "orders",
      "webhook",
    ]);
    expect(results["rate limit"]?.detail).toContain("700");
  });

  it("says what is missing and what to do about it", async () => {
    const { stub } = bench;
    stub.role = "agent";
    stub.answerNext("GET", /ticket_audits/, { status: 403, body: { error: "Forbidden" } });
    const results = await check({
      plan: "high-volume",
      customFields: { shipment: 1 },
      orders: { object: "nothing", field: 2 },
    });
    expect(results["rate limit"]).toMatchObject({
      ok: false,
      detail: expect.stringContaining("plan") as string,
    });
    expect(results["export"]).toMatchObject({
      ok: false,
      detail: expect.stringContaining("admin") as string,
    });
    expect(results["audits"]).toMatchObject({
      ok: false,
      detail: expect.stringContaining("scope read") as string,
    });
    expect(results["ticket fields"]?.detail).toContain("shipment (1), orders.field (2)");
    expect(results["orders"]?.ok).toBe(false);
    expect(results["webhook"]?.ok).toBe(false);
  });

  it("tells a credential that is refused", async () => {
    bench.stub.credentials.clear();
    expect(await check()).toMatchObject({
      credential: { ok: false, detail: expect.stringContaining("401") as string },
    });
    bench.stub.credentials.add("Bearer good");
    bench.stub.answerNext("GET", /users\/me/, {
      status: 200,
      body: { user: { id: null, role: "end-user" } },
    });
    expect(await check()).toMatchObject({ credential: { ok: false } });
  });
});

describe("the limits that zendesk tells of", () => {
  it("are those of the account", () => {
    const headers = { "x-rate-limit": "700", "x-rate-limit-remaining": "12", "ratelimit-reset": "41" };
    expect(readRate({ status: 200, headers })).toEqual({ limit: 700, remaining: 12, resetMs: 41_000 });
    expect(readRate({ status: 200, headers: {} })).toBeUndefined();
    expect(readRate({ status: 200, headers: { "x-rate-limit": "many" } })).toBeUndefined();
  });

  it("do not close the account when one ticket or the export has had enough", () => {
    const headers = { "x-rate-limit": "700", "x-rate-limit-remaining": "12" };
    expect(readRate({ status: 429, headers })).toMatchObject({ retryAfterMs: 0 });
    const used = { ...headers, "x-rate-limit-remaining": "0" };
    expect(readRate({ status: 429, headers: used })).toEqual({ limit: 700, remaining: 0 });
  });

  it("are declared by plan", async () => {
    expect((await bench.connect()).rateLimit).toEqual({ calls: 700, perSeconds: 60 });
    expect((await bench.connect({ plan: undefined })).rateLimit).toEqual({ calls: 200, perSeconds: 60 });
  });
});
