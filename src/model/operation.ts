import { z } from "zod";
import * as data from "./data.ts";

const person = z
  .strictObject({
    id: z.string().optional().describe("the desk's own id of the contact"),
    email: z.email().optional(),
    phone: z.string().optional().describe("E.164"),
    externalId: z.string().optional(),
    name: z.string().optional(),
  })
  .refine((p) => p.id ?? p.email ?? p.phone ?? p.externalId, {
    message: "one of id, email, phone or externalId is needed",
  });

const text = z.string().min(1).max(65_536);
const key = z.string().min(1).max(255).describe("stable key of the ticket, unique on the desk");
const tagList = z.array(z.string().min(1).max(100)).max(100);
const customFields = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

/** Names an order by the system that it lives in and its id there. */
const orderRef = z.strictObject({
  source: z.string().min(1).describe("the order system, usually the connection's name"),
  id: z.string().min(1),
});

const orderFacts = z.strictObject({
  source: z.string().min(1),
  id: z.string().min(1),
  name: z.string().optional(),
  status: z.string().optional(),
  total: data.money.optional(),
  url: z.string().optional(),
  customer: person.optional(),
  createdAt: data.instant.optional(),
  updatedAt: data.instant.optional().describe("an older state never overwrites a newer one"),
});

/** What a repeat on a closed ticket does: open it again, open a follow-up that takes over the key, or nothing. */
export const closedPolicy = z.enum(["reopen", "followUp", "ignore"]);

/**
 * The operations, each with the schema of what a flow maps to. `ticket.open` finds or creates by `key`: a repeat on an open ticket
 * appends its message; on a solved or closed one `onClosed` decides.
 */
export const operationData = {
  "ticket.open": z.strictObject({
    key,
    requester: person,
    subject: z.string().min(1).max(500),
    message: text,
    visibility: z.enum(["public", "internal"]).default("public"),
    priority: data.ticketPriority.optional(),
    status: data.ticketStatus.optional(),
    tags: tagList.default([]),
    customFields: customFields.optional(),
    orders: z.array(orderFacts).default([]),
    onClosed: closedPolicy.default("reopen"),
  }),
  "ticket.reply": z.strictObject({ key, message: text }),
  "ticket.note": z.strictObject({ key, message: text }),
  "ticket.update": z.strictObject({
    key,
    subject: z.string().min(1).max(500).optional(),
    status: data.ticketStatus.optional(),
    priority: data.ticketPriority.optional(),
    customFields: customFields.optional(),
  }),
  "ticket.close": z.strictObject({ key, message: text.optional() }),
  "ticket.tag": z.strictObject({
    key,
    add: tagList.default([]),
    remove: tagList.default([]),
  }),
  "contact.upsert": z.strictObject({
    email: z.email().optional(),
    phone: z.string().optional(),
    externalId: z.string().optional(),
    name: z.string().optional(),
    customFields: customFields.optional(),
  }),
  "order.upsert": orderFacts,
  "order.link": z.strictObject({ key, order: orderRef }),
  "http.request": z.strictObject({
    method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]).default("POST"),
    path: z
      .string()
      .max(2000)
      .regex(/^(\/[^\s]*)?$/, "is empty or begins with /")
      .default("")
      .describe("what comes after the connection's `url`"),
    query: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
    headers: z.record(z.string(), z.string()).optional(),
    body: z.unknown().optional().describe("sent as JSON"),
  }),
} as const;

export type OperationName = keyof typeof operationData;
export type OperationInput<N extends OperationName> = z.output<(typeof operationData)[N]>;

export const operationNames = Object.keys(operationData) as readonly OperationName[];

export function isOperationName(name: string): name is OperationName {
  return Object.hasOwn(operationData, name);
}

/** One mapped operation, ready to be sent to the target of its flow. */
export type Operation = {
  [N in OperationName]: { readonly name: N; readonly input: OperationInput<N> };
}[OperationName];
