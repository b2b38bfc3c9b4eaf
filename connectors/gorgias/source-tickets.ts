import { AppError, createWindowedSource } from "deskbridge/sdk";
import type { Source, SourceRecord, WindowPage, WindowRequest } from "deskbridge/sdk";
import type { GorgiasApi } from "./api.ts";
import type { Config } from "./config.ts";
import { stateEvents } from "./event.ts";
import { instantOf, ticket } from "./object.ts";
import type { Ticket } from "./object.ts";
import { isTrashed } from "./ticket.ts";

/** Pages whose rows are kept from the way down until the way up; of longer scans the newer pages are asked for again. */
const mostKeptPages = 50;
/** Scans under way at once. A read whose scan is gone begins anew at its cursor. */
const mostScans = 4;

/** A page as it was met on the way down, and where it begins. */
interface ScannedPage {
  readonly cursor: string | undefined;
  rows: readonly Row[] | undefined;
}

interface Row {
  readonly at: number;
  readonly time: string;
  readonly facts: Ticket;
}

/**
 * Tickets by time of change. Gorgias cannot be asked for what changed since, and lists newest change first: the list is read down to the
 * start of the window, and handed out from there upwards. A ticket that changes meanwhile moves up, past the window's end, and
 * belongs to the next read.
 */
export function createTicketSource(settings: Config, api: GorgiasApi, now: () => number): Source {
  const scans = new Map<string, ScannedPage[]>();
  let count = 0;
  const begin = async (request: WindowRequest): Promise<string> => {
    const pages = await scanDown(api, request);
    count += 1;
    const name = String(count);
    scans.set(name, pages);
    const [oldest] = scans.keys();
    if (scans.size > mostScans && oldest !== undefined) scans.delete(oldest);
    return name;
  };
  return createWindowedSource({
    description: "tickets created, changed and closed",
    every: "5m",
    overlapMs: 5 * 60_000,
    lagMs: 5000,
    now,
    fetchPage: async (request) => {
      const [name = "", reached] = (request.after ?? (await begin(request))).split(" ");
      const pages = scans.get(name);
      if (pages === undefined) {
        throw new AppError("target_protocol", "too many reads of the tickets at once; this one begins anew");
      }
      const page = pages.pop();
      const rows =
        page === undefined ? [] : (page.rows ?? (await readAgain(api, page, Number(reached), request)));
      if (pages.length === 0) scans.delete(name);
      return handOut(
        settings,
        rows,
        pages.length === 0 ? undefined : `${name} ${rows.at(-1)?.at ?? reached ?? 0} ${pages.length}`,
      );
    },
  });
}

async function scanDown(api: GorgiasApi, request: WindowRequest): Promise<ScannedPage[]> {
  const from = Date.parse(request.from);
  const pages: ScannedPage[] = [];
  let cursor: string | undefined;
  for (;;) {
    request.signal.throwIfAborted();
    const { rows, next } = await api.page(listOf(request), cursor);
    const times = rows.map(rowOf);
    pages.push({ cursor, rows: inWindow(times, request) });
    const forgotten = pages.at(-1 - mostKeptPages);
    if (forgotten !== undefined) forgotten.rows = undefined;
    if (next === undefined || times.some(({ at }) => at < from)) return pages;
    cursor = next;
  }
}

/**
 * A page whose rows were not kept. Whatever the vendor's cursors stand for, nothing is left out between what was handed out and this page: it
 * is read down to the time that was reached.
 */
async function readAgain(
  api: GorgiasApi,
  page: ScannedPage,
  reachedAt: number,
  request: WindowRequest,
): Promise<readonly Row[]> {
  const found: Row[] = [];
  let { cursor } = page;
  for (;;) {
    const { rows, next } = await api.page(listOf(request), cursor);
    const times = rows.map(rowOf);
    found.push(...times);
    if (next === undefined || times.some(({ at }) => at < reachedAt)) break;
    cursor = next;
  }
  return inWindow(
    found.filter(({ at }) => at >= reachedAt),
    request,
  );
}

function listOf({ signal }: WindowRequest) {
  const query = { order_by: "updated_datetime:desc", trashed: "true" };
  return { path: "/api/tickets", item: ticket, what: "tickets", query, signal };
}

function rowOf(facts: Ticket): Row {
  const time = instantOf(facts.updated_datetime);
  if (time !== undefined) return { at: Date.parse(time), time, facts };
  throw new AppError("target_protocol", `Ticket ${facts.id} carries no readable time of change.`);
}

/** Oldest change first. */
function inWindow(rows: readonly Row[], { from, to }: WindowRequest): readonly Row[] {
  const [start, end] = [Date.parse(from), Date.parse(to)];
  return rows.filter(({ at }) => at >= start && at < end).toSorted((a, b) => a.at - b.at);
}

function handOut(settings: Config, rows: readonly Row[], after: string | undefined): WindowPage {
  const records = rows.map(({ time, facts }): SourceRecord => {
    // A ticket in the trash is not news; what reads the desk's tickets sees it there.
    return { time, id: facts.id, events: isTrashed(facts) ? [] : stateEvents(settings, factsOf(facts)) };
  });
  return after === undefined ? { records } : { records, after };
}

function factsOf(from: Ticket): Parameters<typeof stateEvents>[1] {
  const { customer } = from;
  return {
    id: from.id,
    key: from.external_id ?? undefined,
    subject: from.subject ?? undefined,
    status: from.status,
    priority: from.priority ?? undefined,
    tags: (from.tags ?? []).map(({ name }) => name),
    createdAt: from.created_datetime ?? undefined,
    updatedAt: from.updated_datetime ?? undefined,
    closedAt: from.closed_datetime ?? undefined,
    customer:
      customer === null || customer === undefined
        ? undefined
        : {
            id: customer.id,
            email: customer.email ?? undefined,
            name: customer.name ?? undefined,
            externalId: customer.external_id ?? undefined,
          },
  };
}
