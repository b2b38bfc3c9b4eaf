import { list, object, pageOf, refuse, text } from "./gorgias-answer.ts";
import type { GorgiasAnswer, GorgiasCall, Json } from "./gorgias-answer.ts";
import { customerOf } from "./gorgias-customers.ts";
import type { GorgiasBehaviour, GorgiasState, StubMessage, StubTicket } from "./gorgias-state.ts";

/** Calls below `/api/tickets`. */
export function answerTickets(call: GorgiasCall): GorgiasAnswer {
  const { method, parts, state, behaviour, body } = call;
  const [, id, below] = parts;
  if (id === undefined && method === "GET") return listTickets(call);
  if (id === undefined && method === "POST") return createTicket(state, behaviour, body);
  const ticket = state.tickets.get(Number(id));
  if (ticket === undefined) return refuse(404, "Ticket not found");
  if (below === "messages") return answerMessages(call, ticket);
  if (below !== undefined) return refuse(404, "Not found");
  if (method === "GET") return { status: 200, body: shown(ticket) };
  if (method !== "PUT") return refuse(405, "Method not allowed");
  return changeTicket(state, ticket, body);
}

function listTickets(call: GorgiasCall): GorgiasAnswer {
  const { query, state, behaviour } = call;
  const externalId = behaviour.filtersByExternalId ? query.get("external_id") : null;
  const customerId = query.get("customer_id");
  const rows = [...state.tickets.values()].filter(
    (one) =>
      (externalId === null || one.external_id === externalId) &&
      (customerId === null || String(one.customer.id) === customerId) &&
      (query.get("trashed") !== "false" || one.trashed_datetime === null) &&
      one.shownAt <= behaviour.now(),
  );
  const order = query.get("order_by") ?? "created_datetime:desc";
  const time = order === "updated_datetime:desc" ? "updated_datetime" : "created_datetime";
  const page = pageOf(call, rows, (one) => one[time]);
  const { data, ...rest } = object(page.body);
  return Array.isArray(data)
    ? { ...page, body: { ...rest, data: data.map((one) => shown(one as StubTicket)) } }
    : page;
}

/** All messages of the account, newest first. */
export function listMessages(call: GorgiasCall): GorgiasAnswer {
  const { state, query, method } = call;
  if (method !== "GET") return refuse(405, "Method not allowed");
  const ticketId = query.get("ticket_id");
  const rows = [...state.tickets.values()]
    .filter(({ id }) => ticketId === null || String(id) === ticketId)
    .flatMap(({ id, customer, messages }) =>
      messages.map(({ shownAt: _shownAt, ...one }) => ({
        ...one,
        ticket_id: id,
        attachments: [],
        sender: one.from_agent ? { id: 1, name: "Kim", email: "kim@example.com" } : customer,
      })),
    );
  return pageOf(call, rows, (one) => one.created_datetime);
}

function shown({ messages, ...ticket }: StubTicket): Json {
  return { ...ticket, messages_count: messages.length };
}

function createTicket(state: GorgiasState, behaviour: GorgiasBehaviour, body: Json): GorgiasAnswer {
  const first = list(body["messages"]);
  if (first.length === 0)
    return refuse(400, "Invalid body", { messages: ["Missing data for required field."] });
  const fault = first.map(messageFault).find((one) => one !== undefined);
  if (fault !== undefined) return fault;
  const now = state.timestamp();
  const ticket: StubTicket = {
    id: state.newId(),
    external_id: text(body["external_id"]),
    status: text(body["status"]) ?? "open",
    priority: text(body["priority"]) ?? "normal",
    subject: text(body["subject"]),
    customer: customerOf(state, body["customer"] ?? first[0]?.["sender"]),
    tags: tagsOf(body["tags"]),
    custom_fields: fieldsOf(body["custom_fields"]),
    meta: body["meta"] ?? null,
    created_datetime: now,
    updated_datetime: now,
    closed_datetime: null,
    trashed_datetime: null,
    messages: [],
    shownAt: behaviour.now() + behaviour.listLagMs,
  };
  for (const one of first) addMessage(state, behaviour, ticket, one);
  state.tickets.set(ticket.id, ticket);
  return { status: 201, body: shown(ticket) };
}

