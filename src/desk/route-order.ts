import { requireFound } from "./found.ts";
import { orderInput } from "./input.ts";
import { parseObjectId } from "./object-id.ts";
import { formatPage, parseCursor } from "./page.ts";
import { parsePart } from "./request.ts";
import type { Route } from "./route.ts";
import { readRoute, writeRoute } from "./route.ts";
import { order, orderFacts } from "./schema-order.ts";
import { pageCursor, pageLimit, pageOf, ref } from "./schema-text.ts";
import { ticket } from "./schema-ticket.ts";
import { ticketList } from "./store/list-queries.ts";
import { z } from "zod";

const sort = "-created_at";

function addressedRef(params: Readonly<Record<string, string>>): z.output<typeof ref> {
  return parsePart(ref, { source: params.source, external_id: params.externalId }, "address");
}

export const orderRoutes: readonly Route[] = [
  writeRoute({
    method: "PUT",
    path: "/v1/orders/by-ref/{source}/{externalId}",
    scope: "orders:write",
    summary: "Create an order or bring it up to date",
    body: orderFacts,
    answers: { 200: order, 201: order },
    operation: "put_order",
    input: ({ params, body }) => orderInput({ ...body, ...addressedRef(params) }),
  }),
  readRoute({
    method: "GET",
    path: "/v1/orders/by-ref/{source}/{externalId}",
    scope: "orders:read",
    summary: "Get an order by its id in its own system",
    answers: { 200: order },
    read: async ({ params }, store) => {
      const { source, external_id } = addressedRef(params);
      return requireFound("order", await store.find("orderByRef", [source, external_id]));
    },
  }),
  readRoute({
    method: "GET",
    path: "/v1/orders/{id}",
    scope: "orders:read",
    summary: "Get an order",
    answers: { 200: order },
    read: async ({ params }, store) =>
      requireFound("order", await store.find("orderById", [parseObjectId("order", params.id ?? "")])),
  }),
  readRoute({
    method: "GET",
    path: "/v1/orders/{id}/tickets",
    scope: "tickets:read",
    summary: "List the tickets that an order is linked to, newest first",
    query: z.strictObject({ limit: pageLimit, cursor: pageCursor }),
    answers: { 200: pageOf(ticket) },
    read: async ({ params, query }, store) => {
      const id = parseObjectId("order", params.id ?? "");
      requireFound("order", await store.find("orderById", [id]));
      const after = parseCursor(query.cursor, sort);
      const page = await store.list(ticketList({ order: id, sort }, { after, limit: query.limit }));
      return { body: formatPage(page, sort) };
    },
  }),
];
