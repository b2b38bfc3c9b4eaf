import { z } from "zod";
import { ticketStatus } from "../model/data.ts";
import { readSequence } from "./change.ts";
import { csat, newCsat } from "./schema-csat.ts";
import { checkContent, message, messageContent } from "./schema-message.ts";
import * as field from "./schema-text.ts";

/** Body of `POST /v1/client-tokens`. */
export const newClientToken = z.strictObject({
  contact_id: field.objectId("contact"),
  ttl_seconds: z
    .int()
    .min(60)
    .max(86_400)
    .default(3600)
    .describe("how long the token is good for, in seconds"),
});

export const clientToken = z.strictObject({
  id: z.string(),
  token: z.string().describe("shown this once"),
  contact_id: z.string().describe("whose it is: where the contact was merged, the one it was merged into"),
  expires_at: z.iso.datetime(),
});

export const revokedClientToken = z.strictObject({ id: z.string(), deleted: z.literal(true) });

/** The contact behind a token. */
export const me = z.strictObject({
  id: z.string(),
  name: z.string().nullable(),
  email: z.string().nullable(),
  phone: z.string().nullable(),
  created_at: z.iso.datetime(),
});

/** A ticket as its requester sees it. */
export const ownTicket = z.strictObject({
  id: z.string(),
  number: z.int(),
  subject: z.string(),
  status: ticketStatus,
  channel: z.string(),
  assignee: z.string().nullable().describe("a name"),
  csat: csat.nullable(),
  created_at: z.iso.datetime(),
  last_message_at: z.iso.datetime().nullable(),
  closed_at: z.iso.datetime().nullable(),
});

/** A message as the requester of its ticket sees it. */
export const ownMessage = z.strictObject({
  ...message.omit({ visibility: true, author: true, refs: true }).shape,
  author: message.shape.author.omit({ id: true }),
});

export const newOwnMessage = z.strictObject(messageContent).superRefine(checkContent);
export type NewOwnMessage = z.output<typeof newOwnMessage>;

/** Body of `POST /v1/me/tickets`. */
export const newOwnTicket = z.strictObject({
  subject: field.subject.optional().describe("the beginning of the message unless told"),
  message: newOwnMessage,
});

/** Body of `POST /v1/me/tickets/{id}/csat`. */
export const newOwnCsat = newCsat.omit({ close: true });

export const ownMessageQuery = z.strictObject({
  sort: z.enum(["created_at", "-created_at"]).default("created_at"),
  limit: field.pageLimit,
  cursor: field.pageCursor,
});

export const ownStreamQuery = z.strictObject({
  after: z
    .string()
    .max(50)
    .refine(
      (text) => text === "now" || readSequence(text) !== undefined,
      "must be the id of an event, or now",
    )
    .optional()
    .describe("`now` unless told; the header Last-Event-ID goes before it"),
  access_token: z
    .string()
    .max(8000)
    .optional()
    .describe("the token, for clients that cannot send headers, such as a browser's EventSource"),
});

/** What happened in a ticket of one's own, with the ticket or message as it is now. */
export const ownEvent = z.strictObject({
  id: z.string(),
  sequence: z.string(),
  type: z.enum(["message.created", "ticket.created", "ticket.updated", "ticket.closed", "ticket.reopened"]),
  time: z.iso.datetime(),
  ticket_id: z.string(),
  object_id: z.string(),
  object: z.union([ownTicket, ownMessage]),
});
