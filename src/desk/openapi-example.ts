const at = "2026-11-22T10:00:00.000Z";
const ref = { source: "shop", external_id: "1001" };

const csat = { score: 5, comment: "That was quick.", rated_at: at };

const orderBrief = {
  id: "ord_1",
  ...ref,
  name: "#1001",
  status: "shipped",
  total: { minor: 4200, currency: "EUR" },
  url: null,
};

const ticket = {
  id: "tkt_1",
  number: 1,
  subject: "Where is my parcel?",
  status: "open",
  priority: "normal",
  channel: "api",
  requester: { id: "con_1", name: "Ada Lovelace", email: "ada@example.com", phone: null },
  assignee: null,
  tags: ["late"],
  custom_fields: { tier: "gold" },
  refs: [{ source: "shop-worker", external_id: "fulfillment:77" }],
  orders: [orderBrief],
  csat: null,
  follow_up_of: null,
  created_at: at,
  updated_at: at,
  closed_at: null,
  version: 2,
};

const message = {
  id: "msg_1",
  ticket_id: "tkt_1",
  direction: "inbound",
  visibility: "public",
  author: { type: "contact", id: "con_1", name: "Ada Lovelace" },
  text: "It should have come on Monday.",
  html: null,
  attachments: [],
  refs: [],
  in_reply_to: null,
  created_at: at,
};

const contact = {
  id: "con_1",
  name: "Ada Lovelace",
  email: "ada@example.com",
  phone: "+4930901820",
  identities: [{ id: "idn_1", type: "email", source: null, value: "ada@example.com", verified: true }],
  refs: [{ source: "crm", external_id: "7" }],
  custom_fields: { tier: "gold" },
  created_at: at,
  updated_at: at,
  version: 1,
};

const order = {
  ...orderBrief,
  contact_id: "con_1",
  states: [{ status: "shipped", at }],
  created_at: at,
  updated_at: at,
  version: 1,
};

const change = {
  id: "evt_42",
  sequence: "000000000032c000000000002a",
  type: "ticket.closed",
  time: at,
  actor: "key_7",
  object_id: "tkt_1",
  ticket_id: "tkt_1",
  data: { status: ["open", "solved"] },
};

const webhook = {
  id: "whk_1",
  url: "https://hooks.example.com/desk",
  events: ["ticket.*", "message.created"],
  description: null,
  order: "ticket",
  enabled: true,
  status: "active",
  failing_since: null,
  disabled_reason: null,
  old_secret_until: null,
  created_at: at,
  updated_at: at,
  version: 1,
};

const newTicket = {
  subject: "Where is my parcel?",
  requester: { email: "ada@example.com", name: "Ada Lovelace" },
  message: { text: "It should have come on Monday." },
  tags: ["late"],
  orders: [{ ...ref, name: "#1001" }],
};

/** Examples of the document's shapes, by name. */
const examples: Readonly<Record<string, unknown>> = {
  Ticket: ticket,
  Message: message,
  Contact: contact,
  Order: order,
  Change: change,
  Webhook: webhook,
  Csat: csat,
  Ref: ref,
  Money: { minor: 4200, currency: "EUR" },
  WebhookBody: { ...change, timestamp: at, object: ticket },
  NewTicket: newTicket,
  PutTicket: {
    subject: "Order #1001: delivery failed",
    requester: { email: "ada@example.com" },
    message: { text: "The carrier could not find the address.", author: { type: "system" } },
    orders: [ref],
    repeat: { closed: "reopen" },
  },
  TicketChange: { status: "solved", message: { text: "It has arrived." } },
  TagChange: { add: ["vip"], remove: ["late"] },
  TicketMerge: { into: "tkt_2" },
  NewMessage: { text: "We are looking into it." },
  NewCsat: { score: 5, comment: "That was quick.", close: true },
  NewContact: { email: "ada@example.com", name: "Ada Lovelace" },
  ContactChange: { email: "ada@example.com", custom_fields: { tier: "gold" } },
  ContactMerge: { into: "con_2" },
  NewIdentity: { type: "phone", value: "+4930901820", verified: true },
  OrderFacts: { name: "#1001", status: "shipped", total: { minor: 4200, currency: "EUR" }, updated_at: at },
  NewWebhook: { url: webhook.url, events: webhook.events, order: "ticket" },
  WebhookChange: { enabled: true },
  SecretRotation: { overlap_seconds: 3600 },
  ReplayRange: { from: "2026-11-21T00:00:00Z", until: "2026-11-22T00:00:00Z" },
  BusinessHours: {
    time_zone: "Europe/Berlin",
    hours: { monday: [["09:00", "17:00"]] },
    holidays: ["2026-12-25"],
  },
  NewBatch: {
    requests: [
      {
        method: "PUT",
        path: "/v1/contacts/by-ref/crm/7",
        body: { email: "ada@example.com" },
        headers: { idempotency_key: "sync-7" },
      },
      { method: "POST", path: "/v1/tickets/tkt_1/tags", body: { add: ["vip"] } },
    ],
  },
  NewClientToken: { contact_id: "con_1", ttl_seconds: 3600 },
  NewOwnTicket: { message: { text: "Where is my parcel?" } },
  NewOwnCsat: { score: 5, comment: "That was quick." },
  NewOwnMessage: { text: "It has not come yet." },
};

/** An example of the shape of that name; undefined where there is none. */
export function exampleOf(name: string): unknown {
  return examples[name];
}
