import { signatureScheme } from "../../connectors/zendesk/webhook.ts";
import { hmacSignature } from "../../src/sdk/index.ts";
import type { WebhookRequest } from "../../src/sdk/index.ts";

/** The ticket as event webhooks carry it: ids as digits, names in capitals. */
export const hookTicket = {
  actor_id: "8447388090494",
  created_at: "2026-11-20T08:00:00Z",
  external_id: "fulfillment:7",
  id: "5158",
  is_public: true,
  priority: "HIGH",
  requester_id: "8447388090490",
  status: "OPEN",
  subject: "Order #1001: failure",
  tags: ["fulfillment-error"],
  type: null,
  updated_at: "2026-11-22T09:59:30Z",
  via: { channel: "web_service" },
};

/** The body of an event webhook; `what` is the end of its type. */
export function hookBody(what: string, event: object = {}, detail: object = {}, facts: object = {}): object {
  return {
    account_id: 22129848,
    detail: { ...hookTicket, ...detail },
    event: { meta: { sequence: { id: "01KA", position: 1, total: 1 } }, ...event },
    id: "cbe4028c-7239-495d-b020-f22348516046",
    subject: "zen:ticket:5158",
    time: "2026-11-22T09:59:30.312345678Z",
    type: `zen:event-type:ticket.${what}`,
    zendesk_event_version: "2022-11-06",
    ...facts,
  };
}

/** The comment of a `comment_added` event. */
export function hookComment(facts: object = {}): object {
  const author = { id: "8447388090490", is_staff: false, name: "Ada Lovelace" };
  return { comment: { id: "9876543210", body: "Where is it?", is_public: true, author, ...facts } };
}

/** A request as the vendor sends it. */
export function hookRequest({
  body,
  secret,
  at,
}: {
  body: Buffer;
  secret: string;
  at: number;
}): WebhookRequest {
  const unsigned = {
    "content-type": "application/json",
    "user-agent": "Zendesk Webhook",
    "x-zendesk-webhook-id": "01GK8E6BKWMJZD2T8Y5AXJQMG5",
    "x-zendesk-webhook-signature-timestamp": new Date(at).toISOString(),
  };
  const signature = hmacSignature(signatureScheme, secret, { body, headers: unsigned });
  const headers = { ...unsigned, "x-zendesk-webhook-signature": signature };
  return { method: "POST", path: "", query: {}, headers, body, receivedAt: at };
}
