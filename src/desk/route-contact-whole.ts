import { requireFound } from "./found.ts";
import { parseObjectId } from "./object-id.ts";
import { formatPage, parseCursor } from "./page.ts";
import type { Route } from "./route.ts";
import { readRoute, writeRoute } from "./route.ts";
import { addressedContact } from "./route-contact.ts";
import { contact } from "./schema-contact.ts";
import { contactExport, contactMerge, erasedContact } from "./schema-contact-whole.ts";
import { order } from "./schema-order.ts";
import { listQuery, pageOf } from "./schema-text.ts";
import { ticket } from "./schema-ticket.ts";
import { orderList, ticketList } from "./store/list-queries.ts";

const sort = "-created_at";

/** What is done with a contact as a whole: merging, erasing, exporting, and what belongs to it. */
export const wholeContactRoutes: readonly Route[] = [
  writeRoute({
    method: "POST",
    path: "/v1/contacts/{id}/merge",
    scope: "contacts:write",
    summary: "Merge a contact into another; answers the one that stays",
    body: contactMerge,
    answers: { 200: contact },
    operation: "merge_contacts",
    versioned: true,
    input: ({ params, body }) => ({
      contact: addressedContact(params),
      into: parseObjectId("contact", body.into),
    }),
  }),
  writeRoute({
    method: "POST",
    path: "/v1/contacts/{id}/unmerge",
    scope: "contacts:write",
    summary: "Undo the merge of a contact; answers it",
    answers: { 200: contact },
    operation: "unmerge_contact",
    input: ({ params }) => ({ contact: addressedContact(params) }),
  }),
  writeRoute({
    method: "DELETE",
    path: "/v1/contacts/{id}",
    scope: "contacts:write",
    summary: "Erase a contact: everything personal goes from every table",
    answers: { 200: erasedContact },
    operation: "erase_contact",
    versioned: true,
    input: ({ params }) => ({ contact: addressedContact(params) }),
  }),
  readRoute({
    method: "GET",
    path: "/v1/contacts/{id}/export",
    // It holds what takes several other scopes to read.
    scope: "admin",
    summary: "Export all that is held about a contact",
    answers: { 200: contactExport },
    read: async ({ params }, store) => ({
      body: requireFound("contact", await store.find("contactExport", [addressedContact(params)])).body,
    }),
  }),
  readRoute({
    method: "GET",
    path: "/v1/contacts/{id}/orders",
    scope: "orders:read",
    summary: "List the orders of a contact, newest first",
    query: listQuery,
    answers: { 200: pageOf(order) },
    read: async ({ params, query }, store) => {
      const { id } = requireFound("contact", await store.find("contactById", [addressedContact(params)]));
      const after = parseCursor(query.cursor, sort);
      return { body: formatPage(await store.list(orderList(id, { after, limit: query.limit })), sort) };
    },
  }),
  readRoute({
    method: "GET",
    path: "/v1/contacts/{id}/tickets",
    scope: "tickets:read",
    summary: "List the tickets that a contact requested, newest first",
    query: listQuery,
    answers: { 200: pageOf(ticket) },
    read: async ({ params, query }, store) => {
      const { id } = requireFound("contact", await store.find("contactById", [addressedContact(params)]));
      const after = parseCursor(query.cursor, sort);
      const page = await store.list(ticketList({ requester: id, sort }, { after, limit: query.limit }));
      return { body: formatPage(page, sort) };
    },
  }),
];
