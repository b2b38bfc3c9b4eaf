import type { Route } from "./route.ts";
import { writeRoute } from "./route.ts";
import { addressedTicket, ticketAddresses } from "./route-ticket.ts";
import { newCsat } from "./schema-csat.ts";
import { ticket } from "./schema-ticket.ts";

/** Ratings of tickets. A ticket has one; a later one takes its place. */
export const csatRoutes: readonly Route[] = ticketAddresses.map((address) =>
  writeRoute({
    method: "POST",
    path: `${address}/csat`,
    scope: "tickets:write",
    summary: "Rate a ticket, and close it where that is asked for",
    body: newCsat,
    answers: { 200: ticket },
    operation: "rate_ticket",
    versioned: true,
    input: ({ params, body }) => ({ ...addressedTicket(params), ...body }),
  }),
);
