import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { changePage } from "../../src/desk/schema-change.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import { openEventStream } from "../support/event-stream.ts";

type Page = z.output<typeof changePage>;

let stand: DeskStand;
let pool: pg.Pool;

beforeAll(async () => {
  stand = await openDeskStand();
  pool = new pg.Pool({
    connectionString: stand.databaseUrl,
    options: "-c search_path=deskbridge_desk",
    max: 20,
  });
});
afterAll(async () => {
  await pool.end();
  await stand.close();
});

async function readPage(query: string): Promise<Page> {
  const answer = await stand.send({ method: "GET", path: `/v1/changes?${query}` });
  expect([answer.status, answer.text]).toEqual([200, answer.text]);
  return changePage.parse(answer.json);
}

async function newTicket(subject: string): Promise<string> {
  const body = { subject, requester: { email: "ada@example.com", name: "Ada" }, message: { text: "Hello" } };
  const answer = await stand.send({ method: "POST", path: "/v1/tickets", body });
  return (answer.json as { id: string }).id;
}

/** Transactions of `record_change` that take their time; some are rolled back. */
async function writeSlowly(writer: number, transactions: number): Promise<void> {
  for (let round = 0; round < transactions; round += 1) {
    const client = await pool.connect();
    const type = (writer + round) % 3 === 0 ? "ticket.updated" : "contact.updated";
    await client.query("begin");
    for (let row = 0; row <= round % 3; row += 1) {
      await client.query("select record_change($1, $2, null, 'test')", [type, writer * 1000 + round]);
      await client.query("select pg_sleep(random() * 0.02)");
    }
    await client.query(round % 7 === 6 ? "rollback" : "commit");
    client.release();
  }
}

async function readUntil(query: string, after: string, stop: () => boolean): Promise<string[]> {
  const ids: string[] = [];
  let cursor = after;
  let last = false;
  for (;;) {
    const page = await readPage(`after=${cursor}&${query}`);
    ids.push(...page.data.map(({ id }) => id));
    cursor = page.next_cursor;
    if (page.has_more) continue;
    if (last) return ids;
    last = stop();
  }
}

async function idsSince(after: string, like: string): Promise<string[]> {
  const values = [Number.parseInt(after.slice(0, 13), 16), Number.parseInt(after.slice(13), 16), like];
  const text =
    "select 'evt_' || id as name from change where (tx, id) > ($1, $2) and type like $3 order by tx, id";
  return (await pool.query<{ name: string }>(text, values)).rows.map(({ name }) => name);
}

