import { z } from "zod";
import { imagesOf, textOfHtml } from "./html.ts";
import * as field from "./schema-text.ts";

const direction = z.enum(["inbound", "outbound"]);
const visibility = z.enum(["public", "internal"]);
const authorType = z.enum(["contact", "agent", "system"]);

/** A file of a message. */
const attached = z.strictObject({
  id: z.string(),
  filename: z.string(),
  content_type: z.string(),
  size: z.int().describe("in bytes"),
});

/** A message as it is answered. */
export const message = z.strictObject({
  id: z.string(),
  ticket_id: z.string(),
  in_reply_to: z.string().nullable().describe("the message that it answers"),
  direction,
  visibility,
  author: z.strictObject({ type: authorType, id: z.string().nullable(), name: z.string().nullable() }),
  text: z.string(),
  html: z.string().nullable(),
  attachments: z.array(attached),
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

/** What a message says, in a request. */
export const messageContent = {
  text: field.messageText.optional().describe("made of the HTML unless told"),
  html: field.messageHtml.optional(),
  attachments: z
    .array(field.objectId("attachment"))
    .max(20)
    .overwrite((ids) => [...new Set(ids)])
    .optional(),
  in_reply_to: field.objectId("message").optional().describe("a message of the same ticket"),
};

interface Content {
  readonly text?: string | undefined;
  readonly html?: string | undefined;
  readonly attachments?: readonly string[] | undefined;
}

/** Refuses a message that says nothing, and one that shows an image which it does not have. */
export function checkContent({ text, html, attachments = [] }: Content, context: z.RefinementCtx): void {
  if (text === undefined && attachments.length === 0 && textOfHtml(html ?? "") === "") {
    const message = html === undefined ? "text, html or attachments are needed" : "html says nothing";
    context.addIssue({ code: "custom", path: [html === undefined ? "text" : "html"], message });
  }
  if (imagesOf(html ?? "").some((id) => !attachments.includes(id))) {
    context.addIssue({
      code: "custom",
      path: ["html"],
      message: "shows an image that is not among the attachments",
    });
  }
}

/** A message in a request. The first of a ticket is inbound unless told, a later one outbound. */
export const newMessage = z
  .strictObject({
    ...messageContent,
    direction: direction.optional(),
    visibility: visibility.default("public"),
    author: author.optional(),
    ref: field.ref.optional(),
  })
  .superRefine(checkContent);
export type NewMessage = z.output<typeof newMessage>;

export const messageQuery = z.strictObject({
  visibility: visibility.optional(),
  sort: z.enum(["created_at", "-created_at"]).default("created_at"),
  limit: field.pageLimit,
  cursor: field.pageCursor,
});
