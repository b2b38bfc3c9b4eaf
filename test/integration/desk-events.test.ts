import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import connector from "../../connectors/deskbridge/index.ts";
import type { Connection, Event, EventInput } from "../../src/sdk/index.ts";
import { createTestContext, keyedCall } from "../../src/sdk/testing/index.ts";
import type { DeskStand } from "../support/desk.ts";
import { openWebhookReceiver } from "../support/webhook-receiver.ts";
import type { WebhookStand } from "../support/webhook-stand.ts";
import { openWebhookStand } from "../support/webhook-stand.ts";

let hooks: WebhookStand;
let stand: DeskStand;
let url: string;
/** A key like that of an agent's tool. */
let agent: { readonly id: string; readonly key: string };
/** The key that the connection writes with. */
let worker: { readonly id: string; readonly key: string };

const scopes = ["tickets:read", "tickets:write", "contacts:read", "contacts:write", "orders:write"] as const;

beforeAll(async () => {
  hooks = await openWebhookStand();
  stand = hooks.stand;
  url = await stand.listen();
  agent = await stand.desk.keys.create("agent", [...scopes]);
  worker = await stand.desk.keys.create("worker", [...scopes]);
});

afterAll(() => hooks.close());

async function open(settings: object = {}): Promise<Connection> {
  const context = createTestContext({ connection: "desk" });
  onTestFinished(() => context.close());
  return connector.open(connector.config.parse({ url, apiKey: worker.key, ...settings }), context);
}

async function as(key: string, method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: object) {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await stand.send({ method, path, headers, ...(body === undefined ? {} : { body }) });
  expect([path, answer.status < 300, answer.text]).toEqual([path, true, answer.text]);
  return answer.json as { readonly id: string; readonly secret: string };
}

/** Everything that happens on the desk while `act` runs, by polling, each event enriched. */
async function polled(connection: Connection, act: () => Promise<unknown>): Promise<readonly Event[]> {
  const read = async (id: string | undefined) => {
    const events: EventInput[] = [];
    let last = id;
    const cursor = id === undefined ? undefined : { time: "1970-01-01T00:00:00Z", id, seen: [] };
    const { signal } = new AbortController();
    for await (const page of connection.sources!["changes"]!.read({ cursor, signal })) {
      events.push(...page.events);
      last = page.cursor.id;
    }
    return { events, last };
  };
  const { last } = await read(undefined);
  await act();
  const { events } = await read(last);
  const { signal } = new AbortController();
  return Promise.all(events.map((event) => connection.enrich!({ ...event, source: "desk" }, signal)));
}

const about = (subject: string, email: string) => ({
  subject,
  requester: { email, name: "Ada" },
  message: { text: "Where is it?" },
});

