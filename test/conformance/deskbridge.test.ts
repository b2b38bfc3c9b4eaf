import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import connector from "../../connectors/deskbridge/index.ts";
import { standardWebhooksHeaders } from "../../src/sdk/index.ts";
import type { Connection, Page, WebhookRequest } from "../../src/sdk/index.ts";
import { createTestContext, testSource, testWebhook } from "../../src/sdk/testing/index.ts";
import type { SignRequest, WebhookSample } from "../../src/sdk/testing/index.ts";
import { feedChange, openChangeFeedStub } from "../support/change-feed-stub.ts";

const newSecret = (): string => `whsec_${randomBytes(32).toString("base64")}`;
const secrets = [newSecret(), newSecret(), newSecret()] as const;
const now = Date.parse("2026-11-22T10:00:00Z");

async function open(settings: object): Promise<Connection> {
  const config = connector.config.parse({ url: "http://127.0.0.1:9", apiKey: "key", ...settings });
  return connector.open(config, createTestContext({ connection: "desk" }));
}

const ada = { id: "con_1", name: "Ada", email: "ada@example.com", phone: null };
const ticket = {
  id: "tkt_1",
  number: 1,
  subject: "Late",
  status: "open",
  priority: "high",
  requester: ada,
  tags: ["late"],
  refs: [
    { source: "elsewhere", external_id: "no" },
    { source: "deskbridge", external_id: "order:1001" },
  ],
  added_since: "is passed over",
};
const message = {
  id: "msg_5",
  ticket_id: "tkt_1",
  direction: "outbound",
  visibility: "public",
  author: { type: "agent", id: "7", name: "Grace" },
  text: "On its way.",
};
const contact = { ...ada, refs: [{ source: "deskbridge", external_id: "7" }], version: 3 };

const bodyOf = (type: string, facts: object = {}): object => feedChange(42, now, { type, ...facts });
const contactBody = (type: string, facts: object = {}): object =>
  bodyOf(type, { object_id: "con_1", ticket_id: null, object: contact, ...facts });
const sample = (name: string, body: object, events = 1): WebhookSample => ({
  name,
  body: Buffer.from(JSON.stringify(body)),
  events,
});

function sign({ body, secret, at }: SignRequest): WebhookRequest {
  const headers = standardWebhooksHeaders(secret, {
    id: "evt_42",
    timestampSeconds: Math.floor(at / 1000),
    body,
  });
  return { method: "POST", path: "", query: {}, headers, body, receivedAt: at };
}

testWebhook({
  name: "deskbridge",
  open: async (webhookSecret) => (await open({ webhookSecret })).webhook!,
  secrets,
  requiredHeaders: ["webhook-id", "webhook-timestamp", "webhook-signature"],
  toleranceSeconds: 300,
  samples: [
    sample("an agent's answer", bodyOf("message.created", { object_id: "msg_5", object: message })),
    ...["created", "updated", "closed", "reopened"].map((what) =>
      sample(`a ticket that is ${what}`, bodyOf(`ticket.${what}`, { object: ticket })),
    ),
    ...["created", "updated", "unmerged"].map((what) =>
      sample(`a contact that is ${what}`, contactBody(`contact.${what}`)),
    ),
    sample("a contact merged into another", contactBody("contact.merged", { data: { into: "con_2" } })),
    sample("a contact that was erased", contactBody("contact.deleted", { object: null })),
    sample("a ticket that is gone by now", bodyOf("ticket.updated", { object: null })),
    sample("a ticket merged into another", bodyOf("ticket.merged", { data: { into: "tkt_2" } }), 0),
    sample("an order", bodyOf("order.updated", { object_id: "ord_1", ticket_id: null }), 0),
    sample("a test", bodyOf("webhook.test", { sequence: null, actor: null, object: null, data: {} }), 0),
  ],
  sign,
});

testSource({
  name: "changes of deskbridge",
  open: async () => {
    const stub = await openChangeFeedStub();
    const connection = await open({ url: stub.url });
    return {
      source: connection.sources!["changes"]!,
      setNow: () => undefined,
      change: (at) => stub.change(at),
      close: stub.close,
    };
  },
});

describe("an event of the deskbridge connector", () => {
  const parse = async (body: object, settings: object = {}) => {
    const { webhook } = await open({ webhookSecret: secrets[0], ...settings });
    const request = sign({ body: Buffer.from(JSON.stringify(body)), secret: secrets[0], at: now });
    return webhook!.parse(request)[0];
  };

  it("holds the ticket with our key, who asked and who did it, under the id that the feed has for it", async () => {
    expect(await parse(bodyOf("ticket.closed", { object: ticket }))).toMatchObject({
      id: "evt_42",
      type: "ticket.closed",
      subject: "ticket/tkt_1",
      time: "2026-11-22T10:00:00.000Z",
      data: {
        ticket: {
          id: "tkt_1",
          number: "1",
          key: "order:1001",
          status: "open",
          priority: "high",
          tags: ["late"],
        },
        contact: { id: "con_1", email: "ada@example.com", name: "Ada" },
        actor: { id: "key_7" },
      },
      raw: { data: { status: ["open", "pending"] } },
    });
  });

  it("holds a message with its author's kind, in the lane of its ticket", async () => {
    const event = await parse(bodyOf("message.created", { object_id: "msg_5", object: message }));
    expect(event).toMatchObject({
      subject: "ticket/tkt_1",
      data: {
        message: {
          id: "msg_5",
          direction: "outbound",
          visibility: "public",
          author: "agent",
          text: "On its way.",
        },
        ticket: { id: "tkt_1" },
      },
    });
  });

  it("holds a contact with the external id that it has in the system of refSource", async () => {
    const crm = { ...contact, refs: [...contact.refs, { source: "crm", external_id: "c-9" }] };
    expect(await parse(contactBody("contact.updated", { object: crm }), { refSource: "crm" })).toMatchObject({
      subject: "contact/con_1",
      data: { contact: { id: "con_1", externalId: "c-9" } },
    });
    expect(await parse(contactBody("contact.merged", { data: { into: "con_2" } }))).toMatchObject({
      data: { contact: { id: "con_1", mergedInto: "con_2" } },
    });
  });

  it("is refused where what names it is missing", async () => {
    await expect(parse(bodyOf("ticket.updated", { object_id: 7 }))).rejects.toMatchObject({
      code: "webhook_malformed",
    });
  });
});

describe("the source of the deskbridge connector", () => {
  it("keeps its place while it looks for where to begin", async () => {
    const stub = await openChangeFeedStub();
    for (let minute = 0; minute < 10; minute += 1) stub.change(now + minute * 60_000);
    const { sources } = await open({ url: stub.url });
    const start = new Date(now + 7 * 60_000).toISOString();
    const { signal } = new AbortController();
    const pages: Page[] = [];
    for await (const page of sources!["changes"]!.read({ cursor: { time: start, seen: [] }, signal }))
      pages.push(page);
    expect(pages.map(({ events, cursor }) => [events.length, cursor.id?.slice(-1)])).toEqual([
      [0, "4"],
      [1, "8"],
      [2, "a"],
    ]);
    await stub.close();
  });
});
