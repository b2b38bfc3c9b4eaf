import { AppError, rowChanges } from "deskbridge/sdk";
import type { DatasetName, DatasetPage, DatasetRequest, DatasetSource, HttpRequest } from "deskbridge/sdk";
import { z } from "zod";
import type { ZendeskApi } from "./api.ts";
import type { Config } from "./config.ts";
import { readMessages } from "./dataset-messages.ts";
import { contactRow, exportedTicket, exportedUser, metricRow, metricSet, ticketRow } from "./dataset-row.ts";
import { askPatiently, beginning, lagMs, readMark } from "./export.ts";
import type { ExportMark } from "./export.ts";

const cursorFacts = { after_cursor: z.string().nullish(), end_of_stream: z.boolean() };
const ticketPage = z.object({
  tickets: z.array(exportedTicket),
  metric_sets: z.array(metricSet).default([]),
  ...cursorFacts,
});
const userPage = z.object({ users: z.array(exportedUser), ...cursorFacts });

interface Parts {
  readonly api: ZendeskApi;
  readonly settings: Config;
  readonly now: () => number;
}

/** The vendor's incremental exports, which only admins may read: ten requests a minute, of a thousand rows each. */
export function createDatasetSource(parts: Parts): DatasetSource {
  const readers = {
    tickets: readTickets,
    messages: readMessages,
    contacts: readContacts,
    ticket_metrics: readTickets,
  } as const satisfies Partial<
    Record<DatasetName, (parts: Parts, request: DatasetRequest) => AsyncIterable<DatasetPage>>
  >;
  const datasets = Object.keys(readers) as (keyof typeof readers)[];
  return {
    datasets,
    read: (request) => {
      const name = datasets.find((one) => one === request.dataset);
      if (name === undefined) throw new AppError("internal", `there is no dataset ${request.dataset} here`);
      return readers[name](parts, request);
    },
  };
}

async function* readTickets(
  { api, settings, now }: Parts,
  request: DatasetRequest,
): AsyncGenerator<DatasetPage> {
  const isMetrics = request.dataset === "ticket_metrics";
  const path = "/api/v2/incremental/tickets/cursor";
  const asked = { api, now, path, schema: ticketPage, include: "metric_sets" };
  for await (const { page, ...rest } of readExport(asked, request)) {
    const metrics = new Map(page.metric_sets.map((one) => [one.ticket_id, one]));
    const rows = page.tickets
      .map((ticket) => {
        const measured = metrics.get(ticket.id);
        return isMetrics ? metricRow(ticket, measured) : ticketRow(ticket, measured, settings);
      })
      .filter((row) => row !== null);
    // A ticket that was deleted is listed once more.
    const there = new Set(rows.map((row) => row[isMetrics ? "ticket_id" : "id"]));
    const gone = page.tickets.flatMap(({ id }) => (there.has(id) ? [] : { id, ticket_id: id }));
    yield { ...rest, changes: rowChanges(request, { rows, gone }) };
  }
}

async function* readContacts({ api, now }: Parts, request: DatasetRequest): AsyncGenerator<DatasetPage> {
  const path = "/api/v2/incremental/users/cursor";
  for await (const { page, ...rest } of readExport({ api, now, path, schema: userPage }, request)) {
    const rows = page.users.map(contactRow).filter((row) => row !== null);
    const there = new Set(rows.map(({ id }) => id));
    const gone = page.users.flatMap(({ id }) => (there.has(id) ? [] : { id }));
    yield { ...rest, changes: rowChanges(request, { rows, gone }) };
  }
}

interface CursorPage {
  readonly after_cursor?: string | null | undefined;
  readonly end_of_stream: boolean;
}

interface Export<P extends CursorPage> {
  readonly api: ZendeskApi;
  readonly now: () => number;
  readonly path: string;
  readonly schema: z.ZodType<P>;
  readonly include?: string;
}

/** The pages of an export by cursor. The cursor behind its end is where the next read goes on. */
async function* readExport<P extends CursorPage>(
  { api, now, path, schema, include }: Export<P>,
  { after, signal }: DatasetRequest,
): AsyncGenerator<Omit<DatasetPage, "changes"> & { readonly page: P }> {
  let at: ExportMark = after === undefined ? { start: beginning } : readMark(after);
  const asOf = new Date(now() - lagMs).toISOString();
  for (;;) {
    signal.throwIfAborted();
    const from = at.cursor === undefined ? { start_time: at.start ?? beginning } : { cursor: at.cursor };
    const request: HttpRequest = { method: "GET", path, query: { ...from, include }, signal };
    const page = await askPatiently(api, request, schema);
    const { after_cursor: next, end_of_stream: isLast } = page;
    if (typeof next === "string" && next !== "") at = { cursor: next };
    else if (!isLast)
      throw new AppError("target_protocol", `GET ${path}: there is more, but no cursor for it`);
    yield { page, watermark: JSON.stringify(at), ...(isLast ? { asOf } : {}) };
    if (isLast) return;
  }
}
