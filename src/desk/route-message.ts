import { messageInput } from "./input.ts";
import { formatPage, parseCursor } from "./page.ts";
import type { Call, ReadAnswer, Route } from "./route.ts";
import { readRoute, writeRoute } from "./route.ts";
import { addressedTicket, findTicket, ticketAddresses } from "./route-ticket.ts";
import { message, messageQuery, newMessage } from "./schema-message.ts";
import { pageOf } from "./schema-text.ts";
import { messageList } from "./store/list-queries.ts";
import type { DeskStore } from "./store/store.ts";
import type { z } from "zod";

async function listMessages(
  { params, query }: Call<z.output<typeof messageQuery>, undefined>,
  store: DeskStore,
): Promise<ReadAnswer> {
  const { id: ticket } = await findTicket(params, store);
  const { visibility, sort, limit } = query;
  const after = parseCursor(query.cursor, sort);
  const descending = sort.startsWith("-");
  const page = await store.list(messageList({ ticket, visibility, descending }, { after, limit }));
  return { body: formatPage(page, sort) };
}

export const messageRoutes: readonly Route[] = ticketAddresses.flatMap((address) => [
  writeRoute({
    method: "POST",
    path: `${address}/messages`,
    scope: "tickets:write",
    summary: "Add a message to a ticket; one whose ref is known is answered as it is",
    body: newMessage,
    answers: { 200: message, 201: message },
    operation: "add_message",
    versioned: true,
    input: ({ params, body, caller }) => ({
      ...addressedTicket(params),
      message: messageInput(body, caller, "outbound"),
    }),
  }),
  readRoute({
    method: "GET",
    path: `${address}/messages`,
    scope: "tickets:read",
    summary: "List the messages of a ticket",
    query: messageQuery,
    answers: { 200: pageOf(message) },
    read: listMessages,
  }),
]);
