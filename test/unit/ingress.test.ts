import { request } from "node:http";
import type { FastifyInstance } from "fastify";
import { afterEach, describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import { createHttpServer } from "../../src/http/server.ts";
import { createIngress } from "../../src/ingress/ingress.ts";
import type { Appended } from "../../src/ledger/ledger.ts";
import type { EventInput } from "../../src/model/event.ts";
import type { Webhook, WebhookRequest } from "../../src/sdk/webhook.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { noCrashPoint } from "../../src/telemetry/crash-point.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { signatureHeaders, signedWebhook } from "../support/signed-webhook.ts";

const secret = "a-secret-of-the-shop";
const arrival = Date.parse("2026-11-22T10:00:00Z");

function order(id: string, subject = `order/${id}`): EventInput {
  return {
    id,
    type: "order.created",
    subject,
    time: "2026-11-22T09:59:59Z",
    data: { order: { id, tags: [], items: [], email: "jo@example.com" } },
  };
}

interface SetupOptions {
  readonly accept?: (connection: string, event: EventInput, receivedAt: number) => Promise<Appended>;
  readonly webhook?: Webhook;
}

let server: FastifyInstance | undefined;
afterEach(async () => server?.close());

function setup({ accept, webhook }: SetupOptions = {}) {
  const stored: EventInput[] = [];
  const parsed: WebhookRequest[] = [];
  const lines: string[] = [];
  const clock = { now: arrival };
  const metrics = createMetrics();
  const logger = createLogger({ level: "debug", destination: { write: (line) => void lines.push(line) } });
  const http = createHttpServer({ logger, maxBodyBytes: 1_000_000 });
  server = http;
  const hook = webhook ?? signedWebhook(secret, (request) => void parsed.push(request));
  const store = async (_connection: string, event: EventInput): Promise<Appended> => {
    const duplicate = stored.some((one) => one.id === event.id);
    if (!duplicate) stored.push(event);
    return { sequence: stored.length, duplicate };
  };
  const ingress = createIngress({
    webhookOf: (name) => (name === "shop" ? hook : undefined),
    intake: { accept: accept ?? store },
    metrics,
    logger,
    now: () => clock.now,
    maxBodyBytes: 10_000,
    crashPoint: noCrashPoint,
  });
  void http.register(ingress);
  const post = (
    body: string | Buffer,
    headers = signatureHeaders(secret, body, arrival),
    url = "/hooks/shop",
  ) => http.inject({ method: "POST", url, headers, payload: body });
  return { http, post, stored, store, parsed, lines, clock, metrics };
}

describe("a webhook that is in order", () => {
  it("is answered 202 with the number of its events", async () => {
    const { post, stored } = setup();
    const answer = await post(JSON.stringify([order("1"), order("2")]));
    expect(answer.statusCode).toBe(202);
    expect(answer.json()).toEqual({ accepted: 2, duplicates: 0 });
    expect(stored.map((event) => event.id)).toEqual(["1", "2"]);
  });

  it("is answered only after its events are durable", async () => {
    const durable = Promise.withResolvers<Appended>();
    const asked = Promise.withResolvers<void>();
    const { post } = setup({
      accept: async () => {
        asked.resolve();
        return durable.promise;
      },
    });
    let answered = false;
    const answer = post(JSON.stringify([order("1")])).then((response) => {
      answered = true;
      return response;
    });
    await asked.promise;
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    durable.resolve({ sequence: 1, duplicate: false });
    expect((await answer).statusCode).toBe(202);
  });

  it("is answered 200 when all of it was there already, 202 when part of it was", async () => {
    const { post } = setup();
    await post(JSON.stringify([order("1")]));
    const again = await post(JSON.stringify([order("1")]));
    const partly = await post(JSON.stringify([order("1"), order("2")]));
    expect([again.statusCode, again.json()]).toEqual([200, { accepted: 0, duplicates: 1 }]);
    expect([partly.statusCode, partly.json()]).toEqual([202, { accepted: 1, duplicates: 1 }]);
  });

  it("that stands for no event is taken and counted as ignored", async () => {
    const { post, metrics, stored } = setup();
    const answer = await post('{"ping":true}');
    expect([answer.statusCode, answer.json()]).toEqual([202, { accepted: 0, duplicates: 0 }]);
    expect(stored).toEqual([]);
    expect(await metrics.render()).toContain(
      'deskbridge_events_total{connection="shop",type="none",outcome="ignored"} 1',
    );
  });

  it("stores events of one subject in their order, one after the other", async () => {
    let underWay = 0;
    let atOnce = 0;
    const order1: string[] = [];
    const { post } = setup({
      accept: async (_connection, event) => {
        if (event.subject === "order/1") {
          underWay += 1;
          atOnce = Math.max(atOnce, underWay);
          await new Promise((resolve) => setImmediate(resolve));
          underWay -= 1;
          order1.push(event.id);
        }
        return { sequence: 1, duplicate: false };
      },
    });
    const events = [
      order("a", "order/1"),
      order("b", "order/2"),
      order("c", "order/1"),
      order("d", "order/1"),
    ];
    expect((await post(JSON.stringify(events))).json()).toEqual({ accepted: 4, duplicates: 0 });
    expect(order1).toEqual(["a", "c", "d"]);
    expect(atOnce).toBe(1);
  });
});

describe("the request that a connector sees", () => {
  it("has the bytes as they came, whatever type they are said to be of", async () => {
    const { post, parsed } = setup();
    const body = Buffer.from(' {"a" :\t1}\r\n');
    for (const type of [
      "application/json",
      "text/plain; charset=x",
      "application/x-www-form-urlencoded",
      "no type;;",
      "",
    ]) {
      const answer = await post(body, { ...signatureHeaders(secret, body, arrival), "content-type": type });
      expect(answer.statusCode).toBe(202);
    }
    expect(parsed.map((request) => request.body.equals(body))).toEqual([true, true, true, true, true]);
    expect(parsed[0]?.headers["content-type"]).toBe("application/json");
  });

  it("has the path behind the connection, the query and the time of arrival", async () => {
    const { post, parsed } = setup();
    const body = "{}";
    const headers = signatureHeaders(secret, body, arrival);
    await post(body, headers, "/hooks/shop");
    await post(body, headers, "/hooks/shop/a/b%20c?x=1&x=2&y=z");
    expect(
      parsed.map(({ path, query, receivedAt, method }) => ({ path, query, receivedAt, method })),
    ).toEqual([
      { path: "", query: {}, receivedAt: arrival, method: "POST" },
      { path: "a/b c", query: { x: "1", y: "z" }, receivedAt: arrival, method: "POST" },
    ]);
  });

  it("has an empty body where none was sent", async () => {
    const seen: WebhookRequest[] = [];
    const { http } = setup({ webhook: { verify: (request) => void seen.push(request), parse: () => [] } });
    expect((await http.inject({ method: "POST", url: "/hooks/shop" })).statusCode).toBe(202);
    expect(seen[0]?.body).toHaveLength(0);
  });
});

describe("a webhook that is refused", () => {
  const malformed = [
    ["is not JSON", "<html></html>"],
    ["is empty", ""],
    ["is 200 levels deep", "[".repeat(200) + "]".repeat(200)],
    ["has __proto__ keys", '[{"__proto__":{"admin":true}}]'],
    ["is not UTF-8", Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d])],
  ] as const;
  it.each(malformed)("gets 400 when its body %s", async (_name, body) => {
    const { post, stored } = setup();
    const answer = await post(body);
    expect(answer.statusCode).toBe(400);
    expect(answer.headers["content-type"]).toContain("application/problem+json");
    expect(answer.json()).toMatchObject({ code: "webhook_malformed", retryable: false });
    expect(stored).toEqual([]);
  });

  it("gets 400 with the paths when an event is not canonical, and none of its events is stored", async () => {
    const { post, stored } = setup();
    const wrong = { ...order("2"), data: { order: { id: 2, tags: [], items: [], colour: "red" } } };
    const answer = await post(JSON.stringify([order("1"), wrong]));
    expect(answer.statusCode).toBe(400);
    expect(answer.body).toContain("data.order.id");
    expect(answer.body).toContain("colour");
    expect(stored).toEqual([]);
  });

  it("gets 401 for a wrong signature of the right length, and its body is never parsed", async () => {
    const { post, parsed } = setup();
    const body = "not even JSON";
    const headers = signatureHeaders("another-secret", body, arrival);
    const answer = await post(body, headers);
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([401, "webhook_signature"]);
    expect(parsed).toEqual([]);
  });

  it.each([
    ["without a signature", {}, "webhook_signature"],
    ["that was sent long ago", signatureHeaders(secret, "{}", arrival - 600_000), "webhook_stale"],
  ])("gets 401 %s", async (_name, headers, code) => {
    const { post } = setup();
    const answer = await post("{}", headers);
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([401, code]);
  });

  it("does not change its signature by sending the header twice", async () => {
    const { http } = setup();
    const { port } = new URL(await http.listen({ host: "127.0.0.1", port: 0 }));
    const good = signatureHeaders(secret, "{}", arrival);
    const send = (signatures: readonly string[]) =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = { ...good, "x-signature": [...signatures] };
        const call = request({ port, method: "POST", path: "/hooks/shop", headers }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        call.on("error", reject);
        call.end("{}");
      });
    expect(await send([good["x-signature"] ?? "", "00"])).toBe(202);
    expect(await send(["00", good["x-signature"] ?? ""])).toBe(401);
  });

  it("gets 404 for a connection that is unknown or takes no webhooks, before its body is read", async () => {
    const { post } = setup();
    const answer = await post("x".repeat(50_000), {}, "/hooks/nobody/at/home");
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([404, "connection_unknown"]);
  });

  it("gets 413 when its body is too large", async () => {
    const { post } = setup();
    const answer = await post("x".repeat(10_001));
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([413, "body_too_large"]);
  });

  it.each(["GET", "HEAD", "PUT", "DELETE"] as const)("gets 405 when it comes by %s", async (method) => {
    const { http, metrics, lines } = setup();
    const answer = await http.inject({ method, url: "/hooks/shop" });
    expect([answer.statusCode, answer.headers["allow"]]).toEqual([405, "POST, OPTIONS"]);
    // Somebody who looks at the address with a browser is not an event that was lost.
    expect(await metrics.render()).not.toContain('outcome="rejected"');
    expect(lines).toEqual([]);
  });

  it("gets 500 when the connector fails on it, and the next one is served", async () => {
    let calls = 0;
    const webhook: Webhook = {
      verify: () => {},
      parse: () => {
        calls += 1;
        if (calls === 1) throw new TypeError("cannot read jo@example.com of undefined");
        return [];
      },
    };
    const { post, lines } = setup({ webhook });
    const answer = await post("{}");
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([500, "internal"]);
    expect(answer.body + lines.join("")).not.toContain("jo@example.com");
    expect((await post("{}")).statusCode).toBe(202);
  });
});

