/** One Server-Sent Event, as a client hands it out. */
export interface StreamedEvent {
  readonly id: string;
  readonly data: unknown;
}

/** A client of an event stream, over real HTTP. */
export interface EventStream {
  readonly status: number;
  readonly headers: Headers;
  /** The next event with data; undefined when the server has ended the stream. */
  readonly next: () => Promise<StreamedEvent | undefined>;
  /** What the client would send as `Last-Event-ID`. */
  readonly lastEventId: () => string;
  /** Comments seen so far. */
  readonly comments: () => number;
  readonly close: () => void;
}

/** Connects, and reads no further than it is asked to. */
export async function openEventStream(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<EventStream> {
  const stop = new AbortController();
  const answer = await fetch(url, { headers, signal: stop.signal });
  const state = { lastEventId: "", comments: 0 };
  const events = eventsOf(answer, state);
  return {
    status: answer.status,
    headers: answer.headers,
    next: async () => (await events.next()).value ?? undefined,
    lastEventId: () => state.lastEventId,
    comments: () => state.comments,
    close: () => stop.abort(),
  };
}

async function* eventsOf(
  answer: Response,
  state: { lastEventId: string; comments: number },
): AsyncGenerator<StreamedEvent, undefined> {
  let text = "";
  for await (const chunk of (answer.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n");
      state.comments += lines.filter((line) => line.startsWith(":")).length;
      const valueOf = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      state.lastEventId = valueOf("id") ?? state.lastEventId;
      const data = valueOf("data");
      if (data !== undefined) yield { id: state.lastEventId, data: JSON.parse(data) as unknown };
    }
  }
}
