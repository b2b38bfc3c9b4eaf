import { createHash } from "node:crypto";
import { createOrderRecords } from "./zendesk-records.ts";
import type { OrderRecords } from "./zendesk-records.ts";
import { invalid } from "./zendesk-people.ts";
import type { People } from "./zendesk-people.ts";
import type { StubAnswer, StubCall, StubPart } from "./zendesk-stub.ts";
import { applyWrite, normalTags, shownAudit, shownTicket, vendorTime } from "./zendesk-ticket.ts";
import type { StubTicket, TicketWrite } from "./zendesk-ticket.ts";
import { createExport } from "./zendesk-export.ts";

interface DeskParts {
  readonly newId: () => number;
  readonly now: () => number;
  readonly people: People;
  readonly exportsPerMinute?: number;
  readonly exportPage?: number;
}

export interface TicketDesk {
  readonly tickets: StubTicket[];
  readonly records: OrderRecords["records"];
  /** Ids and titles of the account's custom ticket fields. */
  readonly ticketFields: Map<number, string>;
  /** Tickets that lists by external id do not show yet. */
  readonly unlisted: Set<number>;
  /** What an agent does meanwhile. */
  readonly agent: {
    /** A ticket of somebody's, made at a time of its own. */
    readonly opens: (facts: TicketWrite, at: number) => StubTicket;
    readonly deletes: (ticket: StubTicket) => void;
    readonly sets: (ticket: StubTicket, change: TicketWrite) => void;
    /** The source is closed; its audit names the target unless told otherwise. */
    readonly merges: (source: StubTicket, target: StubTicket, tells?: boolean) => void;
  };
  readonly answer: StubPart;
}

/** How long the vendor remembers an idempotency key. */
const keyMs = 2 * 3600 * 1000;
/** Updates of one ticket that the vendor takes in ten minutes. */
const updatesTaken = 30;

const notFound: StubAnswer = { status: 404, body: { error: "RecordNotFound", description: "Not found" } };
const collided: StubAnswer = {
  status: 409,
  body: {
    error: "UpdateConflict",
    description: "Safe Update prevented the update due to outdated ticket data.",
  },
};