describe("the change feed", () => {
  it("tells everything that happened, in order, under ids and places that stay", async () => {
    const { next_cursor: start } = await readPage("after=now");
    const ticket = await newTicket("First");
    await stand.send({ method: "PATCH", path: `/v1/tickets/${ticket}`, body: { status: "solved" } });
    const page = await readPage(`after=${start}`);
    expect(page.data.map(({ type, object_id, ticket_id }) => [type, object_id, ticket_id])).toEqual([
      ["contact.created", "con_1", null],
      ["ticket.created", ticket, ticket],
      ["message.created", "msg_1", ticket],
      ["ticket.closed", ticket, ticket],
    ]);
    expect(page.data.at(-1)).toMatchObject({ actor: "key_bootstrap", data: { status: ["new", "solved"] } });
    const places = page.data.map(({ sequence }) => sequence);
    expect(places).toEqual([...places].sort());
    expect(await readPage(`after=${start}`)).toEqual(page);
    expect(page.next_cursor).toBe(places.at(-1));
    expect(page.has_more).toBe(false);
  });

  it("goes on from any page, and gives a cursor to wait with at the end", async () => {
    const all = await readPage("limit=1000");
    const inSteps = await readUntil("limit=1", all.data[0]?.sequence ?? "", () => true);
    expect(inSteps).toEqual(all.data.slice(1).map(({ id }) => id));
    const end = await readPage("after=now");
    expect(end).toEqual({ data: [], next_cursor: all.next_cursor, has_more: false });
    expect(await readPage(`after=${end.next_cursor}`)).toEqual(end);
  });

  it("gives the types that are asked for, and passes by the others", async () => {
    const { next_cursor: start } = await readPage("after=now");
    await newTicket("Second");
    const messages = await readPage(`after=${start}&types=message.created,order.*`);
    expect(messages.data.map(({ type }) => type)).toEqual(["message.created"]);
    const orders = await readPage(`after=${start}&types=order.*`);
    expect(orders.data).toEqual([]);
    expect(orders.next_cursor > start).toBe(true);
  });

  it("refuses cursors that are none, and types that there are not", async () => {
    for (const query of [
      "after=x",
      "after=",
      `after=${"g".repeat(26)}`,
      "types=ticket.lost",
      "types=",
      "limit=0",
      "limit=1001",
      "since=1",
    ]) {
      const answer = await stand.send({ method: "GET", path: `/v1/changes?${query}` });
      expect([query, answer.status]).toEqual([query, 400]);
    }
  });

  it("shows a key the changes of what it may read", async () => {
    const see = async (scopes: string[], query: string) => {
      const { key } = await stand.desk.keys.create("reader", scopes);
      const headers = { authorization: `Bearer ${key}` };
      const { status, json } = await stand.send({ method: "GET", path: `/v1/changes?${query}`, headers });
      return status === 200
        ? [...new Set((json as Page).data.map(({ type }) => type.split(".")[0]))].sort()
        : status;
    };
    expect(await see(["tickets:read"], "limit=500")).toEqual(["message", "ticket"]);
    expect(await see(["contacts:read"], "types=*")).toEqual(["contact"]);
    expect(await see(["contacts:read", "tickets:read"], "types=ticket.*")).toEqual(["ticket"]);
    expect(await see(["contacts:read"], "types=ticket.*")).toBe(403);
    expect(await see(["metrics:read"], "")).toBe(403);
  });

  it("misses nothing, repeats nothing and keeps its order under many slow writers", async () => {
    const { next_cursor: start } = await readPage("after=now");
    let writing = true;
    const url = await stand.listen();
    const headers = { authorization: `Bearer ${stand.adminKey}` };
    const stream = await openEventStream(`${url}/v1/changes/stream?after=${start}`, headers);
    const writers = Array.from({ length: 12 }, (_, writer) => writeSlowly(writer, 15));
    const done = Promise.all(writers).finally(() => (writing = false));
    const readers = ["limit=3", "limit=1000", "limit=2&types=ticket.*"].map((query) =>
      readUntil(query, start, () => !writing),
    );
    await done;
    const everything = await idsSince(start, "%");
    expect(everything.length).toBeGreaterThan(250);
    const [few, many, tickets] = await Promise.all(readers);
    expect(few).toEqual(everything);
    expect(many).toEqual(everything);
    expect(tickets).toEqual(await idsSince(start, "ticket.%"));
    const streamed: string[] = [];
    while (streamed.length < everything.length) {
      const event = await stream.next();
      if (event === undefined) throw new Error("the stream ended");
      streamed.push((event.data as { id: string }).id);
    }
    expect(streamed).toEqual(everything);
    stream.close();
  });

  it("shows nothing of a transaction, nor of any younger one, while it runs", async () => {
    const { next_cursor: start } = await readPage("after=now");
    const slow = await pool.connect();
    await slow.query("begin");
    await slow.query("select record_change('ticket.updated', 1, 1, 'slow')");
    await newTicket("Third");
    expect((await readPage(`after=${start}`)).data).toEqual([]);
    await slow.query("commit");
    slow.release();
    const { data } = await readPage(`after=${start}`);
    expect(data.map(({ actor }) => actor === "slow")).toEqual([true, false, false]);
  });
});
