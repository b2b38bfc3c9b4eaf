import connector from "../../connectors/webhook/index.ts";
import { hmacSignature, standardWebhooksHeaders } from "../../src/sdk/index.ts";
import type { HmacScheme, Webhook, WebhookRequest } from "../../src/sdk/index.ts";
import { createTestContext, testWebhook } from "../../src/sdk/testing/index.ts";

const secretOf = (name: string): string =>
  `whsec_${Buffer.from(`${name}, a secret of 24 bytes`).toString("base64")}`;

const events = [
  {
    when: "item.status == 'failed'",
    type: "fulfillment.failed",
    id: "{{ item.id }}",
    subject: "order/{{ item.order }}",
    time: "{{ item.at }}",
    data: {
      fulfillment: { id: "{{ item.id }}", status: "{{ item.status }}" },
      order: { id: "{{ item.order }}", tags: [], items: [] },
    },
  },
];

const samples = [
  {
    name: "a failed parcel",
    body: Buffer.from('{"id":7,"order":12,"status":"failed","at":"2026-11-22T10:00:00+01:00"}'),
    events: 1,
  },
  {
    name: "a parcel on its way",
    body: Buffer.from('{"id":8,"order":12,"status":"moving","at":"2026-11-22T10:00:00Z"}'),
    events: 0,
  },
] as const;

const webhookOf =
  (verify: (secrets: readonly string[]) => object) =>
  async (secrets: readonly string[]): Promise<Webhook> => {
    const config = connector.config.parse({ verify: verify(secrets), events });
    return (await connector.open(config, createTestContext())).webhook!;
  };

const requestOf = (
  headers: Record<string, string>,
  body: Buffer,
  receivedAt: number,
  path = "",
): WebhookRequest => ({
  method: "POST",
  path,
  query: {},
  headers,
  body,
  receivedAt,
});

const hmac: HmacScheme = {
  header: "x-signature",
  algorithm: "sha512",
  encoding: "base64",
  prefix: "v1=",
  signedContent: "{id}|{timestamp}|{body}",
  timestampHeader: "x-time",
  idHeader: "x-id",
  toleranceSeconds: 120,
};

testWebhook({
  name: "any sender that signs with HMAC",
  open: webhookOf((secrets) => ({ scheme: "hmac", ...hmac, header: "X-Signature", secrets })),
  secrets: ["current", "previous", "wrong"],
  requiredHeaders: ["x-signature", "x-time", "x-id"],
  toleranceSeconds: 120,
  samples,
  sign: ({ body, secret, at }) => {
    const headers = { "x-time": String(at), "x-id": "delivery-1" };
    return requestOf({ ...headers, "x-signature": hmacSignature(hmac, secret, { body, headers }) }, body, at);
  },
});

testWebhook({
  name: "a sender that signs the body alone",
  open: webhookOf((secrets) => ({
    scheme: "hmac",
    header: "x-hub-signature-256",
    prefix: "sha256=",
    secrets,
  })),
  secrets: ["current", "previous", "wrong"],
  requiredHeaders: ["x-hub-signature-256"],
  without: { stale: "it signs no time", future: "it signs no time" },
  samples,
  sign: ({ body, secret, at }) => {
    const scheme = { header: "", algorithm: "sha256", encoding: "hex", prefix: "sha256=" } as const;
    return requestOf(
      { "x-hub-signature-256": hmacSignature(scheme, secret, { body, headers: {} }) },
      body,
      at,
    );
  },
});

testWebhook({
  name: "a sender of Standard Webhooks",
  open: webhookOf((secrets) => ({ scheme: "standard-webhooks", secrets })),
  secrets: [secretOf("current"), secretOf("previous"), secretOf("wrong")],
  requiredHeaders: ["webhook-id", "webhook-timestamp", "webhook-signature"],
  toleranceSeconds: 300,
  samples,
  sign: ({ body, secret, at }) =>
    requestOf(standardWebhooksHeaders(secret, { id: "msg_1", timestampSeconds: at / 1000, body }), body, at),
});

const unsigned = "a fixed credential covers neither the body nor a time";
const without = { tampered: unsigned, stale: unsigned, future: unsigned };

testWebhook({
  name: "a sender with basic credentials",
  open: webhookOf((secrets) => ({ scheme: "basic", username: "shop", secrets })),
  secrets: ["current", "previous", "wrong"],
  requiredHeaders: ["authorization"],
  without,
  samples,
  sign: ({ body, secret, at }) => {
    const authorization = `Basic ${Buffer.from(`shop:${secret}`).toString("base64")}`;
    return requestOf({ authorization }, body, at);
  },
});

testWebhook({
  name: "a sender with a secret path",
  open: webhookOf((secrets) => ({ scheme: "path-token", secrets })),
  secrets: ["current", "previous", "wrong"],
  requiredHeaders: [],
  without,
  samples,
  sign: ({ body, secret, at }) => requestOf({}, body, at, secret),
});

testWebhook({
  name: "a sender with a secret header",
  open: webhookOf((secrets) => ({ scheme: "header-token", header: "X-Token", secrets })),
  secrets: ["current", "previous", "wrong"],
  requiredHeaders: ["x-token"],
  without,
  samples,
  sign: ({ body, secret, at }) => requestOf({ "x-token": secret }, body, at),
});
