import { z } from "zod";

/** An amount in integer minor units (cents) of an ISO 4217 currency. */
export const money = z.strictObject({
  minor: z.int(),
  currency: z.string().regex(/^[A-Z]{3}$/),
});

/** An RFC 3339 instant in UTC, `2026-11-22T10:00:00Z`, with up to nanoseconds. */
export const instant = z.iso.datetime();

const tags = z.array(z.string()).default([]);

export const address = z.strictObject({
  name: z.string().optional(),
  line1: z.string().optional(),
  line2: z.string().optional(),
  city: z.string().optional(),
  region: z.string().optional(),
  postalCode: z.string().optional(),
  country: z.string().optional().describe("ISO 3166-1 alpha-2"),
  phone: z.string().optional(),
});

export const customer = z.strictObject({
  id: z.string(),
  email: z.string().optional(),
  phone: z.string().optional().describe("E.164 where the vendor gives enough to tell"),
  name: z.string().optional(),
  firstName: z.string().optional(),
  lastName: z.string().optional(),
  locale: z.string().optional(),
  ordersCount: z.int().optional(),
  tags,
  createdAt: instant.optional(),
  updatedAt: instant.optional(),
});

export const lineItem = z.strictObject({
  id: z.string().optional(),
  sku: z.string().optional(),
  title: z.string(),
  quantity: z.int(),
});

export const order = z.strictObject({
  id: z.string(),
  name: z.string().optional().describe("what the customer sees, such as #1001"),
  status: z.string().optional(),
  financialStatus: z.string().optional(),
  fulfillmentStatus: z.string().optional(),
  email: z.string().optional(),
  phone: z.string().optional(),
  total: money.optional(),
  tags,
  note: z.string().optional(),
  cancelReason: z.string().optional(),
  url: z.string().optional(),
  items: z.array(lineItem).default([]),
  shippingAddress: address.optional(),
  createdAt: instant.optional(),
  updatedAt: instant.optional(),
  cancelledAt: instant.optional(),
});

export const fulfillment = z.strictObject({
  id: z.string(),
  status: z.string().describe("the vendor's status in lower case, such as failure or delayed"),
  message: z.string().optional(),
  reason: z.string().optional(),
  trackingNumber: z.string().optional(),
  trackingCompany: z.string().optional(),
  trackingUrl: z.string().optional(),
  estimatedDeliveryAt: instant.optional(),
  happenedAt: instant.optional(),
});

export const hold = z.strictObject({
  id: z.string().optional(),
  reason: z.string(),
  note: z.string().optional(),
});

export const payment = z.strictObject({
  id: z.string(),
  status: z.string(),
  reason: z.string().optional(),
  amount: money.optional(),
  dueAt: instant.optional(),
});

export const refund = z.strictObject({
  id: z.string(),
  status: z.string().optional(),
  reason: z.string().optional(),
  amount: money.optional(),
});

export const returnRequest = z.strictObject({
  id: z.string(),
  status: z.string().optional(),
  reason: z.string().optional(),
  items: z.array(lineItem).default([]),
});

export const survey = z.strictObject({
  id: z.string(),
  score: z.number(),
  scale: z.int().optional().describe("the best score there is, such as 5 or 10"),
  comment: z.string().optional(),
  ticketKey: z.string().optional(),
});

export const ticketStatuses = ["new", "open", "pending", "on_hold", "solved", "closed"] as const;
export const ticketStatus = z.enum(ticketStatuses);
export type TicketStatus = z.infer<typeof ticketStatus>;

export const ticketPriorities = ["low", "normal", "high", "urgent"] as const;
export const ticketPriority = z.enum(ticketPriorities);

export const ticket = z.strictObject({
  id: z.string(),
  key: z.string().optional().describe("our own key, where the desk keeps one"),
  number: z.string().optional(),
  subject: z.string().optional(),
  status: ticketStatus.optional(),
  priority: ticketPriority.optional(),
  tags,
  url: z.string().optional(),
});

export const message = z.strictObject({
  id: z.string(),
  direction: z.enum(["inbound", "outbound"]).optional(),
  visibility: z.enum(["public", "internal"]).optional(),
  author: z.enum(["contact", "agent", "system"]).optional(),
  text: z.string().optional(),
});

export const contact = z.strictObject({
  id: z.string(),
  email: z.string().optional(),
  phone: z.string().optional(),
  name: z.string().optional(),
  externalId: z.string().optional(),
  mergedInto: z.string().optional(),
});

/** Who did what a desk tells of. A desk that tells of our own writes too has `own` there, so that a flow can pass them over. */
export const actor = z.strictObject({
  id: z.string().describe("as the desk names them, such as key_7"),
  own: z.boolean().optional().describe("whether it was this connection itself"),
});

export const changedRecord = z.strictObject({
  table: z.string(),
  key: z.string(),
  change: z.enum(["insert", "update", "delete"]).optional(),
  values: z.record(z.string(), z.unknown()).default({}),
});

export type Money = z.infer<typeof money>;
export type Customer = z.infer<typeof customer>;
export type Order = z.infer<typeof order>;
export type Fulfillment = z.infer<typeof fulfillment>;
