import { AppError, isoTime } from "deskbridge/sdk";
import type { Cursor, HttpClient, Page, ReadRequest, Source } from "deskbridge/sdk";
import { z } from "zod";
import { change, eventOf, patterns } from "./event.ts";
import type { Change } from "./event.ts";

const feedPage = z.object({ data: z.array(change), next_cursor: z.string(), has_more: z.boolean() });

/** How far apart the order of the feed and the order of the times in it may be: longer than any write takes. */
const disorderMs = 60_000;

/**
 * The change feed: everything that webhooks tell of, under the same event ids. A cursor is a place in the feed; one that has a time only reads
 * the feed from its beginning and hands out what happened since, because the feed cannot be asked for a time.
 */
export function createChangeSource(http: HttpClient, refSource: string): Source {
  return {
    description: "tickets, messages and contacts as they change",
    every: "1m",
    read: (request) => readFeed(http, refSource, request),
  };
}

async function* readFeed(
  http: HttpClient,
  refSource: string,
  { cursor, until, signal }: ReadRequest,
): AsyncGenerator<Page> {
  const floor = cursor === undefined ? undefined : (cursor.floor ?? cursor.time);
  const end = until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until);
  let after = cursor?.id;
  let time = cursor?.time ?? isoTime(0);
  for (;;) {
    signal.throwIfAborted();
    const { data, next_cursor: next, has_more: more } = await fetchPage(http, after, signal);
    const wanted = data.filter((one) => isWithin(one, floor, end));
    time = latest(time, wanted);
    const isNews = next !== after;
    after = next;
    if (isNews) yield { events: wanted.flatMap((one) => eventOf(one, refSource) ?? []), cursor: place() };
    const last = data.at(-1);
    const isPast = last !== undefined && Date.parse(last.time) >= end + disorderMs;
    if (!more || isPast) return;
  }

  function place(): Cursor {
    return {
      time,
      ...(floor === undefined ? {} : { floor }),
      ...(after === undefined ? {} : { id: after }),
      seen: [],
    };
  }
}

async function fetchPage(http: HttpClient, after: string | undefined, signal: AbortSignal) {
  const query = { types: patterns.join(","), limit: 500, after };
  const { body } = await http.request({ method: "GET", path: "/v1/changes", query, signal });
  const parsed = feedPage.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new AppError("target_protocol", "the answer is not a change feed; check the connection's url");
}

function isWithin({ time }: Change, floor: string | undefined, end: number): boolean {
  const at = Date.parse(time);
  return at < end && (floor === undefined || at >= Date.parse(floor));
}

function latest(time: string, changes: readonly Change[]): string {
  return changes.reduce((so, one) => (Date.parse(one.time) > Date.parse(so) ? one.time : so), time);
}
