import { createHmac, timingSafeEqual } from "node:crypto";
import { AppError } from "../../src/errors.ts";
import type { EventInput } from "../../src/model/event.ts";
import { parseJsonBody } from "../../src/sdk/json.ts";
import type { Webhook, WebhookRequest } from "../../src/sdk/webhook.ts";

const toleranceMs = 300_000;

/** Headers that `signedWebhook` accepts for a body. */
export function signatureHeaders(
  secret: string,
  body: string | Buffer,
  sentAt: number,
): Record<string, string> {
  return {
    "x-sent-at": String(sentAt),
    "x-signature": sign(secret, String(sentAt), Buffer.from(body as string)),
  };
}

/**
 * A webhook for tests, of no vendor: `x-signature` is the HMAC of `x-sent-at` and the raw body, and the body is a JSON list of canonical events
 * or an object to ignore.
 */
export function signedWebhook(
  secret: string,
  onParse: (request: WebhookRequest) => void = () => {},
): Webhook {
  return {
    verify: ({ headers, body, receivedAt }) => {
      const sentAt = headers["x-sent-at"] ?? "";
      const given = Buffer.from(headers["x-signature"] ?? "", "hex");
      const expected = Buffer.from(sign(secret, sentAt, body), "hex");
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
        throw new AppError("webhook_signature", "the signature is missing or wrong");
      }
      if (Math.abs(receivedAt - Number(sentAt)) > toleranceMs) {
        throw new AppError("webhook_stale", "the request was sent too long ago");
      }
    },
    parse: (request) => {
      onParse(request);
      const value = parseJsonBody(request.body);
      return Array.isArray(value) ? (value as readonly EventInput[]) : [];
    },
  };
}

function sign(secret: string, sentAt: string, body: Buffer): string {
  return createHmac("sha256", secret).update(sentAt).update(body).digest("hex");
}
