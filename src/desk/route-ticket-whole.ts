import { parseObjectId } from "./object-id.ts";
import { formatPage, parseCursor } from "./page.ts";
import type { Route } from "./route.ts";
import { readRoute, writeRoute } from "./route.ts";
import { addressedTicket, findTicket, ticketAddresses } from "./route-ticket.ts";
import { listQuery, pageOf } from "./schema-text.ts";
import { historyEntry, ticket, ticketMerge } from "./schema-ticket.ts";
import { ticketHistory } from "./store/list-queries.ts";

/** Merging tickets, and what happened to one. */
export const wholeTicketRoutes: readonly Route[] = ticketAddresses.flatMap((address) => [
  writeRoute({
    method: "POST",
    path: `${address}/merge`,
    scope: "tickets:write",
    summary: "Merge a ticket into another; answers the one that stays",
    body: ticketMerge,
    answers: { 200: ticket },
    operation: "merge_tickets",
    versioned: true,
    input: ({ params, body }) => ({ ...addressedTicket(params), into: parseObjectId("ticket", body.into) }),
  }),
  readRoute({
    method: "GET",
    path: `${address}/history`,
    scope: "tickets:read",
    summary: "Tell every change of a ticket, from the beginning",
    query: listQuery,
    answers: { 200: pageOf(historyEntry) },
    read: async ({ params, query }, store) => {
      const { id } = await findTicket(params, store);
      const after = parseCursor(query.cursor, "history");
      const page = await store.list(ticketHistory(id, { after, limit: query.limit }));
      return { body: formatPage(page, "history") };
    },
  }),
]);
