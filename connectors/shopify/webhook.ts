import { createHash } from "node:crypto";
import {
  AppError,
  checkTime,
  createHmacVerifier,
  isoTime,
  parseJsonBody,
  parseTimestamp,
} from "deskbridge/sdk";
import type { EventInput, HmacScheme, Webhook, WebhookRequest } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { topics } from "./topic.ts";
import { object } from "./value.ts";

/** Webhooks carry `x-shopify-…`, the newer events `shopify-…`; both are signed the same way. */
const families = ["x-shopify", "shopify"] as const;

/** How the vendor signs: base64 HMAC-SHA256 of the raw body under the app's client secret. */
export const signatureSchemes: readonly HmacScheme[] = families.map((family) => ({
  header: `${family}-hmac-sha256`,
  algorithm: "sha256",
  encoding: "base64",
}));

/** A time further ahead of our clock than this is not believed, in milliseconds. */
const aheadMs = 24 * 3600 * 1000;

/**
 * Receives the vendor's webhooks. Its signature covers the body only: the time and the event's id stand in headers that are not signed, so the
 * tolerance keeps out what is old, not who repeats a body on purpose.
 */
export function createWebhook(settings: Config): Webhook {
  const verifiers = signatureSchemes.map((scheme) =>
    createHmacVerifier(scheme, [settings.clientSecret].flat()),
  );
  return {
    verify: (request) => {
      const family = families.findIndex((name) => request.headers[`${name}-hmac-sha256`] !== undefined);
      verifiers[Math.max(family, 0)]?.(request);
      const timed = families
        .map((name) => `${name}-triggered-at`)
        .find((name) => request.headers[name] !== undefined);
      checkTime(request, timed, settings.webhookToleranceSeconds);
    },
    parse: (request) => parseDelivery(request, settings),
  };
}

function parseDelivery(request: WebhookRequest, settings: Config): readonly EventInput[] {
  const value = parseJsonBody(request.body);
  const topic = header(request, "topic")?.toLowerCase();
  if (topic === undefined) throw new AppError("webhook_malformed", "The header X-Shopify-Topic is missing.");
  const parse = Object.hasOwn(topics, topic) ? topics[topic] : undefined;
  if (parse === undefined) return [];
  const events = parse({
    topic,
    body: object(value),
    eventId: eventIdOf(request, topic),
    time: timeOf(request),
    settings,
  });
  return events.map((one) => ({ ...one, time: believable(one.time, request.receivedAt) }));
}

function header(request: WebhookRequest, name: string): string | undefined {
  const found = families
    .map((family) => request.headers[`${family}-${name}`])
    .find((value) => value !== undefined);
  return found === "" ? undefined : found;
}

// Without an id in the headers the same body is taken for the same event.
function eventIdOf(request: WebhookRequest, topic: string): string {
  const given = header(request, "event-id");
  if (given !== undefined && /^[\w.:/-]{1,100}$/.test(given)) return given;
  return `sha256-${createHash("sha256").update(topic).update("\n").update(request.body).digest("hex")}`;
}

function timeOf(request: WebhookRequest): string {
  return isoTime(parseTimestamp(header(request, "triggered-at") ?? "") ?? request.receivedAt);
}

function believable(time: string, receivedAt: number): string {
  return Date.parse(time) > receivedAt + aheadMs ? isoTime(receivedAt) : time;
}
