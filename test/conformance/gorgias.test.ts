import { describe, expect, it } from "vitest";
import connector from "../../connectors/gorgias/index.ts";
import { integrationForm } from "../../connectors/gorgias/webhook.ts";
import { hmacSignature } from "../../src/sdk/index.ts";
import type { Connection, HmacScheme } from "../../src/sdk/index.ts";
import { createTestContext, testSource, testWebhook } from "../../src/sdk/testing/index.ts";
import type { SignRequest, WebhookSample } from "../../src/sdk/testing/index.ts";
import { openGorgiasStub } from "../support/gorgias-stub.ts";

async function open(settings: object, now?: () => number): Promise<Connection> {
  const config = connector.config.parse({
    account: "acme",
    auth: { method: "key", email: "agent@acme.example", apiKey: "key" },
    ...settings,
  });
  return connector.open(config, createTestContext(now === undefined ? {} : { now }));
}

const filling: Readonly<Record<string, string>> = {
  ticket_id: "123",
  ticket_external_id: "fulfillment:9",
  ticket_status: "open",
  ticket_priority: "critical",
  ticket_subject: "Order #1001",
  ticket_created_datetime: "2026-11-22T09:00:00.123456",
  ticket_updated_datetime: "2026-11-22T09:30:00.123456",
  ticket_closed_datetime: "None",
  customer_id: "77",
  customer_email: "ada@example.com",
  customer_name: "Ada",
  customer_external_id: "",
  message_id: "900",
  message_body_text: "Where is it?",
  message_public: "True",
  message_from_agent: "False",
  message_created_datetime: "2026-11-22 09:30:00+00:00",
};

type Trigger = Parameters<typeof integrationForm>[0];

/** What Gorgias sends for a trigger: our form with its holes filled. */
function bodyOf(trigger: Trigger, other: Readonly<Record<string, string>> = {}): Buffer {
  const filled = Object.entries(integrationForm(trigger)).map(([name, hole]) => [
    name,
    other[name] ?? filling[name] ?? hole,
  ]);
  return Buffer.from(JSON.stringify(Object.fromEntries(filled)));
}

const sample = (name: string, body: Buffer, events = 1): WebhookSample => ({ name, body, events });

const closing = { ticket_status: "closed", ticket_closed_datetime: "2026-11-22T09:30:00.123456" };
const samples = [
  sample("a new ticket", bodyOf("ticket-created")),
  sample("a changed ticket", bodyOf("ticket-updated")),
  sample("a closed ticket", bodyOf("ticket-status-updated", closing)),
  sample("a ticket opened again", bodyOf("ticket-status-updated")),
  sample("a snoozed ticket that is back", bodyOf("ticket-self-unsnoozed")),
  sample("a message", bodyOf("ticket-message-created")),
  sample("a trigger that nobody needs", Buffer.from('{"trigger":"ticket-handed-over","ticket_id":"1"}'), 0),
] as const;

const request = ({ body, secret, at }: SignRequest, headers: Record<string, string> = {}) => ({
  method: "POST",
  path: "",
  query: {},
  headers: { authorization: `Bearer ${secret}`, ...headers },
  body,
  receivedAt: at,
});

testWebhook({
  name: "gorgias",
  open: async (secrets) => (await open({ webhook: { secrets } })).webhook!,
  secrets: ["current", "previous", "wrong"],
  requiredHeaders: ["authorization"],
  samples,
  sign: (delivery) => request(delivery),
  without: {
    tampered: "the header of the integration covers no body",
    stale: "nothing tells when it was sent",
    future: "nothing tells when it was sent",
  },
});

const scheme: HmacScheme = { header: "x-gorgias-signature", algorithm: "sha256", encoding: "hex" };

testWebhook({
  name: "gorgias with signatures",
  open: async (secrets) => {
    const hmac = { header: scheme.header, secrets };
    return (await open({ webhook: { secrets, hmac } })).webhook!;
  },
  secrets: ["current", "previous", "wrong"],
  requiredHeaders: ["authorization", scheme.header],
  samples,
  sign: (delivery) =>
    request(delivery, {
      [scheme.header]: hmacSignature(scheme, delivery.secret, { body: delivery.body, headers: {} }),
    }),
  without: { stale: "nothing tells when it was sent", future: "nothing tells when it was sent" },
});

testSource({
  name: "tickets of gorgias",
  open: async () => {
    let clock = 0;
    const stub = await openGorgiasStub({ now: () => clock, pageSize: 4 });
    const connection = await open({ url: stub.url }, () => clock);
    return {
      source: connection.sources!["tickets"]!,
      setNow: (at) => {
        clock = at;
      },
      change: (at) => void stub.addTicket({ at }),
      close: stub.close,
    };
  },
});

describe("webhooks of gorgias", () => {
  it("become events with what the form says of ticket, customer and message", async () => {
    const { webhook } = await open({ webhook: { secrets: "s" } });
    const parse = (body: Buffer) => webhook!.parse(request({ body, secret: "s", at: 0 }));
    const contact = { id: "77", email: "ada@example.com", name: "Ada" };
    const ticket = {
      id: "123",
      number: "123",
      key: "fulfillment:9",
      subject: "Order #1001",
      status: "open",
      priority: "urgent",
      tags: [],
      url: "https://acme.gorgias.com/app/ticket/123",
    };
    const told = samples.slice(0, 6).flatMap(({ body }) => parse(body));
    expect(told[0]).toEqual({
      id: "ticket/123/created",
      type: "ticket.created",
      subject: "ticket/123",
      time: "2026-11-22T09:00:00.123456Z",
      data: { ticket, contact },
    });
    expect(told.map(({ type, id }) => [type, id])).toEqual([
      ["ticket.created", "ticket/123/created"],
      ["ticket.updated", "ticket/123/updated/2026-11-22T09:30:00.123456Z"],
      ["ticket.closed", "ticket/123/closed/2026-11-22T09:30:00.123456Z"],
      ["ticket.reopened", "ticket/123/reopened/2026-11-22T09:30:00.123456Z"],
      ["ticket.reopened", "ticket/123/reopened/2026-11-22T09:30:00.123456Z"],
      ["message.created", "message/900"],
    ]);
    expect(told[5]).toMatchObject({
      time: "2026-11-22T09:30:00Z",
      data: {
        message: {
          id: "900",
          direction: "inbound",
          author: "contact",
          visibility: "public",
          text: "Where is it?",
        },
        ticket: { id: "123" },
        contact,
      },
    });
  });
});
