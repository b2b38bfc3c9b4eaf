import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Queue } from "../../src/queue/queue.ts";
import { openBullmqQueue } from "../../src/queue/bullmq.ts";
import { delivery, webhookBody } from "../../src/desk/schema-webhook.ts";
import type { WebhookSending } from "../../src/desk/webhooks.ts";
import { captureLog } from "../support/captured-log.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { WebhookReceiver } from "../support/webhook-receiver.ts";
import { openWebhookReceiver } from "../support/webhook-receiver.ts";

let stand: DeskStand;
let queue: Queue;
let sending: WebhookSending;
let receiver: WebhookReceiver;
const log = captureLog();

beforeAll(async () => {
  stand = await openDeskStand({ logger: log.logger, webhookAllowHosts: ["127.0.0.1"] });
  queue = await openBullmqQueue({ postgresUrl: stand.databaseUrl, logger: log.logger });
  sending = await stand.desk.sendWebhooks({ queue, random: () => 0.5 });
});
beforeEach(async () => {
  receiver = await openWebhookReceiver();
});
afterEach(() => receiver.close());
afterAll(async () => {
  await sending.close(1000);
  await queue.close();
  await stand.close();
});

type Json = Record<string, unknown>;

async function ask(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: object): Promise<Json> {
  const answer = await stand.send({ method, path, body });
  expect([path, answer.status < 300, answer.text]).toEqual([path, true, answer.text]);
  return answer.json as Json;
}

async function subscribe(
  events: string[],
  more: object = {},
): Promise<Json & { id: string; secret: string }> {
  const made = await ask("POST", "/v1/webhooks", { url: `${receiver.url}/hook`, events, ...more });
  return made as Json & { id: string; secret: string };
}

async function newTicket(subject = "Late"): Promise<string> {
  const requester = { email: "ada@example.com", name: "Ada" };
  const made = await ask("POST", "/v1/tickets", { subject, requester, message: { text: "Where is it?" } });
  return made.id as string;
}