describe("what happens on a desk", () => {
  it("comes by polling with the facts that the feed leaves out", async () => {
    const connection = await open();
    const address = "/v1/tickets/by-ref/deskbridge/order%3A1";
    const events = await polled(connection, async () => {
      await as(agent.key, "PUT", address, about("Late", "ada@example.com"));
      await as(agent.key, "POST", `${address}/messages`, { text: "On its way." });
      await as(agent.key, "PATCH", address, { status: "closed" });
    });
    expect(events.map(({ type }) => type)).toEqual([
      "contact.created",
      "ticket.created",
      "message.created",
      "message.created",
      "ticket.closed",
    ]);
    const actor = { id: agent.id, own: false };
    expect(events[0]?.data).toMatchObject({ contact: { email: "ada@example.com", name: "Ada" }, actor });
    expect(events[3]?.data).toMatchObject({
      message: { direction: "outbound", visibility: "public", author: "agent", text: "On its way." },
      ticket: { key: "order:1", status: "closed", subject: "Late" },
      contact: { email: "ada@example.com" },
      actor,
    });
    expect(events[4]).toMatchObject({
      subject: events[3]?.subject,
      data: { ticket: { key: "order:1" }, actor },
    });
  });

  it("says of what the connection wrote itself that it did", async () => {
    const connection = await open();
    const upsert = connection.desk!.operations["contact.upsert"]!;
    const events = await polled(connection, async () => {
      await upsert({ email: "own@example.com", name: "Own" }, keyedCall("own-1"));
      await as(agent.key, "PUT", "/v1/contacts/by-ref/email/own@example.com", { name: "Other" });
    });
    expect(events.map(({ type, data }) => [type, (data as { actor: { own: boolean } }).actor.own])).toEqual([
      ["contact.created", true],
      ["contact.updated", false],
    ]);
  });

  it("is told as it was known where the object is gone or was merged since", async () => {
    const connection = await open();
    const events = await polled(connection, async () => {
      const gone = await as(agent.key, "POST", "/v1/contacts", { email: "gone@example.com" });
      const kept = await as(agent.key, "POST", "/v1/contacts", { email: "kept@example.com" });
      await as(agent.key, "POST", `/v1/contacts/${gone.id}/merge`, { into: kept.id });
      const erased = await as(agent.key, "POST", "/v1/contacts", { email: "erased@example.com" });
      await as(stand.adminKey, "DELETE", `/v1/contacts/${erased.id}`);
    });
    expect(events.map(({ type }) => type)).toEqual([
      "contact.created",
      "contact.created",
      "contact.merged",
      "contact.updated",
      "contact.created",
      "contact.deleted",
    ]);
    const [first, second, merged] = events.map(
      ({ data }) => data as { contact: { id: string; email?: string } },
    );
    expect(first?.contact).toEqual({ id: first?.contact.id });
    expect(merged?.contact).toMatchObject({ id: first?.contact.id, mergedInto: second?.contact.id });
    expect(JSON.stringify(events)).not.toContain("erased@example.com");
  });

  it("comes by webhook under the ids that polling has, so that the ledger keeps one of the two", async () => {
    const receiver = await openWebhookReceiver();
    onTestFinished(receiver.close);
    const hook = await as(stand.adminKey, "POST", "/v1/webhooks", {
      url: receiver.url,
      events: ["ticket.*", "message.created", "contact.*"],
    });
    const connection = await open({ webhookSecret: hook.secret });
    const events = await polled(connection, async () => {
      await as(agent.key, "POST", "/v1/tickets", about("Twice told", "grace@example.com"));
    });
    await receiver.got(3);
    const hooked = receiver.received.flatMap(({ text, headers }) => {
      const request = {
        method: "POST",
        path: "",
        query: {},
        headers: headers as Record<string, string>,
        body: Buffer.from(text),
        receivedAt: Date.now(),
      };
      connection.webhook!.verify(request);
      return connection.webhook!.parse(request);
    });
    const known = ({ id, type, subject }: Pick<EventInput, "id" | "type" | "subject">) =>
      [id, type, subject].join(" ");
    expect(hooked.map(known).toSorted()).toEqual(events.map(known).toSorted());
    expect(hooked).toHaveLength(3);
    const told = hooked.find(({ type }) => type === "message.created")!;
    const { signal } = new AbortController();
    const enriched = await connection.enrich!({ ...told, source: "desk" }, signal);
    expect(enriched.data).toEqual(events.find(({ type }) => type === "message.created")?.data);
  });

  it("is checked: the webhook to us is looked for, and what makes one is said", async () => {
    const { signal } = new AbortController();
    const settings = { apiKey: stand.adminKey, webhookSecret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" };
    const missing = (await (await open(settings)).check!(signal)).at(-1);
    expect([missing?.name, missing?.ok]).toEqual(["webhook", false]);
    const [, body = ""] = /POST (\{.*\}) to/.exec(missing?.detail ?? "") ?? [];
    const made = JSON.parse(body) as { url: string; events: string[] };
    await as(stand.adminKey, "POST", "/v1/webhooks", {
      ...made,
      url: made.url.replace("https://<address of deskbridge>", "http://127.0.0.1:9"),
    });
    const found = (await (await open(settings)).check!(signal)).at(-1);
    expect(found).toEqual({ name: "webhook", ok: true, detail: "http://127.0.0.1:9/hooks/desk is active" });
    const narrow = await stand.desk.keys.create("narrow", [
      "tickets:write",
      "contacts:write",
      "orders:write",
    ]);
    const results = await (await open({ ...settings, apiKey: narrow.key })).check!(signal);
    expect(results.map(({ name, ok }) => [name, ok])).toEqual([
      ["API key", true],
      ["scopes", false],
      ["datasets", true],
      ["webhook", true],
    ]);
    expect(results[1]?.detail).toContain("tickets:read, contacts:read");
  });
});
