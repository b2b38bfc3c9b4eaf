import type { StubUser } from "./zendesk-people.ts";
import { shown as shownUser } from "./zendesk-people.ts";
import type { StubAnswer, StubCall, StubPart } from "./zendesk-stub.ts";
import { shownTicket, vendorTime } from "./zendesk-ticket.ts";
import type { StubAudit, StubTicket } from "./zendesk-ticket.ts";

interface ExportParts {
  readonly tickets: readonly StubTicket[];
  readonly users: readonly StubUser[];
  readonly now: () => number;
  readonly exportsPerMinute?: number;
  readonly exportPage?: number;
}

/** What an export lists: a thing, with the second of its last change. */
interface Listed<T> {
  readonly thing: T;
  readonly id: number;
  readonly second: number;
}

/** The incremental exports: tickets and users by cursor, events of tickets by time; what is gone is listed too. Ten requests a minute. */
export function createExport(parts: ExportParts): StubPart {
  const { now, exportsPerMinute = 10 } = parts;
  const recent: number[] = [];
  return (call) => {
    const name = /^\/api\/v2\/incremental\/(tickets\/cursor|users\/cursor|ticket_events)$/.exec(
      call.path,
    )?.[1];
    if (name === undefined || call.method !== "GET") return undefined;
    while ((recent[0] ?? Infinity) <= now() - 60_000) recent.shift();
    if (recent.length >= exportsPerMinute) {
      return { status: 429, body: { error: "APIRateLimitExceeded" }, headers: { "retry-after": "17" } };
    }
    recent.push(now());
    if (call.query.get("cursor") === null && Number(call.query.get("start_time")) > now() / 1000 - 60) {
      return { status: 422, body: { error: "StartTimeTooRecent", description: "Too recent start_time" } };
    }
    if (name === "ticket_events") return events(call, parts);
    return name === "users/cursor" ? users(call, parts) : tickets(call, parts);
  };
}

function tickets(call: StubCall, parts: ExportParts): StubAnswer {
  const listed = parts.tickets.map((thing) => ({ thing, id: thing.id, second: secondOf(thing.updatedAt) }));
  const { shown, ...facts } = page(listed, call, parts);
  const body = {
    tickets: shown.map(({ thing, second }) => ({ ...shownTicket(thing, ""), generated_timestamp: second })),
    ...(call.query.get("include") === "metric_sets"
      ? { metric_sets: shown.map(({ thing }) => metricsOf(thing)) }
      : {}),
    ...facts,
  };
  return { status: 200, body };
}

/** Minutes are rounded down, and business minutes are those of a shop that never closes. */
function metricsOf({ id, createdAt, solvedAt, comments, audits, reopens = 0 }: StubTicket): object {
  const replies = comments.filter((comment) => comment.public && comment.authorId === 1);
  const reply = audits.find(({ comment }) => comment !== undefined && comment === replies[0]);
  const minutes = (at: number | undefined): object => {
    const whole = at === undefined ? null : Math.floor((at - createdAt) / 60_000);
    return { calendar: whole, business: whole };
  };
  return {
    ticket_id: id,
    replies: replies.length,
    reopens,
    reply_time_in_minutes: minutes(reply?.at),
    first_resolution_time_in_minutes: minutes(solvedAt),
    full_resolution_time_in_minutes: minutes(solvedAt),
    ...(solvedAt === undefined ? {} : { solved_at: vendorTime(solvedAt) }),
  };
}

function users(call: StubCall, parts: ExportParts): StubAnswer {
  const listed = parts.users.map((thing) => ({
    thing,
    id: thing.id,
    second: secondOf(thing.updatedAt ?? thing.createdAt ?? 0),
  }));
  const { shown, ...facts } = page(listed, call, parts);
  return { status: 200, body: { users: shown.map(({ thing }) => shownUser(thing)), ...facts } };
}

/** Everything after a cursor, or from a second on, by time and id; nothing of the last minute. */
function page<T>(
  listed: readonly Listed<T>[],
  { query }: StubCall,
  { now, exportPage = 1000 }: ExportParts,
): { readonly shown: readonly Listed<T>[] } & Readonly<Record<string, unknown>> {
  const cursor = query.get("cursor");
  const [at, id] = cursor === null ? [Number(query.get("start_time")), 0] : decode(cursor);
  const size = Math.min(Number(query.get("per_page") ?? 1000), exportPage);
  const rows = listed
    .filter((one) => one.second > at || (one.second === at && one.id > id))
    .filter(({ second }) => second <= now() / 1000 - 60)
    .toSorted((a, b) => a.second - b.second || a.id - b.id);
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  const after = last === undefined ? encode(at, id) : encode(last.second, last.id);
  return {
    shown,
    after_cursor: after,
    after_url: `https://acme.zendesk.com/api/v2/incremental/tickets/cursor?cursor=${after}`,
    before_cursor: null,
    before_url: null,
    end_of_stream: rows.length <= size,
  };
}

/** Events from a second on; a page goes on to the end of its last second. */
function events({ query }: StubCall, parts: ExportParts): StubAnswer {
  const { now, exportPage = 1000 } = parts;
  const start = Number(query.get("start_time"));
  const withComments = query.get("include") === "comment_events";
  const all = parts.tickets
    .flatMap((ticket) => ticket.audits.map((audit) => ({ ticket, audit, second: secondOf(audit.at) })))
    .filter(({ second }) => second >= start && second <= now() / 1000 - 60)
    .toSorted((a, b) => a.second - b.second || a.audit.id - b.audit.id);
  const lastSecond = all[exportPage - 1]?.second ?? Infinity;
  const shown = all.filter(({ second }) => second <= lastSecond);
  const end = shown.at(-1)?.second ?? start;
  return {
    status: 200,
    body: {
      ticket_events: shown.map(({ ticket, audit, second }) => ({
        id: audit.id,
        ticket_id: ticket.id,
        timestamp: second,
        created_at: vendorTime(audit.at),
        updater_id: audit.comment?.authorId ?? 1,
        event_type: "Audit",
        child_events: childrenOf(audit, withComments),
      })),
      count: shown.length,
      end_time: end,
      next_page: `https://acme.zendesk.com/api/v2/incremental/ticket_events.json?start_time=${end}`,
      end_of_stream: shown.length === all.length,
    },
  };
}

function childrenOf({ id, at, comment }: StubAudit, withComments: boolean): readonly object[] {
  const changed = {
    id: id + 1,
    via: "Web service",
    event_type: "Change",
    status: "open",
    previous_value: "new",
  };
  if (comment === undefined) return [changed];
  if (!withComments) return [{ ...changed, comment_present: true, comment_public: comment.public }];
  const { id: commentId, body, public: isPublic, authorId } = comment;
  return [
    {
      id: commentId,
      type: "Comment",
      event_type: "Comment",
      author_id: authorId,
      body,
      html_body: `<p>${body}</p>`,
      public: isPublic,
      attachments: [],
      audit_id: id,
      created_at: vendorTime(at),
    },
  ];
}

function secondOf(at: number): number {
  return Math.floor(at / 1000);
}

function encode(second: number, id: number): string {
  return Buffer.from(`${second}|${id}`).toString("base64url");
}

function decode(cursor: string): readonly [number, number] {
  const [second = "0", id = "0"] = Buffer.from(cursor, "base64url").toString().split("|");
  return [Number(second), Number(id)];
}