describe("webhooks", () => {
  it("send what happens, signed, with the id and place of the feed and the object as it is", async () => {
    const hook = await subscribe(["ticket.*", "message.created"]);
    const { next_cursor: start } = await ask("GET", "/v1/changes?after=now");
    const ticket = await newTicket();
    await receiver.got(2);
    const feed = (await ask("GET", `/v1/changes?after=${String(start)}&types=ticket.*,message.*`))
      .data as Json[];
    for (const [index, request] of receiver.received.entries()) {
      new Webhook(hook.secret).verify(request.text, request.headers as Record<string, string>);
      const { timestamp, object, ...change } = webhookBody.parse(request.body);
      expect(change).toEqual(feed[index]);
      expect(timestamp).toBe(change.time);
      expect(request.id).toBe(change.id);
      expect(request.headers["content-type"]).toMatch(/^application\/json/);
      expect(object).toEqual(
        change.type === "ticket.created"
          ? await ask("GET", `/v1/tickets/${ticket}`)
          : ((await ask("GET", `/v1/tickets/${ticket}/messages`)).data as Json[])[0],
      );
    }
  });

  it("are kept, changed and deleted; the secret is told once", async () => {
    const hook = await subscribe(["*"], { description: "CRM", order: "none" });
    expect(hook.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const { secret, ...shown } = hook;
    const path = `/v1/webhooks/${hook.id}`;
    expect(shown).toMatchObject({ status: "active", enabled: true, order: "none", failing_since: null });
    expect(await ask("GET", path)).toEqual(shown);
    expect(((await ask("GET", "/v1/webhooks?limit=1")).data as Json[])[0]).toEqual(shown);
    const changed = await ask("PATCH", path, { events: ["ticket.*"], enabled: false, description: null });
    expect(changed).toMatchObject({
      events: ["ticket.*"],
      status: "disabled",
      description: null,
      version: 2,
    });
    const stale = await stand.send({
      method: "PATCH",
      path,
      body: { enabled: true },
      headers: { "if-match": '"1"' },
    });
    expect(stale.status).toBe(412);
    expect(JSON.stringify([shown, changed, log.lines()])).not.toContain(secret.slice(6));
    await ask("DELETE", path);
    for (const gone of [path, `${path}/deliveries`]) {
      expect((await stand.send({ method: "GET", path: gone })).status).toBe(404);
    }
    expect((await stand.send({ method: "POST", path: `${path}/test` })).status).toBe(404);
  });

  it("answer the same secret to the same request with an idempotency key", async () => {
    const request = {
      method: "POST",
      path: "/v1/webhooks",
      body: { url: "https://hooks.example.com/", events: ["order.*"], enabled: false },
      headers: { "idempotency-key": "one-hook" },
    } as const;
    const first = await stand.send(request);
    const second = await stand.send(request);
    expect(second.text).toBe(first.text);
    expect(second.headers["idempotency-replayed"]).toBe("true");
  });

  it("are refused without their scope, into private networks, and for events that there are not", async () => {
    const { key } = await stand.desk.keys.create("reader", ["tickets:read"]);
    const headers = { authorization: `Bearer ${key}` };
    expect((await stand.send({ method: "GET", path: "/v1/webhooks", headers })).status).toBe(403);
    const good = { url: "https://hooks.example.com/", events: ["*"] };
    const wrong: [object, string][] = [
      [{ ...good, url: "https://10.0.0.1/" }, "url"],
      [{ ...good, url: "http://169.254.169.254/latest/meta-data" }, "url"],
      [{ ...good, url: "https://[::ffff:10.0.0.1]/" }, "url"],
      [{ ...good, url: "https://localhost/" }, "url"],
      [{ ...good, url: "http://hooks.example.com/" }, "url"],
      [{ ...good, url: "https://user:pass@hooks.example.com/" }, "url"],
      [{ ...good, url: "ftp://hooks.example.com/" }, "url"],
      [{ ...good, url: "hooks" }, "url"],
      [{ ...good, events: [] }, "events"],
      [{ ...good, events: ["tickets.created"] }, "events.0"],
      [{ ...good, order: "contact" }, "order"],
      [{ url: good.url }, "events"],
    ];
    for (const [body, path] of wrong) {
      const { status, json } = await stand.send({ method: "POST", path: "/v1/webhooks", body });
      expect([body, status, (json as { fields: { path: string }[] }).fields[0]?.path]).toEqual([
        body,
        400,
        path,
      ]);
    }
  });

  it("sign with two secrets for a time when the secret is renewed", async () => {
    const hook = await subscribe(["ticket.created"]);
    const renewed = await ask("POST", `/v1/webhooks/${hook.id}/rotate-secret`, { overlap_seconds: 60 });
    expect(renewed.secret).not.toBe(hook.secret);
    await newTicket();
    await receiver.got(1);
    const verify = (secret: unknown, { text, headers } = receiver.received.at(-1)!) =>
      new Webhook(String(secret)).verify(text, headers as Record<string, string>);
    expect(verify(hook.secret)).toEqual(verify(renewed.secret));
    const last = await ask("POST", `/v1/webhooks/${hook.id}/rotate-secret`, { overlap_seconds: 0 });
    await newTicket();
    await receiver.got(2);
    expect(() => verify(renewed.secret)).toThrow("No matching signature");
    expect(verify(last.secret)).toMatchObject({ type: "ticket.created" });
  });

  it("go to those who asked for them, also for contacts and orders", async () => {
    await subscribe(["contact.created"]);
    await ask("POST", "/v1/contacts", { email: "grace@example.com", name: "Grace" });
    await receiver.got(1);
    expect(receiver.received[0]?.body).toMatchObject({
      type: "contact.created",
      object: { email: "grace@example.com" },
    });
    await subscribe(["order.*"]);
    await stand.send({ method: "PUT", path: "/v1/orders/by-ref/shop/77", body: { name: "#77" } });
    await receiver.got(2);
    expect(receiver.received.map(({ body }) => body.type)).toEqual(["contact.created", "order.created"]);
  });

  it("keep a log of what was sent and answered, which can be looked through", async () => {
    const hook = await subscribe(["message.created"]);
    await newTicket();
    await receiver.got(1);
    const path = `/v1/webhooks/${hook.id}/deliveries`;
    const delivered = await settled(path, 1);
    const page = await ask("GET", `${path}?state=delivered`);
    const [entry] = page.data as { id: string; log: Json[] }[];
    expect(entry).toEqual(delivered[0]);
    expect(delivery.parse(entry)).toMatchObject({
      event_id: receiver.received[0]?.id,
      request_body: receiver.received[0]?.text,
      attempts: 1,
      log: [{ status: 204, error: null, answer: "" }],
    });
    expect(await ask("GET", `${path}/${entry?.id}`)).toEqual(entry);
    expect((await ask("GET", `${path}?state=failed`)).data).toEqual([]);
  });

  it("can be tested while they are switched off", async () => {
    const hook = await subscribe(["*"], { enabled: false });
    const test = await ask("POST", `/v1/webhooks/${hook.id}/test`);
    await receiver.got(1);
    new Webhook(hook.secret).verify(
      receiver.received[0]!.text,
      receiver.received[0]!.headers as Record<string, string>,
    );
    expect(webhookBody.parse(receiver.received[0]?.body)).toMatchObject({
      type: "webhook.test",
      id: test.event_id,
    });
  });

  it("are sent again on request, one or all of a range of time", async () => {
    const hook = await subscribe(["ticket.created"]);
    const from = new Date().toISOString();
    await newTicket("One");
    await newTicket("Two");
    await receiver.got(2);
    const path = `/v1/webhooks/${hook.id}`;
    const [newest] = await settled(`${path}/deliveries`, 2);
    await ask("POST", `${path}/deliveries/${String(newest?.id)}/retry`);
    await receiver.got(3);
    expect(receiver.received[2]?.id).toBe(newest?.event_id);
    await settled(`${path}/deliveries`, 2);
    expect(await ask("POST", `${path}/replay`, { from })).toEqual({ webhook_id: hook.id, deliveries: 2 });
    await receiver.got(5);
    const ids = receiver.received.map(({ id }) => id);
    expect(ids.slice(3)).toEqual(ids.slice(0, 2));
    expect(
      await ask("POST", `${path}/replay`, { from, until: "2000-01-01T00:00:00Z" }).catch(() => 400),
    ).toBe(400);
  });

  it("forget what they sent about a contact that is erased", async () => {
    const hook = await subscribe(["*"]);
    const body = {
      subject: "Mine",
      requester: { email: "erase@example.com" },
      message: { text: "My secret" },
    };
    const ticket = (await ask("POST", "/v1/tickets", body)) as { id: string; requester: { id: string } };
    await receiver.got(3);
    const path = `/v1/webhooks/${hook.id}/deliveries`;
    expect(JSON.stringify(await settled(path, 3))).toContain("erase@example.com");
    await ask("DELETE", `/v1/contacts/${ticket.requester.id}`);
    const log = JSON.stringify(await settled(path, 4));
    expect(log).not.toMatch(/erase@example.com|My secret/);
    expect(log).toContain('"type":"contact.deleted"');
  });
});

/** The deliveries, newest first, when at least so many have been delivered. */
async function settled(path: string, count: number): Promise<Json[]> {
  return vi.waitFor(
    async () => {
      const deliveries = (await ask("GET", path)).data as Json[];
      expect(deliveries.filter(({ state }) => state === "delivered").length).toBeGreaterThanOrEqual(count);
      expect(deliveries.filter(({ state }) => state !== "delivered")).toEqual([]);
      return deliveries;
    },
    { timeout: 15_000, interval: 20 },
  );
}
