import { AppError } from "deskbridge/sdk";
import type { HttpRequest, NewTicket, RemoteObject, TicketActions } from "deskbridge/sdk";
import { z } from "zod";
import type { ZendeskApi } from "./api.ts";
import { parseAnswer } from "./api.ts";
import { addedComment, findMarked, markerName, updateAnswer } from "./audit.ts";
import type { Config } from "./config.ts";
import type { Contacts } from "./contact.ts";
import type { OrderPlaces } from "./order.ts";
import { changeSafely, findTickets, readTicket, updateTicket } from "./ticket-access.ts";
import {
  agentUrl,
  asTicket,
  known,
  remoteId,
  toVendorFields,
  toVendorStatus,
  toVendorTags,
} from "./ticket.ts";
import type { Ticket } from "./ticket.ts";

/** What the actions on tickets work with. */
export interface TicketParts {
  readonly api: ZendeskApi;
  readonly settings: Config;
  readonly contacts: Contacts;
  readonly orders: OrderPlaces;
}

/** What the vendor lets us do to tickets. */
export function createTicketActions(parts: TicketParts): TicketActions {
  const { api, settings } = parts;
  return {
    find: (key, signal) => findTickets(api, key, signal),
    read: (id, signal) => readTicket(api, id, signal),
    create: (ticket, signal) => createTicket(parts, ticket, signal),
    say: async (ticket, { text, direction, visibility, marker, reopens }, signal) => {
      const { requesterId } = asTicket(ticket);
      const comment = known({
        body: text,
        public: visibility === "public",
        author_id: direction === "inbound" ? Number(requesterId) : undefined,
      });
      const status = reopens ? "open" : undefined;
      const change = known({ comment, metadata: { [markerName]: marker }, status });
      return addedComment(await updateTicket(api, ticket, change, updateAnswer, signal));
    },
    saidWith: (ticket, marker, signal) => findMarked(api, ticket.id, marker, signal),
    update: async (ticket, { subject, status, priority, customFields }, signal) => {
      const change = known({
        subject,
        priority,
        status: status === undefined ? undefined : toVendorStatus(status, settings),
        custom_fields: customFields === undefined ? undefined : toVendorFields(customFields, settings),
      });
      if (Object.keys(change).length === 0) return;
      await updateTicket(api, ticket, change, createAnswer, signal);
    },
    tag: (ticket, { add, remove }, signal) =>
      changeTags(api, asTicket(ticket), { add: toVendorTags(add), remove: toVendorTags(remove) }, signal),
  };
}

async function changeTags(
  api: ZendeskApi,
  ticket: Ticket,
  { add, remove }: { readonly add: readonly string[]; readonly remove: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const path = `/api/v2/tickets/${ticket.id}/tags`;
  const lackingOn = ({ tags }: Ticket): readonly string[] => add.filter((tag) => !tags.includes(tag));
  const unwantedOn = ({ tags }: Ticket): readonly string[] => remove.filter((tag) => tags.includes(tag));
  // The ticket was read just now: where nothing is to be done, it is not read again.
  if (lackingOn(ticket).length > 0) {
    await changeSafely(api, ticket.id, signal, (fresh, stamp) => {
      const tags = lackingOn(fresh);
      if (tags.length === 0) return undefined;
      return api.send({ method: "PUT", path, body: { tags, ...stamp }, signal });
    });
  }
  if (unwantedOn(ticket).length > 0) {
    await changeSafely(api, ticket.id, signal, (fresh, stamp) => {
      const tags = unwantedOn(fresh);
      if (tags.length === 0) return undefined;
      return api.send({ method: "DELETE", path, body: { tags, ...stamp }, signal });
    });
  }
}

const createAnswer = z.object({ ticket: z.object({ id: remoteId }) });
const errorCode = z.object({ error: z.string().regex(/^\w{1,60}$/) });

async function createTicket(
  parts: TicketParts,
  ticket: NewTicket,
  signal: AbortSignal,
): Promise<RemoteObject> {
  const { api } = parts;
  const request: HttpRequest = {
    method: "POST",
    path: "/api/v2/tickets",
    headers: { "idempotency-key": ticket.marker },
    body: { ticket: await newTicketBody(parts, ticket, signal) },
    accept: [400],
    signal,
  };
  const answer = await api.send(request);
  if (answer.status === 400)
    return refusedCreate(api, ticket, errorCode.safeParse(answer.body).data?.error, signal);
  const { id } = parseAnswer(request, answer, createAnswer).ticket;
  return { id, number: id, url: agentUrl(api.address, id) };
}

// The key is known with another body: an earlier try, made under other settings, has arrived. Its ticket is looked for, and as long as it is not
// found the write counts as unknown, so that the next try looks again before it sends.
async function refusedCreate(
  api: ZendeskApi,
  { key, followUpOf }: NewTicket,
  code: string | undefined,
  signal: AbortSignal,
): Promise<RemoteObject> {
  if (code !== "IdempotentRequestError") {
    throw new AppError("target_rejected", `POST /api/v2/tickets answered 400: ${code ?? "no reason given"}`, {
      details: { method: "POST", path: "/api/v2/tickets", status: 400 },
    });
  }
  // A search that is refused says nothing of the write.
  const found = await findTickets(api, key, signal).catch((error: unknown) => {
    throw notShown(error);
  });
  const [object] = found.filter(({ id }) => followUpOf === undefined || Number(id) > Number(followUpOf.id));
  if (object !== undefined) return object;
  throw notShown(undefined);
}

function notShown(cause: unknown): AppError {
  return new AppError(
    "target_unavailable",
    "the desk knows the idempotency key with another request and does not show its ticket yet; it forgets the key two hours after",
    { cause },
  );
}

async function newTicketBody(
  { settings, contacts, orders }: TicketParts,
  ticket: NewTicket,
  signal: AbortSignal,
): Promise<object> {
  const { key, subject, message, visibility, priority, status, tags, customFields, followUpOf, marker } =
    ticket;
  const fields = [...toVendorFields(customFields, settings), ...orders.ticketFields(ticket.orders)];
  await orders.keep(ticket.orders, signal);
  const isPublic = visibility === "public";
  return known({
    ...(await contacts.requester(ticket.requester, signal)),
    subject,
    comment: { body: isPublic ? message : message + orders.ticketLines(ticket.orders), public: isPublic },
    external_id: key,
    priority,
    status: status === undefined ? undefined : toVendorStatus(status, settings),
    // Without tags of its own a follow-up takes those of the ticket that it follows.
    tags: tags.length === 0 ? undefined : toVendorTags(tags),
    custom_fields: fields.length === 0 ? undefined : fields,
    metadata: { [markerName]: marker },
    // The vendor takes this for tickets that are closed, and for no others.
    via_followup_source_id: followUpOf?.standing === "closed" ? Number(followUpOf.id) : undefined,
  });
}
