import { z } from "zod";
import { ticketPriority, ticketStatus } from "../model/data.ts";
import { person } from "./schema-contact.ts";
import { csat } from "./schema-csat.ts";
import { newMessage } from "./schema-message.ts";
import { orderBrief, orderInTicket } from "./schema-order.ts";
import * as field from "./schema-text.ts";

/** A ticket as it is answered. */
export const ticket = z.strictObject({
  id: z.string(),
  number: z.int(),
  subject: z.string(),
  status: ticketStatus,
  priority: ticketPriority,
  channel: z.string(),
  requester: z.strictObject({
    id: z.string(),
    name: z.string().nullable(),
    email: z.string().nullable(),
    phone: z.string().nullable(),
  }),
  assignee: z.string().nullable(),
  tags: z.array(z.string()),
  custom_fields: z.record(z.string(), z.unknown()),
  refs: z.array(field.ref),
  orders: z.array(orderBrief),
  csat: csat.nullable(),
  follow_up_of: z.string().nullable(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  closed_at: z.iso.datetime().nullable(),
  version: z.int(),
});

const channel = field.text(50);
const orders = z.array(orderInTicket).max(50);

const fields = {
  priority: ticketPriority.optional(),
  status: ticketStatus.optional(),
  channel: channel.optional(),
  assignee: field.name.nullish(),
  custom_fields: field.customFields.optional(),
  tags: field.tagList.optional(),
  orders: orders.optional(),
};

const requester = { requester: person.optional(), requester_id: field.objectId("contact").optional() };

function namesRequester(body: { requester?: unknown; requester_id?: unknown }): boolean {
  return (body.requester === undefined) !== (body.requester_id === undefined);
}
const requesterNeeded = { message: "either requester or requester_id is needed", path: ["requester"] };

/** Body of `POST /v1/tickets`. */
export const newTicket = z
  .strictObject({
    subject: field.subject,
    ...requester,
    ...fields,
    message: newMessage.optional(),
    ref: field.ref.optional(),
  })
  .refine(namesRequester, requesterNeeded);
export type NewTicket = z.output<typeof newTicket>;

/** Body of `PUT /v1/tickets/by-ref/…`. */
export const putTicket = z
  .strictObject({
    subject: field.subject,
    ...requester,
    ...fields,
    message: newMessage.optional(),
    repeat: z
      .strictObject({ closed: z.enum(["reopen", "follow_up", "ignore"]).default("reopen") })
      .optional()
      .describe("what a message to a solved or closed ticket does"),
  })
  .refine(namesRequester, requesterNeeded);

/** Body of `PATCH`: what is given is set; a message is appended in the same step. */
export const ticketChange = z
  .strictObject({
    subject: field.subject.optional(),
    ...requester,
    ...fields,
    message: newMessage.optional(),
  })
  .refine((body) => body.requester === undefined || body.requester_id === undefined, {
    message: "only one of requester and requester_id can be given",
    path: ["requester"],
  });
export type TicketChange = z.output<typeof ticketChange>;

export const tagChange = z.strictObject({
  add: field.tagList.default([]),
  remove: field.tagList.default([]),
});

const ticketSorts = ["created_at", "-created_at", "updated_at", "-updated_at"] as const;

/** The order of a list; a leading minus is newest first. */
export type TicketSort = (typeof ticketSorts)[number];

export const ticketQuery = z
  .strictObject({
    status: z
      .string()
      .transform((value) => value.split(","))
      .pipe(z.array(ticketStatus))
      .optional()
      .describe("one status, or several with commas"),
    tag: field.tag.optional(),
    requester_id: field.objectId("contact").optional(),
    assignee: field.name.optional(),
    channel: channel.optional(),
    order_id: field.objectId("order").optional(),
    order_source: field.sourceName.optional(),
    order_external_id: field.externalId.optional(),
    updated_after: field.instant.optional(),
    q: field
      .text(200)
      .optional()
      .describe(
        'words that the subject or one message has all of; "quoted" ones together, `-` for not, `or`',
      ),
    sort: z
      .enum(ticketSorts)
      .optional()
      .describe("-created_at unless told; updated_at where updated_after is given without q"),
    limit: field.pageLimit,
    cursor: field.pageCursor,
  })
  .refine((query) => (query.order_source === undefined) === (query.order_external_id === undefined), {
    message: "order_source and order_external_id belong together",
    path: ["order_source"],
  })
  .refine((query) => query.q === undefined || query.sort?.endsWith("updated_at") !== true, {
    message: "goes with the order of creation only",
    path: ["sort"],
  });
export type TicketQuery = z.output<typeof ticketQuery>;

/** Body of `POST /v1/tickets/{id}/merge`. */
export const ticketMerge = z.strictObject({
  into: field.objectId("ticket").describe("the ticket that stays"),
});

/** One entry of a ticket's history. */
export const historyEntry = z.strictObject({
  id: z.string().describe("as in the change feed"),
  type: z.string(),
  time: z.iso.datetime(),
  actor: z.string().describe("who did it, such as `key_7`"),
  object_id: z.string(),
  changes: z.array(z.strictObject({ field: z.string(), from: z.unknown(), to: z.unknown() })),
});
