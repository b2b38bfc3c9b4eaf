import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { CallLimit } from "./call-limit.ts";
import { limiterOf } from "./call-limit.ts";
import { serveCalls, sharedNow } from "./calls.ts";
import { readMark } from "./traffic.ts";

/** What the stub is to receive: tickets 0 to `count - 1` of one run. */
export interface Expectation {
  readonly run: string;
  readonly count: number;
  /** How long each answer is held back. */
  readonly delayMs?: number;
  /** So many calls in any stretch of so many seconds; those above it are refused with 429. */
  readonly limit?: CallLimit;
}

export interface Receipts {
  /** When each ticket arrived, on the shared clock; null for one that did not. */
  readonly arrivedAt: readonly (number | null)[];
  /** Requests for a ticket that had arrived before. */
  readonly repeated: number;
  /** Requests that belong to no ticket of the run. */
  readonly strange: readonly string[];
  /** When requests were refused because there were too many. */
  readonly refusedAt: readonly number[];
}

// A support desk that costs next to nothing: it takes down which ticket a request is about and gives a canned answer.
const ticket = Buffer.from(
  JSON.stringify({
    id: "tkt_01jd9k3v5xq8m2n4p6r7s8t9v0",
    number: 1042,
    subject: "Order #1042: cancelled",
    status: "new",
    priority: "normal",
    channel: "api",
    requester: { id: "con_01jd9k3v5x", name: "Robin Example", email: "robin@example.com", phone: null },
    assignee: null,
    tags: ["bench"],
    custom_fields: {},
    refs: [{ source: "deskbridge", id: "bench" }],
    orders: [],
    csat: null,
    follow_up_of: null,
    created_at: "2026-11-22T10:00:00.000Z",
    updated_at: "2026-11-22T10:00:00.000Z",
    closed_at: null,
    version: 1,
  }),
);
const answerHead = {
  "content-type": "application/json",
  "content-length": String(ticket.length),
  "deskbridge-result": "created",
};

/** The desk without idempotency keys: it is asked for a ticket first, and told its key in the body. */
const newTicketPath = "/api/tickets";
const jsonHead = { "content-type": "application/json" };
const ticketMade = Buffer.from(JSON.stringify({ id: 1042, external_id: null, status: "open" }));
const nothingFound = Buffer.from(JSON.stringify({ data: [], meta: { next_cursor: null } }));

function isSearch({ method, url }: IncomingMessage): boolean {
  return method === "GET" && url?.startsWith(`${newTicketPath}?`) === true;
}

function externalId(body: string): string {
  const { external_id: id } = JSON.parse(body) as { readonly external_id?: unknown };
  return typeof id === "string" ? id : "";
}

/** What has arrived so far. */
function createBook() {
  let expected: Expectation = { run: "", count: 0 };
  let arrivedAt: (number | null)[] = [];
  let arrived = 0;
  let repeated = 0;
  let strange: string[] = [];
  let refusedAt: number[] = [];
  let limiter = limiterOf(undefined);
  let waiting: { readonly count: number; readonly resolve: (at: number) => void }[] = [];

  const expect = (next: Expectation): void => {
    expected = next;
    arrivedAt = Array.from({ length: next.count }, () => null);
    arrived = 0;
    repeated = 0;
    strange = [];
    refusedAt = [];
    limiter = limiterOf(next.limit);
    waiting = [];
  };
  const arrive = (number: number): void => {
    const now = sharedNow();
    arrivedAt[number] = now;
    arrived += 1;
    if (waiting.length === 0) return;
    for (const one of waiting) if (arrived >= one.count) one.resolve(now);
    waiting = waiting.filter((one) => arrived < one.count);
  };
  const takeDown = (url: string): void => {
    const mark = readMark(url);
    if (mark?.run !== expected.run || mark.number >= expected.count) strange.push(url);
    else if (arrivedAt[mark.number] === null) arrive(mark.number);
    else repeated += 1;
  };
  const reached = (count: number): Promise<number> => {
    if (arrived >= count) return Promise.resolve(sharedNow());
    return new Promise((resolve) => void waiting.push({ count, resolve }));
  };
  /** For how many seconds the sender is to stay away; undefined when it may call. */
  const refuse = (): number | undefined => {
    const now = sharedNow();
    const seconds = limiter(now);
    if (seconds !== undefined) refusedAt.push(now);
    return seconds;
  };
  const receipts = (): Receipts => ({ arrivedAt, repeated, strange: strange.slice(0, 20), refusedAt });
  return { expect, takeDown, refuse, reached, receipts, delayMs: () => expected.delayMs };
}

function createHandlers() {
  const book = createBook();
  const receive = (request: IncomingMessage, response: ServerResponse): void => {
    let body = "";
    // A desk with keys says all in the address; only the other one's bodies are read.
    if (request.url === newTicketPath)
      request.setEncoding("utf8").on("data", (part: string) => void (body += part));
    request.resume().on("end", () => {
      const stayAway = book.refuse();
      if (stayAway !== undefined) {
        response.writeHead(429, { "retry-after": String(stayAway) }).end();
        return;
      }
      if (isSearch(request)) {
        response.writeHead(200, jsonHead).end(nothingFound);
        return;
      }
      book.takeDown(request.url === newTicketPath ? externalId(body) : (request.url ?? ""));
      const answer = (): void => {
        if (request.url === newTicketPath) response.writeHead(201, jsonHead).end(ticketMade);
        else response.writeHead(201, answerHead).end(ticket);
      };
      const delayMs = book.delayMs();
      if (delayMs === undefined) answer();
      else setTimeout(answer, delayMs);
    });
  };
  const server = createServer({ keepAliveTimeout: 60_000 }, receive);
  return {
    listen: async (): Promise<string> => {
      await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    expect: book.expect,
    /** Resolves with the time of the arrival that made it so many. */
    reached: book.reached,
    receipts: book.receipts,
  };
}
export type StubHandlers = ReturnType<typeof createHandlers>;

serveCalls(createHandlers());
