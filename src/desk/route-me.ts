import { AppError } from "../errors.ts";
import { readSequence, requireReached } from "./change.ts";
import { requireEndUser } from "./end-user.ts";
import { openFeedStream } from "./feed-stream.ts";
import { requireFound } from "./found.ts";
import type { StoreInput } from "./input.ts";
import { contentInput } from "./input.ts";
import { parseObjectId } from "./object-id.ts";
import { formatPage, parseCursor } from "./page.ts";
import { parsePart } from "./request.ts";
import type { Call, Route } from "./route.ts";
import { readRoute, streamRoute, writeRoute } from "./route.ts";
import * as schema from "./schema-me.ts";
import { listQuery, pageOf } from "./schema-text.ts";
import type { Caller } from "./scope.ts";
import { ownMessageList, ownTicketList } from "./store/list-queries.ts";
import type { Found } from "./store/read.ts";
import type { DeskStore } from "./store/store.ts";

const caller = "end_user";
const scope = null;
const collection = "/v1/me/tickets";
const one = "/v1/me/tickets/{id}";
const newestFirst = "-created_at";

/** A stream ends after so long, in milliseconds: its client connects again, with a token that is looked at again. */
const longestStreamMs = 5 * 60_000;

/** A ticket of the caller's; what is another's is as absent as what is not there. */
async function findOwn({ params, caller: who }: Call<unknown, unknown>, store: DeskStore): Promise<Found> {
  const { contact } = requireEndUser(who);
  return requireFound("ticket", await store.find("ownTicket", [ticketOf(params), contact]));
}

function ticketOf({ id = "" }: Readonly<Record<string, string>>): number {
  return parseObjectId("ticket", id);
}

function addressed({ params, caller: who }: Call<unknown, unknown>): StoreInput {
  return { ticket: ticketOf(params), contact: requireEndUser(who).contact };
}

function saidBy(message: schema.NewOwnMessage, who: Caller): StoreInput & { readonly text: string } {
  return {
    ...contentInput(message),
    uploader: requireEndUser(who).contact,
    direction: "inbound",
    visibility: "public",
    author: { type: "contact" },
  };
}

/** The beginning of a text, for want of a subject. */
function subjectOf(text: string): string {
  const line = text.trim().split(/\s*\n/, 1)[0] ?? "";
  const short = line.length <= 100 ? line : `${line.slice(0, 99).toWellFormed()}…`;
  return short === "" ? "…" : short;
}

const ticketRows: readonly Route[] = [
  readRoute({
    method: "GET",
    path: "/v1/me",
    caller,
    scope,
    summary: "Get the contact that the token belongs to",
    answers: { 200: schema.me },
    read: async ({ caller: who }, store) => {
      const found = await store.find("ownContact", [requireEndUser(who).contact]);
      if (found === undefined) throw new AppError("not_found", "there is no such contact");
      return { body: found.body };
    },
  }),
  readRoute({
    method: "GET",
    path: collection,
    caller,
    scope,
    summary: "List one's own tickets, newest first",
    query: listQuery,
    answers: { 200: pageOf(schema.ownTicket) },
    read: async ({ query, caller: who }, store) => {
      const after = parseCursor(query.cursor, newestFirst);
      const list = ownTicketList(requireEndUser(who).contact, { after, limit: query.limit });
      return { body: formatPage(await store.list(list), newestFirst) };
    },
  }),
  writeRoute({
    method: "POST",
    path: collection,
    caller,
    scope,
    summary: "Open a ticket",
    body: schema.newOwnTicket,
    answers: { 201: schema.ownTicket },
    operation: "open_own_ticket",
    input: ({ body: { subject, message }, caller: who }) => {
      const said = saidBy(message, who);
      return {
        contact: requireEndUser(who).contact,
        subject: subject ?? subjectOf(said.text),
        channel: "app",
        message: said,
      };
    },
  }),
  readRoute({
    method: "GET",
    path: one,
    caller,
    scope,
    summary: "Get a ticket of one's own",
    answers: { 200: schema.ownTicket },
    read: async (call, store) => ({ body: (await findOwn(call, store)).body }),
  }),
  writeRoute({
    method: "POST",
    path: `${one}/csat`,
    caller,
    scope,
    summary: "Rate a ticket of one's own",
    body: schema.newOwnCsat,
    answers: { 200: schema.ownTicket },
    operation: "rate_own_ticket",
    input: (call) => ({ ...addressed(call), ...call.body }),
  }),
];

const messageRows: readonly Route[] = [
  readRoute({
    method: "GET",
    path: `${one}/messages`,
    caller,
    scope,
    summary: "List the public messages of a ticket of one's own",
    query: schema.ownMessageQuery,
    answers: { 200: pageOf(schema.ownMessage) },
    read: async (call, store) => {
      const { sort, cursor, limit } = call.query;
      const { id: ticket } = await findOwn(call, store);
      const filter = {
        ticket,
        contact: requireEndUser(call.caller).contact,
        descending: sort.startsWith("-"),
      };
      const page = await store.list(ownMessageList(filter, { after: parseCursor(cursor, sort), limit }));
      return { body: formatPage(page, sort) };
    },
  }),
  writeRoute({
    method: "POST",
    path: `${one}/messages`,
    caller,
    scope,
    summary: "Write in a ticket of one's own; one that was solved or closed is open again",
    body: schema.newOwnMessage,
    answers: { 201: schema.ownMessage },
    operation: "add_own_message",
    input: (call) => ({ ...addressed(call), message: saidBy(call.body, call.caller) }),
  }),
  streamRoute({
    method: "GET",
    path: "/v1/me/stream",
    caller,
    scope,
    summary: "Follow one's own tickets as Server-Sent Events",
    query: schema.ownStreamQuery,
    answers: { 200: schema.ownEvent },
    stream: async ({ query, caller: who }, { feed, ownEvents, lastEventId, now, mayGoOn }) => {
      const { contact, until } = requireEndUser(who);
      const resume = lastEventId === undefined ? query : parseLastEventId(lastEventId);
      const after = readSequence(resume.after ?? "now");
      if (after !== undefined) requireReached(after, await feed.end());
      const lastsMs = Math.min(until - now(), longestStreamMs);
      return openFeedStream(ownEvents.of(contact), {
        after,
        types: undefined,
        mayGoOn,
        until: AbortSignal.timeout(Math.max(lastsMs, 0)),
      });
    },
  }),
];

function parseLastEventId(header: string): { readonly after?: string | undefined } {
  const schemaOfAfter = schema.ownStreamQuery.pick({ after: true });
  return parsePart(schemaOfAfter, { after: header }, "header Last-Event-ID");
}

/** What a contact may do with a token of their own. */
export const meRoutes: readonly Route[] = [...ticketRows, ...messageRows];