const statuses: readonly unknown[] = ["open", "closed"];
const priorities: readonly unknown[] = ["low", "normal", "high", "critical"];

// Gorgias replaces tags and custom fields with what is sent, and leaves alone what is not.
function changeTicket(state: GorgiasState, ticket: StubTicket, body: Json): GorgiasAnswer {
  const { status, priority, subject, tags, custom_fields: fields, meta } = body;
  if (status !== undefined && !statuses.includes(status))
    return refuse(400, "Invalid body", { status: ["Not a valid choice."] });
  if (priority !== undefined && !priorities.includes(priority)) {
    return refuse(400, "Invalid body", { priority: ["Not a valid choice."] });
  }
  if (typeof status === "string" && status !== ticket.status) {
    ticket.status = status;
    ticket.closed_datetime = status === "closed" ? state.timestamp() : null;
  }
  if (typeof priority === "string") ticket.priority = priority;
  if (subject !== undefined) ticket.subject = text(subject);
  if (tags !== undefined) ticket.tags = tagsOf(tags);
  if (fields !== undefined) ticket.custom_fields = fieldsOf(fields);
  if (meta !== undefined) ticket.meta = meta;
  ticket.updated_datetime = state.timestamp();
  return { status: 202, body: shown(ticket) };
}

function answerMessages(call: GorgiasCall, ticket: StubTicket): GorgiasAnswer {
  const { method, state, behaviour, body } = call;
  if (method === "GET") {
    const rows = ticket.messages.filter(({ shownAt }) => shownAt <= behaviour.now());
    return pageOf(call, rows, (one) => one.created_datetime);
  }
  if (method !== "POST") return refuse(405, "Method not allowed");
  const fault = messageFault(body);
  if (fault !== undefined) return fault;
  ticket.updated_datetime = state.timestamp();
  return { status: 201, body: addMessage(state, behaviour, ticket, body) };
}

function messageFault(body: Json): GorgiasAnswer | undefined {
  const missing = ["channel", "via", "from_agent"].filter((name) => body[name] === undefined);
  const fault = (field: string): GorgiasAnswer =>
    refuse(400, "Invalid body", { [field]: ["Missing data for required field."] });
  if (missing[0] !== undefined) return fault(missing[0]);
  if (body["sender"] === undefined) return fault("sender");
  const isReply = body["from_agent"] === true && body["channel"] === "email";
  return isReply && addressesOf(body) === undefined ? fault("source") : undefined;
}

function addMessage(
  state: GorgiasState,
  behaviour: GorgiasBehaviour,
  ticket: StubTicket,
  body: Json,
): StubMessage {
  const message: StubMessage = {
    id: state.newId(),
    external_id: text(body["external_id"]),
    channel: String(body["channel"]),
    public: body["public"] !== false,
    from_agent: body["from_agent"] === true,
    body_text: text(body["body_text"]) ?? "",
    created_datetime: state.timestamp(),
    shownAt: behaviour.now() + behaviour.listLagMs,
  };
  ticket.messages.push(message);
  const isMailed = message.from_agent && message.channel === "email" && body["sent_datetime"] === undefined;
  const addresses = isMailed ? addressesOf(body) : undefined;
  if (addresses !== undefined) state.mails.push({ ...addresses, text: message.body_text });
  return message;
}

function addressesOf(body: Json): { readonly from: string; readonly to: string } | undefined {
  const source = object(body["source"]);
  const from = text(object(source["from"])["address"]);
  const to = text(list(source["to"])[0]?.["address"]);
  return from === null || to === null ? undefined : { from, to };
}

function tagsOf(value: unknown): StubTicket["tags"] {
  return list(value).map(({ name }) => ({ name: String(name) }));
}

function fieldsOf(value: unknown): StubTicket["custom_fields"] {
  return Object.fromEntries(
    list(value).map(({ id, value: given }) => [String(id), { id: Number(id), value: given }]),
  );
}