export function createTicketDesk(parts: DeskParts): TicketDesk {
  const { newId, now, people } = parts;
  const tickets: StubTicket[] = [];
  const ticketFields = new Map([
    [360001, "Shipment"],
    [360002, "Orders"],
  ]);
  const unlisted = new Set<number>();
  const agentId = 1;
  const keys = new Map<
    string,
    { readonly print: string; readonly answer: StubAnswer; readonly at: number }
  >();
  const updates = new Map<number, number[]>();
  const { records, answer: answerRecords } = createOrderRecords(newId, now);
  const answerExport = createExport({ ...parts, tickets, users: people.users });
  const apply = (ticket: StubTicket, write: TicketWrite, via?: object) =>
    applyWrite(ticket, write, { newId, now: now(), agentId, ...(via === undefined ? {} : { via }) });

  const create = (call: StubCall): StubAnswer => {
    const key = call.headers["idempotency-key"];
    const print = createHash("sha256").update(JSON.stringify(call.body)).digest("hex");
    const earlier = typeof key === "string" ? keys.get(key) : undefined;
    if (earlier !== undefined && now() - earlier.at < keyMs) {
      if (earlier.print === print) return { ...earlier.answer, headers: { "x-idempotency-lookup": "hit" } };
      const description = "Request parameters don't match the given idempotency key";
      return { status: 400, body: { error: "IdempotentRequestError", description } };
    }
    const made = make((call.body as { ticket?: TicketWrite } | undefined)?.ticket ?? {});
    if (typeof key === "string" && made.status === 201) keys.set(key, { print, answer: made, at: now() });
    return { ...made, headers: { "x-idempotency-lookup": "miss" } };
  };
  const add = (requesterId: number, write: TicketWrite, at: number, closed?: StubTicket): StubTicket => {
    const ticket: StubTicket = {
      id: newId(),
      externalId: write.external_id,
      requesterId,
      createdAt: at,
      updatedAt: at,
      followUpOf: closed?.id,
      subject: write.subject ?? write.comment?.body ?? "",
      status: "new",
      priority: undefined,
      tags: closed?.tags ?? [],
      fields: new Map([...ticketFields.keys()].map((id) => [id, null])),
      comments: [],
      audits: [],
    };
    tickets.push(ticket);
    return ticket;
  };
  const make = (write: TicketWrite): StubAnswer => {
    const { comment, requester, requester_id: requesterId, via_followup_source_id: source } = write;
    if ((comment?.body ?? "").trim() === "")
      return invalid({ base: [{ description: "Description: cannot be blank" }] });
    const user =
      requester?.email === undefined
        ? people.find(requesterId ?? agentId)
        : people.byEmail(requester.email, requester.name ?? requester.email);
    if (user === undefined) return invalid({ requester: [{ description: "Requester: is unknown" }] });
    if (user.isSuspended === true) {
      return invalid({ requester: [{ description: `Requester: ${user.name} is suspended.` }] });
    }
    const closed = tickets.find(({ id, status }) => id === source && status === "closed");
    const ticket = add(user.id, write, now(), closed);
    const audit = apply(ticket, write);
    const body = { ticket: shownTicket(ticket, ""), audit: shownAudit(ticket.id, audit) };
    return { status: 201, body };
  };
  const refusal = (ticket: StubTicket, { safe_update: safe, updated_stamp: stamp }: TicketWrite) => {
    const recent = (updates.get(ticket.id) ?? []).filter((at) => now() - at < 600_000);
    if (recent.length >= updatesTaken) {
      return { status: 429, body: { error: "TooManyRequests" }, headers: { "retry-after": "93" } };
    }
    if (ticket.status === "closed") {
      return invalid({ status: [{ description: "Status: closed prevents ticket update" }] });
    }
    if (safe !== undefined && stamp !== vendorTime(ticket.updatedAt)) return collided;
    updates.set(ticket.id, [...recent, now()]);
    return undefined;
  };
  const update = (ticket: StubTicket, { body }: StubCall): StubAnswer => {
    const write = (body as { ticket?: TicketWrite } | undefined)?.ticket ?? {};
    const refused = refusal(ticket, write);
    if (refused !== undefined) return refused;
    const audit = apply(ticket, write);
    return { status: 200, body: { ticket: shownTicket(ticket, ""), audit: shownAudit(ticket.id, audit) } };
  };
  const retag = (ticket: StubTicket, { method, body }: StubCall): StubAnswer => {
    const write = (body ?? {}) as TicketWrite;
    const refused = refusal(ticket, write);
    if (refused !== undefined) return refused;
    const given = normalTags(write.tags ?? []);
    const tags =
      method === "PUT" ? [...ticket.tags, ...given] : ticket.tags.filter((tag) => !given.includes(tag));
    apply(ticket, { tags });
    return method === "PUT" ? { status: 200, body: { tags: ticket.tags } } : { status: 204 };
  };
  const list = ({ query }: StubCall): StubAnswer => {
    const key = query.get("external_id");
    const found = tickets.filter(
      (ticket) => ticket.externalId === key && ticket.isDeleted !== true && !unlisted.has(ticket.id),
    );
    const headers = { "ratelimit-limit": "700", "ratelimit-remaining": "650", "ratelimit-reset": "41" };
    return {
      status: 200,
      body: { tickets: found.map((ticket) => shownTicket(ticket, "")), count: found.length },
      headers,
    };
  };
  const answerOne = (ticket: StubTicket, call: StubCall, rest: string): StubAnswer | undefined => {
    if (rest === "" && call.method === "GET")
      return { status: 200, body: { ticket: shownTicket(ticket, "") } };
    if (rest === "" && call.method === "PUT") return update(ticket, call);
    if (rest === "/tags") return retag(ticket, call);
    return rest === "/audits" ? pageOfAudits(ticket, call) : undefined;
  };
  return {
    tickets,
    records,
    ticketFields,
    unlisted,
    agent: {
      opens: (facts, at) => add(people.byEmail("ada@example.com", "Ada").id, facts, at),
      deletes: (ticket) => {
        ticket.isDeleted = true;
        ticket.updatedAt = now();
      },
      sets: (ticket, change) => void apply(ticket, change),
      merges: (source, target, tells = true) => {
        const to = tells ? { ticket_id: target.id } : {};
        const via = { channel: "web", source: { from: {}, to, rel: "merge" } };
        const comment = { body: "Merged.", public: false };
        apply(source, { status: "closed", tags: [...source.tags, "closed_by_merge"], comment }, via);
      },
    },
    answer: (call) => {
      const { method, path } = call;
      if (path === "/api/v2/tickets") return method === "POST" ? create(call) : list(call);
      if (path === "/api/v2/ticket_fields") return fieldList(ticketFields);
      const [, id, rest = ""] = /^\/api\/v2\/tickets\/(\d+)(\/\w+)?$/.exec(path) ?? [];
      if (id === undefined) return answerExport(call) ?? answerRecords(call);
      const ticket = tickets.find((one) => one.id === Number(id) && one.isDeleted !== true);
      return ticket === undefined ? notFound : answerOne(ticket, call, rest);
    },
  };
}

function pageOfAudits({ id, audits }: StubTicket, { path, query }: StubCall): StubAnswer {
  const size = Math.min(Number(query.get("per_page") ?? 100), 100);
  const page = Number(query.get("page") ?? 1);
  const ordered = query.get("sort_order") === "desc" ? audits.toReversed() : audits;
  const rows = ordered.slice((page - 1) * size, page * size);
  const next = page * size < audits.length ? `${path}?page=${page + 1}` : null;
  return {
    status: 200,
    body: { audits: rows.map((one) => shownAudit(id, one)), next_page: next, count: audits.length },
  };
}

function fieldList(fields: ReadonlyMap<number, string>): StubAnswer {
  const rows = [...fields].map(([id, title]) => ({ id, title, type: "text", active: true }));
  return { status: 200, body: { ticket_fields: rows } };
}
