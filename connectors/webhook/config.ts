import { z } from "zod";
import { AppError, eventTypes, expressionText, templateValue } from "deskbridge/sdk";
import { dataProblems } from "./event-data.ts";
import { expressions } from "./mapping.ts";
import { createVerifier } from "./verifier.ts";

const secret = z.string().min(1);
const secrets = z
  .union([secret, z.array(secret).min(1).max(2)])
  .describe("The shared secret; two while one replaces the other.");
const header = z
  .string()
  .regex(/^[A-Za-z0-9-]+$/)
  .transform((name) => name.toLowerCase());

const hmac = z.strictObject({
  scheme: z.literal("hmac"),
  header: header.describe("Header that carries the signature."),
  algorithm: z.enum(["sha256", "sha1", "sha512"]).default("sha256").describe("Hash under the signature."),
  encoding: z.enum(["hex", "base64"]).default("hex").describe("How the signature is written."),
  prefix: z.string().optional().describe("What stands before the signature in the header, such as sha256=."),
  signedContent: z
    .string()
    .default("{body}")
    .describe("What is signed: {body}, and {timestamp} and {id} for the headers named below."),
  timestampHeader: header
    .optional()
    .describe("Header that carries the time: seconds, milliseconds or RFC 3339."),
  idHeader: header.optional().describe("Header that carries the id which is signed with the body."),
  toleranceSeconds: z
    .int()
    .positive()
    .optional()
    .describe("How far the time may be from our clock; not looked at unless given."),
  secretEncoding: z.enum(["utf8", "base64", "hex"]).default("utf8").describe("How the secret is written."),
  secrets,
});

const standardWebhooks = z.strictObject({
  scheme: z.literal("standard-webhooks"),
  secrets,
  toleranceSeconds: z
    .int()
    .positive()
    .default(300)
    .describe("How far the signed time may be from our clock."),
});

const basic = z.strictObject({
  scheme: z.literal("basic"),
  username: z.string().min(1).describe("The name that goes with the secret as password."),
  secrets,
});
const pathToken = z.strictObject({ scheme: z.literal("path-token"), secrets });
const headerToken = z.strictObject({
  scheme: z.literal("header-token"),
  header: header.describe("Header that carries the secret itself."),
  secrets,
});
const none = z.strictObject({ scheme: z.literal("none") });

const verify = z
  .discriminatedUnion("scheme", [hmac, standardWebhooks, basic, pathToken, headerToken, none])
  .superRefine((scheme, context) => {
    try {
      createVerifier(scheme);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
    }
  })
  .describe("How a request proves where it comes from. `none` takes anything from anyone.");

const mapping = z
  .strictObject({
    when: expressionText(expressions, ["bool"])
      .optional()
      .describe("CEL over body, item, headers and query; every item unless given."),
    type: z.enum(eventTypes).describe("Canonical type of the event."),
    id: templateValue(expressions)
      .optional()
      .describe("Identity of the event, the same each time it is sent; a digest of the body unless given."),
    subject: templateValue(expressions).describe(
      "The business object, such as order/{{ item.order_id }}: its events are kept in order.",
    ),
    time: templateValue(expressions)
      .optional()
      .describe("When it happened, RFC 3339 or seconds; the time of arrival unless given."),
    data: templateValue(expressions).describe(
      "The event's data. An amount may be given as { amount, currency } in decimals; leave out what is unknown.",
    ),
  })
  .superRefine((entry, context) => {
    for (const problem of dataProblems(entry.type, entry.data)) {
      context.addIssue({ code: "custom", message: problem.message, path: ["data", ...problem.path] });
    }
  });

export const config = z.strictObject({
  verify,
  batch: expressionText(expressions, ["list"])
    .optional()
    .describe(
      "CEL that gives a list, for a body that holds several items; `item` is each of them. Without it `item` is the body.",
    ),
  events: z
    .array(mapping)
    .min(1)
    .describe("What an item becomes: one event for every entry whose `when` is true."),
});
