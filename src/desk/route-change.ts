import type { FeedPosition } from "./change.ts";
import { feedStart, formatSequence, readSequence, requireReached, visibleTypes } from "./change.ts";
import { openFeedStream } from "./feed-stream.ts";
import { parsePart } from "./request.ts";
import type { Route } from "./route.ts";
import { readRoute, streamRoute } from "./route.ts";
import { change, changePage, changeQuery, streamQuery } from "./schema-change.ts";
import type { DeskStore } from "./store/store.ts";

async function positionOf(after: string, store: DeskStore): Promise<FeedPosition> {
  return readSequence(after) ?? (await store.feedEnd());
}

export const changeRoutes: readonly Route[] = [
  readRoute({
    method: "GET",
    path: "/v1/changes",
    // What a key sees of the feed goes by the scopes of the objects.
    scope: null,
    summary: "Read the change feed",
    query: changeQuery,
    answers: { 200: changePage },
    read: async ({ query, caller }, store) => {
      const types = visibleTypes(caller, query.types);
      const after = query.after === undefined ? feedStart : await positionOf(query.after, store);
      const { changes, end, more } = await store.readChanges({ after, types, limit: query.limit });
      if (changes.length === 0 && !more) requireReached(after, await store.feedEnd());
      const data = changes.map(({ body }) => body).join(",");
      return { body: `{"data":[${data}],"next_cursor":"${formatSequence(end)}","has_more":${more}}` };
    },
  }),
  streamRoute({
    method: "GET",
    path: "/v1/changes/stream",
    scope: null,
    summary: "Follow the change feed as Server-Sent Events",
    query: streamQuery,
    answers: { 200: change },
    stream: async ({ query, caller }, { feed, lastEventId, mayGoOn }) => {
      const resume = lastEventId === undefined ? query : parseLastEventId(lastEventId);
      const after = readSequence(resume.after ?? "now");
      const types = visibleTypes(caller, query.types);
      if (after !== undefined) requireReached(after, await feed.end());
      return openFeedStream(feed, { after, types, mayGoOn });
    },
  }),
];

function parseLastEventId(header: string): { readonly after?: string | undefined } {
  return parsePart(streamQuery.pick({ after: true }), { after: header }, "header Last-Event-ID");
}
