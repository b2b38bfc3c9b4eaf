import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { delivery, webhookBody } from "../../src/desk/schema-webhook.ts";
import type { WebhookReceiver } from "../support/webhook-receiver.ts";
import { openWebhookReceiver } from "../support/webhook-receiver.ts";
import type { Json, WebhookStand } from "../support/webhook-stand.ts";
import { openWebhookStand } from "../support/webhook-stand.ts";

let own: WebhookStand;
let receiver: WebhookReceiver;

beforeAll(async () => {
  own = await openWebhookStand();
});
beforeEach(async () => {
  receiver = await openWebhookReceiver();
});
afterEach(() => receiver.close());
afterAll(() => own.close());

function subscribe(events: string[], more: object = {}): Promise<Json & { id: string; secret: string }> {
  return own.subscribe(`${receiver.url}/hook`, events, more);
}

describe("webhooks", () => {
  it("send what happens, signed, with the id and place of the feed and the object as it is", async () => {
    const hook = await subscribe(["ticket.*", "message.created"]);
    const { next_cursor: start } = await own.ask("GET", "/v1/changes?after=now");
    const ticket = await own.newTicket();
    await receiver.got(2);
    const feed = (await own.ask("GET", `/v1/changes?after=${String(start)}&types=ticket.*,message.*`))
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
          ? await own.ask("GET", `/v1/tickets/${ticket}`)
          : ((await own.ask("GET", `/v1/tickets/${ticket}/messages`)).data as Json[])[0],
      );
    }
  });

  it("are kept, changed and deleted; the secret is told once", async () => {
    const hook = await subscribe(["*"], { description: "CRM", order: "none" });
    expect(hook.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const { secret, ...shown } = hook;
    const path = `/v1/webhooks/${hook.id}`;
    expect(shown).toMatchObject({ status: "active", enabled: true, order: "none", failing_since: null });
    expect(await own.ask("GET", path)).toEqual(shown);
    expect(((await own.ask("GET", "/v1/webhooks?limit=1")).data as Json[])[0]).toEqual(shown);
    const changed = await own.ask("PATCH", path, { events: ["ticket.*"], enabled: false, description: null });
    expect(changed).toMatchObject({
      events: ["ticket.*"],
      status: "disabled",
      description: null,
      version: 2,
    });
    const stale = await own.stand.send({
      method: "PATCH",
      path,
      body: { enabled: true },
      headers: { "if-match": '"1"' },
    });
    expect(stale.status).toBe(412);
    expect(JSON.stringify([shown, changed, own.log.lines()])).not.toContain(secret.slice(6));
    await own.ask("DELETE", path);
    for (const gone of [path, `${path}/deliveries`]) {
      expect((await own.stand.send({ method: "GET", path: gone })).status).toBe(404);
    }
    expect((await own.stand.send({ method: "POST", path: `${path}/test` })).status).toBe(404);
  });

  it("answer the same secret to the same request with an idempotency key", async () => {
    const request = {
      method: "POST",
      path: "/v1/webhooks",
      body: { url: "https://hooks.example.com/", events: ["order.*"], enabled: false },
      headers: { "idempotency-key": "one-hook" },
    } as const;
    const first = await own.stand.send(request);
    const second = await own.stand.send(request);
    expect(second.text).toBe(first.text);
    expect(second.headers["idempotency-replayed"]).toBe("true");
  });

  it("are refused without their scope, into private networks, and for events that there are not", async () => {
    const { key } = await own.stand.desk.keys.create("reader", ["tickets:read"]);
    const headers = { authorization: `Bearer ${key}` };
    expect((await own.stand.send({ method: "GET", path: "/v1/webhooks", headers })).status).toBe(403);
    const good = { url: "https://hooks.example.com/", events: ["*"] };
    const wrong: [object, string][] = [
      [{ ...good, url: "https://10.0.0.1/" }, "url"],
      [{ ...good, url: "http://169.254.169.254/latest/meta-data" }, "url"],
      [{ ...good, url: "https://[::ffff:10.0.0.1]/" }, "url"],
      [{ ...good, url: "https://metadata.google.internal/" }, "url"],
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
      const { status, json } = await own.stand.send({ method: "POST", path: "/v1/webhooks", body });
      expect([body, status, (json as { fields: { path: string }[] }).fields[0]?.path]).toEqual([
        body,
        400,
        path,
      ]);
    }
  });

  it("sign with two secrets for a time when the secret is renewed", async () => {
    const hook = await subscribe(["ticket.created"]);
    const renewed = await own.ask("POST", `/v1/webhooks/${hook.id}/rotate-secret`, { overlap_seconds: 60 });
    expect(renewed.secret).not.toBe(hook.secret);
    await own.newTicket();
    await receiver.got(1);
    const verify = (secret: unknown, { text, headers } = receiver.received.at(-1)!) =>
      new Webhook(String(secret)).verify(text, headers as Record<string, string>);
    expect(verify(hook.secret)).toEqual(verify(renewed.secret));
    const last = await own.ask("POST", `/v1/webhooks/${hook.id}/rotate-secret`, { overlap_seconds: 0 });
    await own.newTicket();
    await receiver.got(2);
    expect(() => verify(renewed.secret)).toThrow("No matching signature");
    expect(verify(last.secret)).toMatchObject({ type: "ticket.created" });
  });

  it("go to those who asked for them, also for contacts and orders", async () => {
    await subscribe(["contact.created"]);
    await own.ask("POST", "/v1/contacts", { email: "grace@example.com", name: "Grace" });
    await receiver.got(1);
    expect(receiver.received[0]?.body).toMatchObject({
      type: "contact.created",
      object: { email: "grace@example.com" },
    });
    await subscribe(["order.*"]);
    await own.stand.send({ method: "PUT", path: "/v1/orders/by-ref/shop/77", body: { name: "#77" } });
    await receiver.got(2);
    expect(receiver.received.map(({ body }) => body.type)).toEqual(["contact.created", "order.created"]);
  });

  it("keep a log of what was sent and answered, which can be looked through", async () => {
    const hook = await subscribe(["message.created"]);
    await own.newTicket();
    await receiver.got(1);
    const path = `/v1/webhooks/${hook.id}/deliveries`;
    const delivered = await settled(hook.id, 1);
    const page = await own.ask("GET", `${path}?state=delivered`);
    const [entry] = page.data as { id: string; log: Json[] }[];
    expect(entry).toEqual(delivered[0]);
    expect(delivery.parse(entry)).toMatchObject({
      event_id: receiver.received[0]?.id,
      request_body: receiver.received[0]?.text,
      attempts: 1,
      log: [{ status: 204, error: null, answer: "" }],
    });
    expect(await own.ask("GET", `${path}/${entry?.id}`)).toEqual(entry);
    expect((await own.ask("GET", `${path}?state=failed`)).data).toEqual([]);
  });

  it("can be tested while they are switched off", async () => {
    const hook = await subscribe(["*"], { enabled: false });
    const test = await own.ask("POST", `/v1/webhooks/${hook.id}/test`);
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
    await own.newTicket("One");
    await own.newTicket("Two");
    await receiver.got(2);
    const path = `/v1/webhooks/${hook.id}`;
    const [newest] = await settled(hook.id, 2);
    await own.ask("POST", `${path}/deliveries/${String(newest?.id)}/retry`);
    await receiver.got(3);
    expect(receiver.received[2]?.id).toBe(newest?.event_id);
    await settled(hook.id, 2);
    expect(await own.ask("POST", `${path}/replay`, { from })).toEqual({ webhook_id: hook.id, deliveries: 2 });
    await receiver.got(5);
    const ids = receiver.received.map(({ id }) => id);
    expect(ids.slice(3)).toEqual(ids.slice(0, 2));
    expect(
      await own.ask("POST", `${path}/replay`, { from, until: "2000-01-01T00:00:00Z" }).catch(() => 400),
    ).toBe(400);
  });

  it("forget what they sent about a contact that is erased", async () => {
    const hook = await subscribe(["*"]);
    const body = {
      subject: "Mine",
      requester: { email: "erase@example.com" },
      message: { text: "My secret" },
    };
    const ticket = (await own.ask("POST", "/v1/tickets", body)) as { id: string; requester: { id: string } };
    await receiver.got(3);
    expect(JSON.stringify(await settled(hook.id, 3))).toContain("erase@example.com");
    await own.ask("DELETE", `/v1/contacts/${ticket.requester.id}`);
    const log = JSON.stringify(await settled(hook.id, 4));
    expect(log).not.toMatch(/erase@example.com|My secret/);
    expect(log).toContain('"type":"contact.deleted"');
  });
});

/** The deliveries, newest first, when at least so many have been delivered, and all of them. */
function settled(webhook: string, count: number): Promise<readonly Json[]> {
  return own.deliveries(webhook, (deliveries) => {
    expect(deliveries.length).toBeGreaterThanOrEqual(count);
    expect(deliveries.filter(({ state }) => state !== "delivered")).toEqual([]);
  });
}
