import type { StubAnswer, StubCall, StubPart } from "./zendesk-stub.ts";
import { shownTicket, vendorTime } from "./zendesk-ticket.ts";
import type { StubTicket } from "./zendesk-ticket.ts";

interface ExportParts {
  readonly now: () => number;
  readonly exportsPerMinute?: number;
  readonly exportPage?: number;
}

/** The incremental export by cursor: tickets by the time of their last change, deleted ones too, ten requests a minute. */
export function createExport(
  tickets: readonly StubTicket[],
  { now, exportsPerMinute = 10, exportPage = 1000 }: ExportParts,
): StubPart {
  const recent: number[] = [];
  return (call) => {
    if (call.path !== "/api/v2/incremental/tickets/cursor" || call.method !== "GET") return undefined;
    while ((recent[0] ?? Infinity) <= now() - 60_000) recent.shift();
    if (recent.length >= exportsPerMinute) {
      return { status: 429, body: { error: "APIRateLimitExceeded" }, headers: { "retry-after": "17" } };
    }
    recent.push(now());
    return page(tickets, call, now(), exportPage);
  };
}

function page(tickets: readonly StubTicket[], { query }: StubCall, now: number, largest: number): StubAnswer {
  const cursor = query.get("cursor");
  const start = Number(query.get("start_time"));
  if (cursor === null && start > now / 1000 - 60) {
    return { status: 422, body: { error: "StartTimeTooRecent", description: "Too recent start_time" } };
  }
  const [at, id] = cursor === null ? [start, 0] : decode(cursor);
  const size = Math.min(Number(query.get("per_page") ?? 1000), largest);
  const rows = tickets
    .map((ticket) => ({ ticket, second: Math.floor(ticket.updatedAt / 1000) }))
    .filter(({ ticket, second }) => second > at || (second === at && ticket.id > id))
    .toSorted((a, b) => a.second - b.second || a.ticket.id - b.ticket.id);
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  const after = last === undefined ? encode(at, id) : encode(last.second, last.ticket.id);
  const metrics = shown.map(({ ticket }) => ({
    ticket_id: ticket.id,
    ...(ticket.solvedAt === undefined ? {} : { solved_at: vendorTime(ticket.solvedAt) }),
  }));
  return {
    status: 200,
    body: {
      tickets: shown.map(({ ticket, second }) => ({
        ...shownTicket(ticket, ""),
        generated_timestamp: second,
      })),
      ...(query.get("include") === "metric_sets" ? { metric_sets: metrics } : {}),
      after_cursor: after,
      after_url: `https://acme.zendesk.com/api/v2/incremental/tickets/cursor?cursor=${after}`,
      before_cursor: null,
      before_url: null,
      end_of_stream: rows.length <= size,
    },
  };
}

function encode(second: number, id: number): string {
  return Buffer.from(`${second}|${id}`).toString("base64url");
}

function decode(cursor: string): readonly [number, number] {
  const [second = "0", id = "0"] = Buffer.from(cursor, "base64url").toString().split("|");
  return [Number(second), Number(id)];
}
