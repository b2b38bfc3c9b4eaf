import { z } from "zod";
import { change, eventPatterns } from "./schema-change.ts";
import * as field from "./schema-text.ts";

const order = z
  .enum(["ticket", "none"])
  .describe(
    "`ticket`: the changes of a ticket come one after the other, and one that fails holds up those after it",
  );

/** A webhook as it is answered. */
export const webhook = z.strictObject({
  id: z.string(),
  url: z.string(),
  events: z.array(z.string()),
  description: z.string().nullable(),
  order,
  enabled: z.boolean(),
  status: z.enum(["active", "failing", "disabled"]),
  failing_since: z.iso.datetime().nullable(),
  disabled_reason: z.string().nullable().describe("`gone` after an answer of 410"),
  old_secret_until: z.iso.datetime().nullable().describe("until when the secret before signs too"),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  version: z.int(),
});

/** With the secret, which is told once. */
export const webhookWithSecret = webhook.extend({ secret: z.string() });

const url = z
  .url({ protocol: /^https?$/, abort: true, error: "must be an address that begins with https://" })
  .max(2000)
  .refine((text) => {
    const { username, password, hash } = new URL(text);
    return username === "" && password === "" && hash === "";
  }, "must be without user, password and fragment")
  .transform((text) => new URL(text).href);

const facts = {
  description: field.text(500).nullish(),
};

/** Body of `POST /v1/webhooks`. */
export const newWebhook = z.strictObject({
  url,
  events: eventPatterns,
  ...facts,
  order: order.default("ticket"),
  enabled: z.boolean().default(true),
});

/** Body of `PATCH`. */
export const webhookChange = z.strictObject({
  url: url.optional(),
  events: eventPatterns.optional(),
  ...facts,
  order: order.optional(),
  enabled: z.boolean().optional(),
});

export const secretRotation = z.strictObject({
  overlap_seconds: z
    .int()
    .min(0)
    .max(7 * 86_400)
    .default(86_400)
    .describe("how long the secret before signs too"),
});

const state = z.enum(["waiting", "pending", "delivered", "failed"]);

/** One delivery, with what was sent and what came back. */
export const delivery = z.strictObject({
  id: z.string(),
  webhook_id: z.string(),
  event_id: z.string().describe("the header webhook-id; of the change in the feed"),
  type: z.string(),
  object_id: z.string().nullable(),
  ticket_id: z.string().nullable(),
  reason: z.enum(["change", "replay", "test"]),
  state,
  attempts: z.int(),
  next_attempt_at: z.iso.datetime().nullable(),
  request_body: z.string().nullable().describe("as it was sent last, cut"),
  log: z.array(
    z.strictObject({
      at: z.iso.datetime(),
      status: z.int().nullable(),
      error: z.string().nullable(),
      duration_ms: z.int(),
      answer: z.string().nullish().describe("the beginning of the body"),
    }),
  ),
  erased: z.boolean().describe("whether bodies were taken out with a contact"),
  created_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
});

export const webhookQuery = z.strictObject({ limit: field.pageLimit, cursor: field.pageCursor });
export const deliveryQuery = webhookQuery.extend({ state: state.optional() });

/** The most changes that one replay sends. */
export const mostReplayed = 10_000;

export const replayRange = z
  .strictObject({
    from: field.instant,
    until: field.instant.optional().describe("now unless told; not included"),
  })
  .refine((range) => range.until === undefined || Date.parse(range.from) < Date.parse(range.until), {
    message: "must be after from",
    path: ["until"],
  });

export const replayed = z.strictObject({ webhook_id: z.string(), deliveries: z.int() });

/** What a webhook's receiver gets: the change of the feed, with the object as it is now. */
export const webhookBody = change.omit({ type: true, sequence: true, actor: true }).extend({
  type: z.string(),
  timestamp: z.iso.datetime().describe("the same as time"),
  sequence: change.shape.sequence.nullable(),
  actor: z.string().nullable(),
  object: z.record(z.string(), z.unknown()).nullable(),
});
