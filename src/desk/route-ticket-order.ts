import type { StoreInput } from "./input.ts";
import { parseObjectId } from "./object-id.ts";
import { parsePart } from "./request.ts";
import type { Route } from "./route.ts";
import { writeRoute } from "./route.ts";
import { addressedTicket, ticketAddresses } from "./route-ticket.ts";
import { ref } from "./schema-text.ts";
import { ticket } from "./schema-ticket.ts";

type Params = Readonly<Record<string, string>>;

function byId(params: Params): StoreInput {
  return { ...addressedTicket(params), order: parseObjectId("order", params.orderId ?? "") };
}

function byRef(params: Params): StoreInput {
  const order = parsePart(
    ref,
    { source: params.orderSource, external_id: params.orderExternalId },
    "address",
  );
  return { ...addressedTicket(params), orders: [order] };
}

/** Links between tickets and orders. By ref, an order that is not known yet is made. */
export const ticketOrderRoutes: readonly Route[] = ticketAddresses.flatMap((address) => [
  writeRoute({
    method: "PUT",
    path: `${address}/orders/{orderId}`,
    scope: "tickets:write",
    summary: "Link an order",
    answers: { 200: ticket },
    operation: "link_order",
    input: ({ params }) => byId(params),
  }),
  writeRoute({
    method: "DELETE",
    path: `${address}/orders/{orderId}`,
    scope: "tickets:write",
    summary: "Take an order's link away",
    answers: { 200: ticket },
    operation: "unlink_order",
    input: ({ params }) => byId(params),
  }),
  writeRoute({
    method: "PUT",
    path: `${address}/orders/by-ref/{orderSource}/{orderExternalId}`,
    scope: "tickets:write",
    summary: "Link an order by its id in its own system",
    answers: { 200: ticket },
    operation: "link_order",
    input: ({ params }) => byRef(params),
  }),
]);
