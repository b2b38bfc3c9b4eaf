import type { ServerResponse } from "node:http";
import { openStubServer } from "./http-server.ts";
import type { StubRequest, StubServer } from "./http-server.ts";
import type { FaultPlan } from "./vendor-faults.ts";
import type { ZendeskContract } from "./zendesk-contract.ts";
import { createPeople } from "./zendesk-people.ts";
import type { People, StubUser } from "./zendesk-people.ts";
import { createTicketDesk } from "./zendesk-tickets.ts";
import type { TicketDesk } from "./zendesk-tickets.ts";

/** What the stub answers. */
export interface StubAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface StubCall {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: StubRequest["headers"];
  /** The JSON body; undefined when there is none. */
  readonly body: unknown;
}

/** Answers a call; undefined for one that is not its own. */
export type StubPart = (call: StubCall) => StubAnswer | undefined;

interface ZendeskStubOptions {
  readonly now?: () => number;
  readonly faults?: FaultPlan;
  /** What requests and answers are held to. */
  readonly contract?: ZendeskContract | undefined;
  /** Exports a minute that the account takes; 10 as the vendor has it. */
  readonly exportsPerMinute?: number;
  /** Largest page of the export; 1000 as the vendor has it. */
  readonly exportPage?: number;
}

/** A Zendesk account over real HTTP, as far as its own description tells how it behaves. */
export interface ZendeskStub extends StubServer, TicketDesk {
  readonly users: StubUser[];
  readonly setUser: People["sets"];
  /** Users that searches by address or number do not show yet. */
  readonly unindexed: Set<number>;
  /** Every call so far, refused ones too. */
  readonly calls: StubCall[];
  /** Where requests or answers differ from the contract; empty without one. */
  readonly violations: string[];
  /** Bearer tokens and basic credentials that are accepted. */
  readonly credentials: Set<string>;
  /** OAuth clients: id to secret. */
  readonly clients: Map<string, string>;
  /** How long a new token lives, in seconds. */
  tokenSeconds: number;
  /** Role of the agent who the credential stands for. */
  role: string;
  readonly webhooks: object[];
  /** Happens once, before the next call that matches is answered. */
  readonly before: (method: string, path: RegExp, happen: () => void) => void;
  /** Is answered once, instead of what the account would say; the account does not act. */
  readonly answerNext: (method: string, path: RegExp, answer: StubAnswer) => void;
}

/** The stub's account takes requests with `Bearer good`. */
export async function openZendeskStub(options: ZendeskStubOptions = {}): Promise<ZendeskStub> {
  const now = options.now ?? Date.now;
  const { contract } = options;
  const credentials = new Set(["Bearer good"]);
  const clients = new Map([["acme-client", "acme-secret"]]);
  const calls: StubCall[] = [];
  const violations: string[] = [];
  const planned: { method: string; path: RegExp; happen: () => StubAnswer | void }[] = [];
  let ids = 1000;
  const newId = (): number => (ids += 1);
  const people = createPeople(newId);
  const desk = createTicketDesk({ newId, now, people, ...options });
  const webhooks: object[] = [];
  const stub = { tokenSeconds: 7200, role: "admin" };
  const account: StubPart = ({ method, path }) => {
    if (method !== "GET") return undefined;
    if (path === "/api/v2/users/me") {
      return {
        status: 200,
        body: { user: { id: 1, name: "Deskbridge", email: "bot@example.com", role: stub.role } },
      };
    }
    if (path === "/api/v2/ticket_audits") return { status: 200, body: { audits: [] } };
    return path === "/api/v2/webhooks" ? { status: 200, body: { webhooks } } : undefined;
  };
  const planFor = (call: StubCall): StubAnswer | undefined => {
    const plan = planned.findIndex(({ method, path }) => method === call.method && path.test(call.path));
    return plan < 0 ? undefined : (planned.splice(plan, 1)[0]?.happen() ?? undefined);
  };
  const answer = (call: StubCall): StubAnswer => {
    if (call.path === "/oauth/tokens") return issueToken(call, clients, credentials, stub.tokenSeconds);
    if (!credentials.has(call.headers.authorization ?? "")) {
      return { status: 401, body: { error: "Couldn't authenticate you" } };
    }
    const done = account(call) ?? people.answer(call) ?? desk.answer(call);
    return done ?? { status: 404, body: { error: "InvalidEndpoint", description: "Not found" } };
  };
  const server = await openStubServer((request, response) => {
    const call = toCall(request);
    calls.push(call);
    const instead = planFor(call);
    const given = instead ?? answer(call);
    // What a test puts into the vendor's mouth is not held to the contract.
    if (instead === undefined) violations.push(...compare(contract, call, given));
    send(response, given);
    return undefined;
  }, options.faults);
  return Object.assign(stub, server, desk, {
    users: people.users,
    setUser: people.sets,
    unindexed: people.unindexed,
    calls,
    violations,
    credentials,
    clients,
    webhooks,
    before: (method: string, path: RegExp, happen: () => void) => void planned.push({ method, path, happen }),
    answerNext: (method: string, path: RegExp, instead: StubAnswer) =>
      void planned.push({ method, path, happen: () => instead }),
  });
}

function toCall({ method, url, headers, text }: StubRequest): StubCall {
  const body: unknown = text === "" ? undefined : JSON.parse(text);
  return { method, path: url.pathname, query: url.searchParams, headers, body };
}

function compare(
  contract: ZendeskContract | undefined,
  { method, path, body: request }: StubCall,
  { status, body: answer }: StubAnswer,
): readonly string[] {
  return contract?.violations({ method, path, request, status, answer }) ?? [];
}

function send(response: ServerResponse, { status, body, headers }: StubAnswer): void {
  const limits = { "x-rate-limit": "700", "x-rate-limit-remaining": "699" };
  response.writeHead(status, { "content-type": "application/json", ...limits, ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

function issueToken(
  { body }: StubCall,
  clients: ReadonlyMap<string, string>,
  credentials: Set<string>,
  seconds: number,
): StubAnswer {
  const given = (body ?? {}) as Record<string, string>;
  const { grant_type: grant, client_id: id = "", client_secret: secret, scope } = given;
  if (grant !== "client_credentials") return { status: 400, body: { error: "unsupported_grant_type" } };
  if (clients.get(id) !== secret) {
    return {
      status: 401,
      body: { error: "invalid_client", error_description: "Client authentication failed" },
    };
  }
  const token = `token-${credentials.size}`;
  credentials.add(`Bearer ${token}`);
  return { status: 200, body: { access_token: token, token_type: "bearer", scope, expires_in: seconds } };
}
