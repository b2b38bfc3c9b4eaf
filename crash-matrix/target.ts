import type { ServerResponse } from "node:http";
import type { StubRequest, StubServer } from "../test/support/http-server.ts";
import { openStubServer } from "../test/support/http-server.ts";
import type { FaultPlan } from "../test/support/vendor-faults.ts";
import type { TargetKind } from "./setting.ts";
import { lagSeconds } from "./setting.ts";

/** A ticket as the target holds it. */
export interface TargetTicket {
  readonly key: string;
  /** In the order in which they took effect. */
  readonly messages: readonly string[];
}

/** The desk that deskbridge writes to, which counts on its own side. */
export interface Target extends StubServer {
  readonly tickets: () => readonly TargetTicket[];
  /** Writes that took effect, so far. */
  readonly writes: () => number;
}

interface Message {
  readonly id: string;
  readonly text: string;
  readonly marker: string;
  readonly at: number;
}

interface Ticket {
  readonly id: string;
  readonly key: string;
  readonly messages: Message[];
}

/** What both kinds of target do alike: they do what they are asked, as often as they are asked. */
function createStore() {
  const tickets: Ticket[] = [];
  let writes = 0;
  const nextId = (): string => {
    writes += 1;
    return String(writes);
  };
  const say = (ticket: Ticket, text: string, marker: string): Message => {
    const message = { id: nextId(), text, marker, at: performance.now() };
    ticket.messages.push(message);
    return message;
  };
  const open = (key: string, text: string, marker: string): Ticket => {
    const ticket: Ticket = { id: nextId(), key, messages: [] };
    ticket.messages.push({ id: ticket.id, text, marker, at: performance.now() });
    tickets.push(ticket);
    return ticket;
  };
  return { tickets, say, open, writes: () => writes };
}
type Store = ReturnType<typeof createStore>;

/** A `forgetful` target does not do what it declares: it keeps no keys and finds nothing. */
export async function openTarget(kind: TargetKind, faults: FaultPlan, forgetful = false): Promise<Target> {
  const store = createStore();
  const serve = kind === "keyed" ? createKeyed(store, forgetful) : createLookup(store, forgetful);
  const server = await openStubServer(serve, faults);
  return {
    ...server,
    writes: store.writes,
    tickets: () =>
      store.tickets.map(({ key, messages }) => ({ key, messages: messages.map(({ text }) => text) })),
  };
}

interface Said {
  readonly status: number;
  readonly result: string;
  readonly body: unknown;
}

function answer(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** As the Support API: `PUT /v1/tickets/by-ref/<source>/<key>` and `POST …/messages`; a key that was seen gets the answer of then. */
function createKeyed({ tickets, say, open }: Store, forgetful: boolean) {
  const said = new Map<string, Said>();
  const act = ({ method, url, text }: StubRequest): Said => {
    const [, , , , , key = "", messages] = url.pathname.split("/").map(decodeURIComponent);
    const known = tickets.find((ticket) => ticket.key === key);
    const body = JSON.parse(text) as { readonly text?: string; readonly message?: { readonly text: string } };
    const words = body.message?.text ?? body.text ?? "";
    if (method === "POST" && messages === "messages") {
      if (known === undefined) return { status: 404, result: "", body: { code: "not_found" } };
      const { id } = say(known, words, "");
      return { status: 201, result: "appended", body: { id } };
    }
    if (known === undefined) return { status: 201, result: "created", body: { id: open(key, words, "").id } };
    say(known, words, "");
    return { status: 200, result: "appended", body: { id: known.id } };
  };
  return (request: StubRequest, response: ServerResponse): undefined => {
    const key = String(request.headers["idempotency-key"]);
    const before = forgetful ? undefined : said.get(key);
    const now = before ?? act(request);
    if (now.status < 300) said.set(key, now);
    const replayed = before === undefined ? {} : { "idempotency-replayed": "true" };
    answer(response, now.status, now.body, { "deskbridge-result": now.result, ...replayed });
  };
}

/** Without keys; what was written shows in lists only after the declared lag. */
function createLookup({ tickets, say, open }: Store, forgetful: boolean) {
  const shows = ({ at }: Message): boolean => !forgetful && performance.now() - at >= lagSeconds * 1000 * 0.9;
  const idsOf = (things: readonly { readonly id: string }[]): unknown => things.map(({ id }) => ({ id }));
  const read = (ticket: Ticket | undefined, address: readonly string[], asked: URLSearchParams): unknown => {
    const [id, messages] = address;
    if (id === undefined) {
      return idsOf(
        tickets.filter((one) => one.key === asked.get("key") && one.messages.slice(0, 1).some(shows)),
      );
    }
    if (ticket === undefined || messages === undefined) return ticket && { id };
    return idsOf(ticket.messages.filter((one) => one.marker === asked.get("marker") && shows(one)));
  };
  const write = (ticket: Ticket | undefined, address: readonly string[], text: string): unknown => {
    const body = JSON.parse(text) as Readonly<Record<"key" | "text" | "marker", string>>;
    if (address[0] === undefined) return { id: open(body.key, body.text, body.marker).id };
    return ticket && { id: say(ticket, body.text, body.marker).id };
  };
  return ({ method, url, text }: StubRequest, response: ServerResponse): undefined => {
    const address = url.pathname.split("/").slice(2);
    const ticket = tickets.find(({ id }) => id === address[0]);
    const found = method === "GET" ? read(ticket, address, url.searchParams) : write(ticket, address, text);
    answer(response, found === undefined ? 404 : 200, found ?? {});
  };
}
