import { Readable } from "node:stream";
import { formatSequence, isBehind } from "./change.ts";
import type { Feed, FeedBatch, FollowRequest } from "./feed.ts";

interface StreamRequest extends Omit<FollowRequest, "idleMs" | "signal"> {
  /** Ends the stream before the client does. */
  readonly until?: AbortSignal;
  /** Asked before each batch after the first; false ends the stream, with nothing more told. */
  readonly mayGoOn: () => Promise<boolean>;
}

/** How often a stream without news says that it is alive, in milliseconds. */
const heartbeatMs = 15_000;
/** How long a client waits before it connects again, in milliseconds. */
const reconnectMs = 1000;

/**
 * The feed as Server-Sent Events, from `after` on: what a route sends as `text/event-stream`. Ends when the feed closes. Destroying it ends its
 * reading; it reads only as fast as it is read from.
 */
export function openFeedStream(feed: Pick<Feed, "follow">, request: StreamRequest): Readable {
  const { until, mayGoOn, ...rest } = request;
  const stop = new AbortController();
  const signal = until === undefined ? stop.signal : AbortSignal.any([stop.signal, until]);
  const stream = Readable.from(textOf(feed, { ...rest, idleMs: heartbeatMs, signal }, mayGoOn), {
    objectMode: false,
  });
  stream.once("close", () => stop.abort());
  return stream;
}

async function* textOf(
  feed: Pick<Feed, "follow">,
  request: FollowRequest,
  mayGoOn: StreamRequest["mayGoOn"],
): AsyncGenerator<string, void> {
  let told = request.after;
  // With the first batch, which has the place to begin at: whoever has seen the head of the answer misses nothing from then on.
  let head = `retry: ${reconnectMs}\n`;
  for await (const batch of feed.follow(request)) {
    const { end } = batch;
    if (head === "" && !(await mayGoOn())) return;
    yield head + formatEvents(batch, told === undefined || isBehind(told, end));
    told = end;
    head = "";
  }
}

/** The id of each event is the position to resume from. A batch without any is a comment, with the id alone where that has moved. */
function formatEvents({ changes, end }: FeedBatch, moved: boolean): string {
  const events = changes.map(({ body, ...at }) => `id: ${formatSequence(at)}\ndata: ${body}\n\n`);
  if (events.length > 0) return events.join("");
  return `: waiting\n${moved ? `id: ${formatSequence(end)}\n` : ""}\n`;
}
