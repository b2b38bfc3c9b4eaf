import { createWindowedSource, isoTime } from "deskbridge/sdk";
import type {
  EventInput,
  HttpRequest,
  Source,
  SourceRecord,
  WindowPage,
  WindowRequest,
} from "deskbridge/sdk";
import { z } from "zod";
import type { ZendeskApi } from "./api.ts";
import { askPatiently } from "./export.ts";
import { toCanonicalStatus } from "./ticket.ts";
import { changeEvents, ticketEvent, toldTicket } from "./ticket-event.ts";

const exported = toldTicket.extend({ generated_timestamp: z.int().positive().nullish() });
type Exported = z.output<typeof exported>;

const page = z.object({
  tickets: z.array(exported),
  metric_sets: z
    .array(z.object({ ticket_id: z.int(), solved_at: z.iso.datetime({ offset: true }).nullish() }))
    .default([]),
  after_cursor: z.string().nullish(),
  end_of_stream: z.boolean(),
});

/** What happened longer than this before a ticket's last change is not told again: the ledger may have forgotten that it knew. */
const recentMs = 7 * 24 * 3600 * 1000;

/** Tickets by the vendor's incremental export, which only admins may read. What webhooks dropped comes to light here, all but messages. */
export function createTicketSource(api: ZendeskApi, now: () => number): Source {
  return createWindowedSource({
    description: "tickets that were created, changed or closed",
    every: "5m",
    // The export leaves out what changed within the minute before the request.
    lagMs: 65_000,
    overlapMs: 60_000,
    now,
    fetchPage: (request) => fetchPage(api, request),
  });
}

async function fetchPage(api: ZendeskApi, { from, after, signal }: WindowRequest): Promise<WindowPage> {
  const start = { start_time: Date.parse(from) / 1000, include: "metric_sets" };
  const request: HttpRequest = {
    method: "GET",
    path: "/api/v2/incremental/tickets/cursor",
    query: after === undefined ? start : { cursor: after, include: "metric_sets" },
    signal,
  };
  const {
    tickets,
    metric_sets: metrics,
    after_cursor: next,
    end_of_stream: isLast,
  } = await askPatiently(api, request, page);
  const solvedAt = new Map(metrics.map((one) => [String(one.ticket_id), one.solved_at ?? undefined]));
  const records = tickets
    .map((ticket) => recordOf(ticket, solvedAt.get(ticket.id), api.address))
    .toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
  return isLast || typeof next !== "string" ? { records } : { records, after: next };
}

// The export goes by a time of its own, which moves with changes of the system's as well; `updated_at` does not.
function recordOf(ticket: Exported, solvedAt: string | undefined, address: string): SourceRecord {
  const { id, generated_timestamp: generated, updated_at: updatedAt } = ticket;
  const time = typeof generated === "number" ? isoTime(generated * 1000) : updatedAt;
  return { id, time, version: updatedAt, events: eventsOf(ticket, solvedAt, address) };
}

function eventsOf(ticket: Exported, solvedAt: string | undefined, address: string): readonly EventInput[] {
  const { created_at: createdAt, updated_at: updatedAt, status } = ticket;
  const canonical = toCanonicalStatus(status);
  // A ticket that was deleted is listed once more.
  if (canonical === undefined) return [];
  const isRecent = (time: string): boolean => Date.parse(updatedAt) - Date.parse(time) <= recentMs;
  const isDone = canonical === "solved" || canonical === "closed";
  const doneAt = solvedAt ?? updatedAt;
  return [
    ...(isRecent(createdAt) ? [ticketEvent(ticket, "created", createdAt, address)] : []),
    ...(isDone && isRecent(doneAt) ? [ticketEvent(ticket, "closed", doneAt, address)] : []),
    ...changeEvents(ticket, address),
  ];
}
