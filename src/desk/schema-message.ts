import { z } from "zod";
import * as field from "./schema-text.ts";

const direction = z.enum(["inbound", "outbound"]);
const visibility = z.enum(["public", "internal"]);
const authorType = z.enum(["contact", "agent", "system"]);

/** A message as it is answered. */
export const message = z.strictObject({
  id: z.string(),
  ticket_id: z.string(),
  direction,
  visibility,
  author: z.strictObject({ type: authorType, id: z.string().nullable(), name: z.string().nullable() }),
  text: z.string(),
  html: z.string().nullable(),
  attachments: z.array(z.unknown()),
  refs: z.array(field.ref),
  created_at: z.iso.datetime(),
});

const author = z
  .strictObject({
    type: authorType,
    id: field
      .text(100)
      .optional()
      .describe("of a contact: its id; of an agent or a system: any name it goes by"),
    name: field.name.optional(),
  })
  .superRefine((value, context) => {
    if (value.type !== "contact" || value.id === undefined) return;
    if (field.objectId("contact").safeParse(value.id).success) return;
    context.addIssue({ code: "custom", path: ["id"], message: "must be the id of a contact" });
  });

/** A message in a request. The first of a ticket is inbound unless told, a later one outbound. */
export const newMessage = z.strictObject({
  text: field.messageText,
  direction: direction.optional(),
  visibility: visibility.default("public"),
  author: author.optional(),
  ref: field.ref.optional(),
});
export type NewMessage = z.output<typeof newMessage>;

export const messageQuery = z.strictObject({
  visibility: visibility.optional(),
  sort: z.enum(["created_at", "-created_at"]).default("created_at"),
  limit: field.pageLimit,
  cursor: field.pageCursor,
});
