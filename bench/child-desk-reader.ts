import { serveCalls, sharedNow } from "./calls.ts";

interface ReadJob {
  readonly url: string;
  readonly key: string;
  /** How many there are. */
  readonly changes: number;
  readonly types?: string;
}

interface Page {
  readonly data: readonly { readonly sequence: string }[];
  readonly next_cursor: string;
  readonly has_more: boolean;
}

interface ReadFigures {
  readonly seconds: number;
  readonly count: number;
}

/** Counts changes, and fails when one is out of order. */
function createCounter() {
  let count = 0;
  let last = "";
  return {
    see: ({ sequence }: { readonly sequence: string }): void => {
      if (sequence <= last) throw new Error(`${sequence} came after ${last}`);
      last = sequence;
      count += 1;
    },
    count: () => count,
  };
}

async function page({ url, key, types }: ReadJob): Promise<ReadFigures> {
  const { see, count } = createCounter();
  const startedAt = sharedNow();
  let after = "";
  for (;;) {
    const query = `limit=1000${after === "" ? "" : `&after=${after}`}${types === undefined ? "" : `&types=${types}`}`;
    const answer = await fetch(`${url}/v1/changes?${query}`, { headers: { authorization: `Bearer ${key}` } });
    if (!answer.ok) throw new Error(`the feed answered ${answer.status}`);
    const body = (await answer.json()) as Page;
    body.data.forEach(see);
    after = body.next_cursor;
    if (!body.has_more) return { seconds: (sharedNow() - startedAt) / 1000, count: count() };
  }
}

async function follow({ url, key, changes }: ReadJob): Promise<ReadFigures> {
  const { see, count } = createCounter();
  const stop = new AbortController();
  const startedAt = sharedNow();
  const headers = { authorization: `Bearer ${key}` };
  const answer = await fetch(`${url}/v1/changes/stream?after=${"0".repeat(26)}`, {
    headers,
    signal: stop.signal,
  });
  if (!answer.ok || answer.body === null) throw new Error(`the stream answered ${answer.status}`);
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const at = block.indexOf("data: ");
      if (at >= 0) see(JSON.parse(block.slice(at + 6)) as { sequence: string });
    }
    if (count() >= changes) break;
  }
  const seconds = (sharedNow() - startedAt) / 1000;
  stop.abort();
  return { seconds, count: count() };
}

const handlers = { page, follow };
export type DeskReaderHandlers = typeof handlers;

serveCalls(handlers);
