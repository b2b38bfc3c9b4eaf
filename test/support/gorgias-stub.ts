import type { ServerResponse } from "node:http";
import { pageOf, refuse } from "./gorgias-answer.ts";
import type { GorgiasAnswer, Json } from "./gorgias-answer.ts";
import { answerCustomers, createCustomer } from "./gorgias-customers.ts";
import { createGorgiasState } from "./gorgias-state.ts";
import type { GorgiasBehaviour, GorgiasState, StubMessage, StubTicket } from "./gorgias-state.ts";
import { answerTickets, listMessages } from "./gorgias-tickets.ts";
import { openStubServer } from "./http-server.ts";
import type { StubRequest, StubServer } from "./http-server.ts";
import type { FaultPlan } from "./vendor-faults.ts";

/** A Gorgias account over real HTTP: no idempotency, writes that replace, 409 for a taken address, pages by cursor, the limit when it is switched on. */
export interface GorgiasStub extends StubServer {
  readonly state: GorgiasState;
  readonly behaviour: GorgiasBehaviour;
  /** Calls that came in, `GET /api/tickets` and the like, without their query. */
  readonly calls: string[];
  /** Calls that were answered with 429. */
  readonly rejected: () => number;
  readonly ticketsWith: (externalId: string) => readonly StubTicket[];
  /** Over all tickets, in the order in which they came. */
  readonly messagesWith: (externalId: string) => readonly StubMessage[];
  /** Puts a ticket there whose last change was at this time. */
  readonly addTicket: (facts: { readonly at: number } & Partial<StubTicket>) => StubTicket;
  /** Puts a ticket's messages into another and does away with it, as a merge does. */
  readonly merge: (from: number, into: number) => void;
}

/** A call that the stub answered. */
export interface GorgiasExchange {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly status: number;
  readonly answer: unknown;
}

interface GorgiasStubOptions extends Partial<GorgiasBehaviour> {
  readonly faults?: FaultPlan;
  readonly onExchange?: (exchange: GorgiasExchange) => void;
}

/** Opens an account with nothing in it on a free port of the loopback. */
export async function openGorgiasStub({
  faults,
  onExchange,
  ...given
}: GorgiasStubOptions = {}): Promise<GorgiasStub> {
  const behaviour: GorgiasBehaviour = {
    now: Date.now,
    limit: undefined,
    pageSize: 100,
    listLagMs: 0,
    filtersByExternalId: true,
    ordersCustomers: true,
    credential: undefined,
    ...given,
  };
  const state = createGorgiasState(behaviour);
  const calls: string[] = [];
  const window = createWindow(behaviour);
  const server = await openStubServer((request, response) => {
    calls.push(`${request.method} ${request.url.pathname}`);
    const headers = window.take(request);
    const isFull = "retry-after" in headers;
    const answered = isFull ? refuse(429, "Too many requests") : answer(request, state, behaviour);
    onExchange?.(exchangeOf(request, answered));
    send(response, answered, headers);
    return undefined;
  }, faults);
  const tickets = (): readonly StubTicket[] => [...state.tickets.values()];
  return {
    ...server,
    state,
    behaviour,
    calls,
    rejected: window.rejected,
    ticketsWith: (externalId) => tickets().filter(({ external_id }) => external_id === externalId),
    messagesWith: (externalId) =>
      tickets().flatMap(({ messages }) => messages.filter(({ external_id }) => external_id === externalId)),
    addTicket: ({ at, ...facts }) => addTicket(state, at, facts),
    merge: (from, into) => {
      state.tickets.get(into)?.messages.push(...(state.tickets.get(from)?.messages ?? []));
      state.tickets.delete(from);
    },
  };
}

function addTicket(state: GorgiasState, at: number, facts: Partial<StubTicket>): StubTicket {
  const time = state.timestamp(at);
  const ticket: StubTicket = {
    id: state.newId(),
    external_id: null,
    status: "open",
    priority: "normal",
    subject: null,
    customer: createCustomer(state, {}),
    tags: [],
    custom_fields: {},
    meta: null,
    created_datetime: time,
    updated_datetime: time,
    closed_datetime: null,
    trashed_datetime: null,
    messages: [],
    shownAt: at,
    ...facts,
  };
  state.tickets.set(ticket.id, ticket);
  return ticket;
}

function answer(request: StubRequest, state: GorgiasState, behaviour: GorgiasBehaviour): GorgiasAnswer {
  const { method, url, headers, text } = request;
  if (url.pathname === "/oauth/token") return tokenAnswer(request, behaviour);
  const { credential } = behaviour;
  if (
    headers.authorization === undefined ||
    (credential !== undefined && headers.authorization !== credential)
  ) {
    return refuse(401, "Invalid credentials");
  }
  const body = parsed(text);
  if (body === undefined) return refuse(400, "Invalid JSON");
  const parts = url.pathname.split("/").slice(2);
  const call = { method, parts, query: url.searchParams, body, state, behaviour };
  switch (parts[0]) {
    case "tickets":
      return answerTickets(call);
    case "customers":
      return answerCustomers(call);
    case "messages":
      return listMessages(call);
    case "account":
      return { status: 200, body: { id: 1, domain: "acme" } };
    case "integrations":
      return pageOf(call, state.integrations as { id: number }[], ({ id }) => String(id).padStart(9, "0"));
    case undefined:
    default:
      return refuse(404, "Not found");
  }
}

function exchangeOf({ method, url, text }: StubRequest, { status, body }: GorgiasAnswer): GorgiasExchange {
  return { method, path: url.pathname, body: parsed(text), status, answer: body };
}

/** Every refresh makes the token that is let in from now on. */
function tokenAnswer({ text, headers }: StubRequest, behaviour: GorgiasBehaviour): GorgiasAnswer {
  const form = new URLSearchParams(text);
  const isForm = headers["content-type"] === "application/x-www-form-urlencoded";
  const refresh = form.get("refresh_token");
  if (!isForm || form.get("grant_type") !== "refresh_token" || refresh === null)
    return refuse(400, "Invalid grant");
  behaviour.credential = `Bearer access-${refresh}`;
  const body = {
    access_token: `access-${refresh}`,
    expires_in: 3600,
    refresh_token: `${refresh}+`,
    token_type: "Bearer",
  };
  return { status: 200, body };
}

function parsed(text: string): Json | undefined {
  if (text === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** Counts calls in a window that slides, as the account's limit does. */
function createWindow(behaviour: GorgiasBehaviour) {
  let taken: number[] = [];
  let rejected = 0;
  return {
    rejected: () => rejected,
    take: ({ url }: StubRequest): Record<string, string> => {
      const { limit, now } = behaviour;
      if (limit === undefined || url.pathname === "/oauth/token") return {};
      const since = now() - limit.perMs;
      taken = taken.filter((at) => at > since);
      const isFull = taken.length >= limit.calls;
      if (isFull) rejected += 1;
      else taken.push(now());
      const told = { "x-gorgias-account-api-call-limit": `${taken.length}/${limit.calls}` };
      const waitMs = (taken[0] ?? since) - since;
      return isFull ? { ...told, "retry-after": String(Math.max(1, Math.ceil(waitMs / 1000))) } : told;
    },
  };
}

function send(
  response: ServerResponse,
  { status, body }: GorgiasAnswer,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
