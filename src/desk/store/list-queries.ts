import type { Identity } from "../identity.ts";
import type { TicketSort } from "../schema-ticket.ts";
import type { ListQuery, Position } from "./list.ts";

interface PageRequest {
  readonly after: Position | undefined;
  readonly limit: number;
}

export interface TicketFilter {
  readonly status?: readonly string[] | undefined;
  readonly tag?: string | undefined;
  readonly requester?: number | undefined;
  readonly assignee?: string | undefined;
  readonly channel?: string | undefined;
  readonly order?: number | undefined;
  readonly orderRef?: { readonly source: string; readonly externalId: string } | undefined;
  readonly updatedAfter?: string | undefined;
  readonly sort: TicketSort;
}

/** Tickets. A tag or an order leads: their tables have the tickets in the order of the list. */
export function ticketList(filter: TicketFilter, { after, limit }: PageRequest): ListQuery {
  const conditions: [string, ...unknown[]][] = [];
  let from = "ticket t";
  if (filter.tag !== undefined) {
    from += " join ticket_tag g on g.ticket = t.id";
    conditions.push(["g.tag = ?", filter.tag]);
  }
  if (filter.order !== undefined || filter.orderRef !== undefined) {
    from += " join ticket_order l on l.ticket = t.id";
  }
  if (filter.order !== undefined) conditions.push(["l.sales_order = ?", filter.order]);
  if (filter.orderRef !== undefined) {
    const { source, externalId } = filter.orderRef;
    const sql = "l.sales_order = (select id from sales_order where source = ? and external_id = ?)";
    conditions.push([sql, source, externalId]);
  }
  const [status, ...others] = filter.status ?? [];
  if (others.length > 0) conditions.push(["t.status = any (?::ticket_status[])", filter.status]);
  else if (status !== undefined) conditions.push(["t.status = ?::ticket_status", status]);
  if (filter.requester !== undefined)
    conditions.push(["t.requester = (select survivor_of(?))", filter.requester]);
  if (filter.assignee !== undefined) conditions.push(["t.assignee = ?", filter.assignee]);
  if (filter.channel !== undefined) conditions.push(["t.channel = ?", filter.channel]);
  if (filter.updatedAfter !== undefined) {
    conditions.push(["t.updated_at > ?::timestamptz", filter.updatedAfter]);
  }
  conditions.push(["t.merged_into is null"]);
  return {
    from,
    body: "ticket_json(t)",
    conditions,
    sort: filter.sort.endsWith("updated_at") ? "updated_at" : "id",
    descending: filter.sort.startsWith("-"),
    after,
    limit,
  };
}

/** What happened to a ticket, and to those that were merged into it, from the beginning. */
export function ticketHistory(ticket: number, { after, limit }: PageRequest): ListQuery {
  return {
    from: "change t",
    body: "change_entry(t)",
    conditions: [["t.ticket = any ((select ticket_family(?))::bigint[])", ticket]],
    sort: "id",
    descending: false,
    after,
    limit,
  };
}

/** An identity to look for; of any source where none is given. */
export interface IdentityFilter {
  readonly kind: Identity["kind"];
  readonly source: string | undefined;
  readonly value: string;
}

/** Contacts, newest first; those that have all of the identities. */
export function contactList(identities: readonly IdentityFilter[], { after, limit }: PageRequest): ListQuery {
  const conditions = identities.map(({ kind, source, value }): [string, ...unknown[]] => {
    const sql = "select i.contact from contact_identity i where i.kind = ? and i.value = ?";
    return source === undefined
      ? [`t.id in (${sql})`, kind, value]
      : [`t.id in (${sql} and i.source = ?)`, kind, value, source];
  });
  conditions.push(["t.merged_into is null and t.erased_at is null"]);
  return {
    from: "contact t",
    body: "contact_json(t)",
    conditions,
    sort: "id",
    descending: true,
    after,
    limit,
  };
}

/** The orders of a contact, newest first. */
export function orderList(contact: number, { after, limit }: PageRequest): ListQuery {
  const conditions: ListQuery["conditions"] = [["t.contact = ?", contact]];
  return {
    from: "sales_order t",
    body: "order_json(t)",
    conditions,
    sort: "id",
    descending: true,
    after,
    limit,
  };
}

interface MessageFilter {
  readonly ticket: number;
  readonly visibility: string | undefined;
  readonly descending: boolean;
}

/** The messages of a ticket, by their creation. */
export function messageList(filter: MessageFilter, { after, limit }: PageRequest): ListQuery {
  const conditions: [string, ...unknown[]][] = [["t.ticket = ?", filter.ticket]];
  if (filter.visibility !== undefined)
    conditions.push(["t.visibility = ?::message_visibility", filter.visibility]);
  const { descending } = filter;
  return { from: "message t", body: "message_json(t)", conditions, sort: "id", descending, after, limit };
}

/** Webhooks, newest first. */
export function webhookList({ after, limit }: PageRequest): ListQuery {
  const body = "webhook_json(t)::text";
  return { from: "webhook t", body, conditions: [], sort: "id", descending: true, after, limit };
}

interface DeliveryFilter {
  readonly webhook: number;
  readonly state: string | undefined;
}

/** The deliveries of a webhook, newest first. */
export function deliveryList({ webhook, state }: DeliveryFilter, { after, limit }: PageRequest): ListQuery {
  const conditions: [string, ...unknown[]][] = [["t.webhook = ?", webhook]];
  if (state !== undefined) conditions.push(["t.state = ?::webhook_state", state]);
  const body = "webhook_delivery_json(t)";
  return { from: "webhook_delivery t", body, conditions, sort: "id", descending: true, after, limit };
}

/** The tickets that an end user may see, newest first. */
export function ownTicketList(contact: number, { after, limit }: PageRequest): ListQuery {
  const conditions: ListQuery["conditions"] = [["t.requester = ?", contact], ["shows_to_requester(t)"]];
  const body = "own_ticket_json(t)";
  return { from: "ticket t", body, conditions, sort: "id", descending: true, after, limit };
}

interface OwnMessageFilter {
  readonly ticket: number;
  readonly contact: number;
  readonly descending: boolean;
}

/** The messages of their ticket that an end user may see. */
export function ownMessageList(
  { ticket, contact, descending }: OwnMessageFilter,
  { after, limit }: PageRequest,
): ListQuery {
  const conditions: ListQuery["conditions"] = [
    ["t.ticket = ?", ticket],
    ["shows_to(t, ?)", contact],
  ];
  return {
    from: "message t",
    body: "own_message_json(t)",
    conditions,
    sort: "id",
    descending,
    after,
    limit,
  };
}