describe("with the ledger in trouble", () => {
  it.each(["ledger_unavailable", "ledger_busy"] as const)(
    "a webhook gets 503 and Retry-After on %s",
    async (code) => {
      const { post } = setup({
        accept: async () => Promise.reject(new AppError(code, "no", { retryAfterMs: 2500 })),
      });
      const answer = await post(JSON.stringify([order("1")]));
      expect([
        answer.statusCode,
        answer.headers["retry-after"],
        answer.json<{ code: string }>().code,
      ]).toEqual([503, "3", code]);
    },
  );

  it("a webhook stored in part gets 503, and its repeat completes it", async () => {
    let down = true;
    const stored = new Set<string>();
    const { post } = setup({
      accept: async (_connection, event) => {
        if (event.id === "2" && down) throw new AppError("ledger_unavailable", "no");
        const duplicate = stored.has(event.id);
        stored.add(event.id);
        return { sequence: 1, duplicate };
      },
    });
    const body = JSON.stringify([order("1"), order("2"), order("3")]);
    expect((await post(body)).statusCode).toBe(503);
    down = false;
    const repeat = await post(body);
    expect([repeat.statusCode, repeat.json()]).toEqual([202, { accepted: 1, duplicates: 2 }]);
  });

  it("the log says so once, not once a request", async () => {
    const { post, lines, clock } = setup({
      accept: async () => Promise.reject(new AppError("ledger_unavailable", "no")),
    });
    const body = JSON.stringify([order("1")]);
    for (let count = 0; count < 5; count += 1) await post(body);
    expect(lines).toHaveLength(1);
    clock.now += 10_000;
    await post(body);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: "warn", connection: "shop", code: "ledger_unavailable", keptBack: 0 },
      { level: "warn", connection: "shop", code: "ledger_unavailable", keptBack: 4 },
    ]);
  });
});

describe("what is kept of a webhook outside the ledger", () => {
  it("is its answer in the metrics, under configured names only", async () => {
    const { post, metrics } = setup();
    await post(JSON.stringify([order("1")]));
    await post("{}", {});
    await post("{}", {}, "/hooks/made-up-name");
    const text = await metrics.render();
    expect(text).toContain('deskbridge_hook_ack_seconds_count{connection="shop",status="202"} 1');
    expect(text).toContain('deskbridge_hook_ack_seconds_count{connection="shop",status="401"} 1');
    expect(text).toContain('deskbridge_hook_ack_seconds_count{connection="unknown",status="404"} 1');
    expect(text).toContain('deskbridge_events_total{connection="shop",type="none",outcome="rejected"} 1');
    expect(text).not.toContain("made-up-name");
  });

  it("is no personal data in the log, whatever became of it", async () => {
    const { post, lines } = setup();
    const wrong = { ...order("2"), data: { order: { id: 2, email: "jo@example.com" } } };
    await post(JSON.stringify([order("1")]));
    await post(JSON.stringify([wrong]), {});
    await post(JSON.stringify([wrong]));
    await post(`{"email":"jo@example.com"`);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join("")).not.toContain("jo@example.com");
  });
});
