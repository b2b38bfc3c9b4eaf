import { z } from "zod";
import { contact } from "./schema-contact.ts";
import { message } from "./schema-message.ts";
import { order } from "./schema-order.ts";
import * as field from "./schema-text.ts";
import { ticket } from "./schema-ticket.ts";

/** Body of `POST /v1/contacts/{id}/merge`. */
export const contactMerge = z.strictObject({ into: field.objectId("contact").describe("who stays") });

/** What an erasure answers. */
export const erasedContact = z.strictObject({ id: z.string(), deleted: z.literal(true) });

/** All that is held about a contact. */
export const contactExport = z.strictObject({
  contact,
  merged: z.array(contact).describe("contacts that were merged into this one, as they were"),
  orders: z.array(order),
  tickets: z.array(ticket.extend({ messages: z.array(message) })),
  messages_elsewhere: z.array(message).describe("what they wrote in tickets of others"),
  changes: z
    .array(
      z.strictObject({
        type: z.string(),
        time: z.iso.datetime(),
        ticket_id: z.string().nullable(),
        data: z.record(z.string(), z.unknown()),
      }),
    )
    .describe("of their tickets"),
});
