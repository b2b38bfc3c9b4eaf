import type { z } from "zod";
import { requireFound } from "./found.ts";
import type { StoreInput } from "./input.ts";
import { ticketInput } from "./input.ts";
import { parseObjectId, readObjectId } from "./object-id.ts";
import { formatPage, parseCursor } from "./page.ts";
import { parsePart } from "./request.ts";
import type { Call, Route } from "./route.ts";
import { readRoute, writeRoute } from "./route.ts";
import { pageOf, ref } from "./schema-text.ts";
import type { TicketChange, TicketQuery } from "./schema-ticket.ts";
import { newTicket, putTicket, tagChange, ticket, ticketChange, ticketQuery } from "./schema-ticket.ts";
import type { TicketFilter } from "./store/list-queries.ts";
import { ticketList } from "./store/list-queries.ts";
import type { Found } from "./store/read.ts";
import type { DeskStore } from "./store/store.ts";

/** The two ways to name a ticket in an address. */
export const ticketAddresses = ["/v1/tickets/{id}", "/v1/tickets/by-ref/{source}/{externalId}"] as const;

type Params = Readonly<Record<string, string>>;

function addressedRef(params: Params): z.output<typeof ref> {
  return parsePart(ref, { source: params.source, external_id: params.externalId }, "address");
}

/** The ticket that an address names, as the store takes it: by its id or by its ref. */
export function addressedTicket(params: Params): StoreInput {
  if (params.id !== undefined) return { ticket: parseObjectId("ticket", params.id) };
  return { ref: addressedRef(params) };
}

function findByRef(
  { source, external_id }: z.output<typeof ref>,
  store: DeskStore,
): Promise<Found | undefined> {
  return store.find("ticketByRef", [source, external_id]);
}

/** The ticket that an address names; throws `not_found`. */
export async function findTicket(params: Params, store: DeskStore): Promise<Found> {
  const found =
    params.id === undefined
      ? await findByRef(addressedRef(params), store)
      : await store.find("ticketById", [parseObjectId("ticket", params.id)]);
  return requireFound("ticket", found);
}

/** `tags` of a change are the whole new list. */
function changeInput({ params, body, caller }: Call<undefined, TicketChange>): StoreInput {
  const { tags, ...input } = ticketInput(body, caller, "outbound");
  return { ...input, ...(tags === undefined ? {} : { set_tags: tags }), ...addressedTicket(params) };
}

function filterOf(query: TicketQuery): TicketFilter {
  const { order_source: source, order_external_id: externalId, updated_after: updatedAfter } = query;
  const orderRef = source === undefined || externalId === undefined ? undefined : { source, externalId };
  return {
    status: query.status,
    tag: query.tag,
    requester: readObjectId("contact", query.requester_id ?? ""),
    assignee: query.assignee,
    channel: query.channel,
    order: readObjectId("order", query.order_id ?? ""),
    orderRef,
    updatedAfter,
    sort: query.sort ?? (updatedAfter === undefined || query.q !== undefined ? "-created_at" : "updated_at"),
  };
}

export const ticketRoutes: readonly Route[] = [
  writeRoute({
    method: "POST",
    path: "/v1/tickets",
    scope: "tickets:write",
    summary: "Create a ticket",
    body: newTicket,
    answers: { 201: ticket },
    operation: "create_ticket",
    input: ({ body, caller }) => ticketInput(body, caller, "inbound"),
  }),
  readRoute({
    method: "GET",
    path: "/v1/tickets",
    scope: "tickets:read",
    summary: "List tickets, or search in them",
    query: ticketQuery,
    answers: { 200: pageOf(ticket) },
    read: async ({ query }, store) => {
      const filter = filterOf(query);
      const after = parseCursor(query.cursor, filter.sort);
      const list = ticketList(filter, { after, limit: query.limit });
      const page = await (query.q === undefined ? store.list(list) : store.searchTickets(list, query.q));
      return { body: formatPage(page, filter.sort) };
    },
  }),
  writeRoute({
    method: "PUT",
    path: "/v1/tickets/by-ref/{source}/{externalId}",
    scope: "tickets:write",
    summary: "Create the ticket of a ref, or report something about it",
    body: putTicket,
    answers: { 200: ticket, 201: ticket },
    operation: "put_ticket",
    versioned: true,
    input: ({ params, body, caller }) => ({
      ...ticketInput(body, caller, "inbound"),
      ...addressedTicket(params),
    }),
  }),
  ...ticketAddresses.flatMap((address) => [
    readRoute({
      method: "GET",
      path: address,
      scope: "tickets:read",
      summary: "Get a ticket",
      answers: { 200: ticket },
      read: ({ params }, store) => findTicket(params, store),
    }),
    writeRoute({
      method: "PATCH",
      path: address,
      scope: "tickets:write",
      summary: "Change a ticket, with a message where one is given",
      body: ticketChange,
      answers: { 200: ticket },
      operation: "patch_ticket",
      versioned: true,
      input: changeInput,
    }),
    writeRoute({
      method: "POST",
      path: `${address}/tags`,
      scope: "tickets:write",
      summary: "Add and remove tags",
      body: tagChange,
      answers: { 200: ticket },
      operation: "patch_ticket",
      versioned: true,
      input: ({ params, body }) => ({ tags: body.add, remove: body.remove, ...addressedTicket(params) }),
    }),
  ]),
];
