import { AppError } from "deskbridge/sdk";
import type { HttpResponse, NewTicket, RemoteTicket, TicketActions, TicketChanges } from "deskbridge/sdk";
import type { GorgiasApi } from "./api.ts";
import type { Config } from "./config.ts";
import type { Customers } from "./customer.ts";
import { messageBody } from "./message.ts";
import type { Recipient } from "./message.ts";
import { fieldValues, message, parseAnswer, written } from "./object.ts";
import type { Ticket } from "./object.ts";
import { findTickets } from "./search.ts";
import { createTicketAccess } from "./ticket-access.ts";
import type { TicketAccess } from "./ticket-access.ts";
import { fieldIds, fieldList, isKnown, known, named, ticketFields, ticketMeta } from "./ticket.ts";

type Json = Readonly<Record<string, unknown>>;

/** What can be done to the account's tickets. */
export function createTicketActions(settings: Config, api: GorgiasApi, customers: Customers): TicketActions {
  const access = createTicketAccess(api);
  return {
    find: async (key, signal, requester) => {
      const found = await findTickets(api, customers, key, requester, signal);
      return found.map((ticket) => known(settings, ticket));
    },
    read: async (id, signal) => {
      const ticket = await access.read(id, signal);
      return ticket === undefined ? undefined : known(settings, ticket);
    },
    create: async (input, signal) => {
      const body = ticketBody(settings, input, await requesterOf(customers, input, signal));
      const answer = await api.request({ method: "POST", path: "/api/tickets", body, signal });
      return named(settings, madeWith(input.key, answer));
    },
    say: async (ticket, { reopens, ...said }, signal) => {
      const { id } = ticket;
      const to = isKnown(ticket) ? recipientOf(ticket.facts) : {};
      const body = messageBody(settings, said, to);
      // First: if it were second and did not happen, the message would be found and the ticket stay closed.
      if (reopens) await access.put(id, { status: "open" }, signal);
      const answer = await api.request({ method: "POST", path: `/api/tickets/${id}/messages`, body, signal });
      return { id: parseAnswer(written, "a message", answer).id };
    },
    saidWith: (ticket, marker, signal) => messagesWith(api, ticket.id, marker, signal),
    update: (ticket, changes, signal) => update(settings, ticket, changes, access, signal),
    tag: (ticket, tags, signal) => access.replaceIn(ticket, (now) => tagChange(now, tags), signal),
  };
}

function madeWith(key: string, answer: HttpResponse): string {
  const { id, external_id: kept } = parseAnswer(written, "a ticket", answer);
  if (kept === undefined || kept === null || kept === key) return id;
  throw new AppError("target_protocol", "Gorgias answered with another ticket than the one to be made");
}

function ticketBody(settings: Config, input: NewTicket, customer: Recipient): Json {
  const { key, marker, message: text, visibility, tags, customFields } = input;
  const fields = fieldIds(settings, customFields);
  const first = { text, marker, visibility, direction: "inbound" as const };
  return {
    channel: "api",
    via: "api",
    // As the first message says: a note is always an agent's.
    from_agent: visibility === "internal",
    external_id: key,
    ...ticketFields(input),
    customer,
    tags: tags.map((name) => ({ name })),
    ...(fields.size === 0 ? {} : { custom_fields: fieldList(fields) }),
    meta: ticketMeta(input),
    messages: [messageBody(settings, first, customer)],
  };
}

/** How the requester is named in a new ticket: with an e-mail address Gorgias finds or makes the customer itself. */
async function requesterOf(
  customers: Customers,
  { requester }: NewTicket,
  signal: AbortSignal,
): Promise<Recipient> {
  const { id, email, name } = requester;
  if (id !== undefined) return { id: customerId(id) };
  if (email !== undefined) return { email, name };
  const found = (await customers.match(requester, signal)) ?? (await customers.create(requester, signal));
  return { id: Number(found.id) };
}

function customerId(id: string): number {
  if (/^[1-9]\d{0,15}$/.test(id)) return Number(id);
  throw new AppError("operation_invalid", "requester.id is not the id of a Gorgias customer");
}

function recipientOf({ customer }: Ticket): Recipient {
  if (customer === null || customer === undefined) return {};
  const { id, email, channels } = customer;
  const other = channels?.find(({ type }) => type === "email")?.address;
  return { id: Number(id), email: email ?? other ?? undefined };
}

/** Pages of messages that are looked through, newest first. */
const mostPages = 10;

async function messagesWith(api: GorgiasApi, ticketId: string, marker: string, signal: AbortSignal) {
  const path = `/api/tickets/${ticketId}/messages`;
  const query = { order_by: "created_datetime:desc" };
  const found: { readonly id: string }[] = [];
  let pages = 0;
  for await (const page of api.pages({ path, item: message, what: "messages", query, signal })) {
    found.unshift(...page.filter((one) => one.external_id === marker).map(({ id }) => ({ id })));
    pages += 1;
    if (pages < mostPages) continue;
    const [newest, oldest] = [page[0]?.created_datetime, page.at(-1)?.created_datetime];
    if (found.length > 0 || (newest ?? "") >= (oldest ?? "")) break;
    throw new AppError(
      "target_protocol",
      "Gorgias lists the ticket's messages oldest first, and they are too many",
    );
  }
  return found;
}

async function update(
  settings: Config,
  ticket: RemoteTicket,
  { customFields, ...plain }: TicketChanges,
  { put, replaceIn }: TicketAccess,
  signal: AbortSignal,
): Promise<void> {
  const wanted = Object.entries(ticketFields(plain)).filter(([, value]) => value !== undefined);
  const facts = isKnown(ticket) ? ticket.facts : undefined;
  const missing = wanted.filter(([name, value]) => facts?.[name as keyof Ticket] !== value);
  if (missing.length > 0) await put(ticket.id, Object.fromEntries(missing), signal);
  const fields = fieldIds(settings, customFields);
  if (fields.size > 0) await replaceIn(ticket, (now) => fieldChange(now, fields), signal);
}

function fieldChange(now: Ticket, wanted: ReadonlyMap<string, unknown>): Json | undefined {
  const values = fieldValues(now.custom_fields);
  const differs = [...wanted].some(([id, value]) => valueText(values.get(id)) !== valueText(value));
  return differs ? { custom_fields: fieldList(new Map([...values, ...wanted])) } : undefined;
}

// A number may come back as text; a field without a value is absent or null.
function valueText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function tagChange(
  { tags }: Ticket,
  { add, remove }: { readonly add: readonly string[]; readonly remove: readonly string[] },
): Json | undefined {
  const names = (tags ?? []).map(({ name }) => name);
  const kept = names.filter((name) => !remove.some((other) => sameTag(name, other)));
  const missing = add.filter((name) => !kept.some((other) => sameTag(name, other)));
  if (kept.length === names.length && missing.length === 0) return undefined;
  return { tags: [...kept, ...new Set(missing)].map((name) => ({ name })) };
}

// A desk that writes a tag its own way would otherwise never be seen to have it.
function sameTag(a: string, b: string): boolean {
  return a.trim().toLowerCase() === b.trim().toLowerCase();
}
