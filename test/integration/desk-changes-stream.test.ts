import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { change } from "../../src/desk/schema-change.ts";
import type { FeedSource } from "../../src/desk/feed.ts";
import { createFeed } from "../../src/desk/feed.ts";
import { openFeedStream } from "../../src/desk/feed-stream.ts";
import type { ChangePage, ChangeRequest } from "../../src/desk/store/changes.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { EventStream } from "../support/event-stream.ts";
import { openEventStream } from "../support/event-stream.ts";

let stand: DeskStand;
let url: string;
let pool: pg.Pool;
const streams: EventStream[] = [];

beforeAll(async () => {
  stand = await openDeskStand();
  url = await stand.listen();
  pool = new pg.Pool({ connectionString: stand.databaseUrl, options: "-c search_path=deskbridge_desk" });
});
afterEach(() => streams.splice(0).forEach((stream) => stream.close()));
afterAll(async () => {
  await pool.end();
  await stand.close();
});

async function open(query = "", more: Record<string, string> = {}): Promise<EventStream> {
  const headers = { authorization: `Bearer ${stand.adminKey}`, ...more };
  const stream = await openEventStream(`${url}/v1/changes/stream${query}`, headers);
  streams.push(stream);
  return stream;
}

/** Changes straight into the table, past the API. */
async function write(count: number, type = "order.updated"): Promise<void> {
  await pool.query("select record_change($1, n, null, 'test') from generate_series(1, $2::bigint) as n", [
    type,
    count,
  ]);
}

async function take(stream: EventStream, count: number): Promise<{ id: string; object: string }[]> {
  const taken: { id: string; object: string }[] = [];
  while (taken.length < count) {
    const event = await stream.next();
    if (event === undefined) throw new Error("the stream ended");
    const { sequence, object_id } = change.parse(event.data);
    expect(event.id).toBe(sequence);
    taken.push({ id: event.id, object: object_id });
  }
  return taken;
}

describe("the stream of changes", () => {
  it("tells nothing more when its key was revoked", async () => {
    const { id, key } = await stand.desk.keys.create("watcher", ["orders:read"]);
    const stream = await open("", { authorization: `Bearer ${key}` });
    await write(1);
    await take(stream, 1);
    await stand.desk.keys.revoke(id);
    await write(1);
    expect(await stream.next()).toBeUndefined();
  });

  it("begins with what happens next, and brings it in order", async () => {
    await write(3);
    const stream = await open();
    expect([stream.status, stream.headers.get("content-type")]).toEqual([
      200,
      "text/event-stream; charset=utf-8",
    ]);
    await write(2, "contact.updated");
    expect((await take(stream, 2)).map(({ object }) => object)).toEqual(["con_1", "con_2"]);
  });

  it("goes on after Last-Event-ID with what was missed, also when that is long ago", async () => {
    const first = await open();
    await write(5);
    const seen = await take(first, 2);
    first.close();
    await write(1200);
    const again = await open("?after=now", { "last-event-id": seen[1]?.id ?? "" });
    const rest = await take(again, 1203);
    expect(rest.slice(0, 4).map(({ object }) => object)).toEqual(["ord_3", "ord_4", "ord_5", "ord_1"]);
    expect(new Set([...seen, ...rest].map(({ id }) => id)).size).toBe(1205);
  });

  it("brings only the types that were asked for", async () => {
    const stream = await open("?types=contact.*,ticket.created");
    await write(3, "order.updated");
    await write(1, "contact.updated");
    expect((await take(stream, 1)).map(({ object }) => object)).toEqual(["con_1"]);
  });

  it("is the same for all who read it", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => open()));
    await write(50);
    const [first, ...others] = await Promise.all(all.map((stream) => take(stream, 50)));
    for (const other of others) expect(other).toEqual(first);
  });

  it("is refused before it begins when the request is wrong", async () => {
    expect((await open("?types=order.lost")).status).toBe(400);
    expect((await open("", { "last-event-id": "7" })).status).toBe(400);
    expect((await open("", { authorization: "Bearer wrong" })).status).toBe(401);
    const { key } = await stand.desk.keys.create("metrics", ["metrics:read"]);
    expect((await open("", { authorization: `Bearer ${key}` })).status).toBe(403);
  });

  it("ends when the server shuts down", async () => {
    const own = await openDeskStand();
    const address = await own.listen();
    const headers = { authorization: `Bearer ${own.adminKey}` };
    const stream = await openEventStream(`${address}/v1/changes/stream`, headers);
    await expect(Promise.all([own.close(), stream.next()])).resolves.toEqual([undefined, undefined]);
  });
});

describe("following the feed", () => {
  const changes = Array.from({ length: 30 }, (_, index) => ({
    tx: 1,
    id: index + 1,
    type: index % 2 === 0 ? "ticket.updated" : "contact.updated",
    object: index,
    ticket: index,
    body: "{}",
  }));
  let reads = 0;
  const source = {
    feedEnd: async () => ({ tx: 0, id: 0 }),
    readChanges: async ({ after, limit }: ChangeRequest): Promise<ChangePage> => {
      reads += 1;
      const rest = changes.filter(({ tx, id }) => tx > after.tx || id > after.id).slice(0, limit);
      return { changes: rest, end: rest.at(-1) ?? after, more: false };
    },
  };
  beforeEach(() => {
    reads = 0;
  });

  it("takes a filter of its own, and says that it is alive when there is nothing for it", async () => {
    const feed = createFeed({ source, onFault: () => undefined });
    const stop = new AbortController();
    const batches = feed.follow({
      after: { tx: 0, id: 0 },
      types: ["ticket.updated"],
      filter: async (some) => some.filter(({ ticket }) => (ticket ?? 0) < 10),
      idleMs: 20,
      signal: stop.signal,
    });
    expect((await batches.next()).value).toEqual({ changes: [], end: { tx: 0, id: 0 } });
    const { value } = await batches.next();
    expect(value?.changes.map(({ object }) => object)).toEqual([0, 2, 4, 6, 8]);
    expect((await batches.next()).value).toEqual({ changes: [], end: { tx: 1, id: 30 } });
    stop.abort();
    expect((await batches.next()).done).toBe(true);
  });

  it("reads no faster than its reader", async () => {
    const end = { tx: 1, id: 1_000_000 };
    const long: FeedSource = {
      feedEnd: async () => end,
      readChanges: async ({ after, limit }) => {
        if (after.id >= end.id) return { changes: [], end: after, more: false };
        reads += 1;
        const found = Array.from({ length: limit }, (_, index) => ({
          ...changes[0]!,
          id: after.id + index + 1,
          body: "x".repeat(300),
        }));
        return { changes: found, end: found.at(-1)!, more: true };
      },
    };
    const feed = createFeed({ source: long, onFault: () => undefined });
    const stream = openFeedStream(feed, {
      after: { tx: 0, id: 0 },
      types: undefined,
      mayGoOn: async () => true,
    });
    const chunks = stream.iterator();
    for (let count = 0; count < 3; count += 1) await chunks.next();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(reads).toBeGreaterThan(1);
    expect(reads).toBeLessThan(6);
    stream.destroy();
    feed.close();
  });

  it("reads nothing while nobody follows", async () => {
    const feed = createFeed({ source, onFault: () => undefined });
    feed.wake();
    const stop = new AbortController();
    const batches = feed.follow({ after: undefined, types: undefined, idleMs: 5, signal: stop.signal });
    await batches.next();
    await batches.return();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const after = reads;
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(reads).toBe(after);
    feed.close();
  });
});
