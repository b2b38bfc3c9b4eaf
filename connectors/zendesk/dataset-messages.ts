import { AppError, rowChanges } from "deskbridge/sdk";
import type { DatasetPage, DatasetRequest, Row } from "deskbridge/sdk";
import { z } from "zod";
import type { ZendeskApi } from "./api.ts";
import type { CommentEvent, ExportedUser } from "./dataset-row.ts";
import { commentEvent, exportedUser, messageRow } from "./dataset-row.ts";
import { askPatiently, beginning, lagMs, readMark } from "./export.ts";
import { remoteId } from "./ticket.ts";

const ticketEvent = z.object({
  ticket_id: remoteId,
  timestamp: z.int().nonnegative(),
  child_events: z.array(z.looseObject({ event_type: z.string().nullish() })).nullish(),
});
const eventPage = z.object({
  ticket_events: z.array(ticketEvent),
  end_time: z.int().nullish(),
  end_of_stream: z.boolean(),
});
const userList = z.object({ users: z.array(exportedUser) });

/** Events are read again from so long before where the last read stopped: they are listed by whole seconds. */
const overlapSeconds = 60;
/** Users that are asked for at once. */
const mostUsers = 100;

/** Comments out of the events of tickets. What was said stays said: the vendor does not tell here what was redacted or deleted since. */
export async function* readMessages(
  { api, now }: { readonly api: ZendeskApi; readonly now: () => number },
  request: DatasetRequest,
): AsyncGenerator<DatasetPage> {
  const { after, signal } = request;
  let start = after === undefined ? beginning : (readMark(after).start ?? beginning);
  const asOf = new Date(now() - lagMs).toISOString();
  const people = createPeople(api, signal);
  for (;;) {
    signal.throwIfAborted();
    const query = { start_time: start, include: "comment_events" };
    const path = "/api/v2/incremental/ticket_events";
    const page = await askPatiently(api, { method: "GET", path, query, signal }, eventPage);
    const { end_time: end, end_of_stream: isLast } = page;
    const reached = Math.max(end ?? start, start);
    if (!isLast && reached === start)
      throw new AppError("target_protocol", `GET ${path}: the export does not move on`);
    start = reached;
    const watermark = JSON.stringify({
      start: isLast ? Math.max(start - overlapSeconds, beginning) : start,
    });
    const rows = await rowsOf(page.ticket_events, people);
    yield { changes: rowChanges(request, { rows }), watermark, ...(isLast ? { asOf } : {}) };
    if (isLast) return;
  }
}

interface People {
  readonly of: (ids: readonly string[]) => Promise<ReadonlyMap<string, ExportedUser>>;
}

/** Who wrote what: looked up once a read. */
function createPeople(api: ZendeskApi, signal: AbortSignal): People {
  const known = new Map<string, ExportedUser>();
  const missing = new Set<string>();
  return {
    of: async (ids) => {
      const wanted = [...new Set(ids)].filter((id) => !known.has(id) && !missing.has(id));
      for (let from = 0; from < wanted.length; from += mostUsers) {
        const some = wanted.slice(from, from + mostUsers);
        const query = { ids: some.join(",") };
        const { users } = await api.ask(
          { method: "GET", path: "/api/v2/users/show_many", query, signal },
          userList,
        );
        for (const user of users) known.set(user.id, user);
        for (const id of some) if (!known.has(id)) missing.add(id);
      }
      return known;
    },
  };
}

async function rowsOf(
  events: readonly z.output<typeof ticketEvent>[],
  people: People,
): Promise<readonly Row[]> {
  const comments = events.flatMap(({ ticket_id: ticket, timestamp, child_events: children }) =>
    (children ?? []).flatMap((child) => {
      if (child.event_type !== "Comment") return [];
      const comment = commentEvent.safeParse(child);
      if (!comment.success)
        throw new AppError(
          "target_protocol",
          "a comment among the events of a ticket is not as the vendor has them",
        );
      return [{ ticket, comment: comment.data, at: new Date(timestamp * 1000).toISOString() }];
    }),
  );
  const authors = await people.of(comments.flatMap(({ comment }) => authorOf(comment) ?? []));
  return comments.map(({ ticket, comment, at }) =>
    messageRow(ticket, comment, at, authors.get(authorOf(comment) ?? "")),
  );
}

function authorOf({ author_id: id }: CommentEvent): string | undefined {
  return typeof id === "string" && /^[1-9]\d*$/.test(id) ? id : undefined;
}
