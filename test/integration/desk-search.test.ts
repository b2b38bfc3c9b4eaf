import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pageOf } from "../../src/desk/schema-text.ts";
import { ticket } from "../../src/desk/schema-ticket.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;
let database: pg.Client;

beforeAll(async () => {
  stand = await openDeskStand();
  database = await stand.connect("enable_seqscan=off", "jit=off");
});
afterAll(() => stand.close());

async function search(query: Record<string, string>): Promise<number[]> {
  const found: number[] = [];
  let cursor: string | null = null;
  do {
    const parameters = new URLSearchParams({ ...query, ...(cursor === null ? {} : { cursor }) });
    const answer = await stand.send({ method: "GET", path: `/v1/tickets?${parameters.toString()}` });
    expect([answer.status, answer.status === 200 ? "" : answer.text]).toEqual([200, ""]);
    const page = pageOf(ticket).parse(answer.json);
    found.push(...page.data.map(({ number }) => number));
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}

async function open(subject: string, texts: readonly string[], more: object = {}): Promise<number> {
  const requester = { email: "reader@example.com" };
  const made = await stand.send({
    method: "POST",
    path: "/v1/tickets",
    body: { subject, requester, ...more },
  });
  const { id, number } = ticket.parse(made.json);
  for (const text of texts) {
    await stand.send({ method: "POST", path: `/v1/tickets/${id}/messages`, body: { text } });
  }
  return number;
}

describe("searching tickets", () => {
  it("finds words of the subject and of one message, as a search engine does", async () => {
    const parcel = await open("Wo ist mein Päckchen?", ["It is LATE, order #4711", "second note"]);
    const shoes = await open("Shoes too small", ["late again", "blue shoes, size 38"], { status: "open" });
    expect(await search({ q: "päckchen" })).toEqual([parcel]);
    expect(await search({ q: "late" })).toEqual([shoes, parcel]);
    expect(await search({ q: "late", sort: "created_at" })).toEqual([parcel, shoes]);
    expect(await search({ q: "late", status: "open" })).toEqual([shoes]);
    expect(await search({ q: "4711 late" })).toEqual([parcel]);
    expect(await search({ q: '"blue shoes"' })).toEqual([shoes]);
    expect(await search({ q: '"shoes blue"' })).toEqual([]);
    expect(await search({ q: "päckchen or size" })).toEqual([shoes, parcel]);
    expect(await search({ q: "late -again" })).toEqual([parcel]);
    // In two messages, so in none of them.
    expect(await search({ q: "second late" })).toEqual([]);
    expect(await search({ q: "!?'&|:*" })).toEqual([]);
    const renamed = {
      method: "PATCH",
      path: `/v1/tickets/tkt_${shoes}`,
      body: { subject: "Boots" },
    } as const;
    await stand.send(renamed);
    expect([await search({ q: "small" }), await search({ q: "boots" })]).toEqual([[], [shoes]]);
  });

  it("goes with the order of creation, and says so", async () => {
    const path = "/v1/tickets?q=late&sort=updated_at";
    const { status, json } = await stand.send({ method: "GET", path });
    expect([status, json]).toEqual([
      400,
      expect.objectContaining({ fields: [expect.objectContaining({ path: "sort" })] }),
    ]);
  });

  it("answers any page size and order as a plain walk would, over all sizes of ranges", async () => {
    const [{ first } = { first: 0 }] = (
      await database.query<{ first: number }>("select coalesce(max(id), 0)::int as first from ticket")
    ).rows;
    await database.query(
      `insert into ticket (subject, status, priority, channel, requester)
       select concat_ws(' ', 'bulk', case when i % 7 = 0 then 'seventh' end, case when i % 1500 = 3 then 'rare' end), 'open', 'low', 'api', 1
       from generate_series(1, 9000) i`,
    );
    const rows = await database.query<{ id: number; subject: string }>(
      "select id::int, subject from ticket where id > $1 order by id",
      [first],
    );
    const property = fc.asyncProperty(
      fc.constantFrom("rare", "seventh", "rare seventh", "rare or seventh", "seventh -bulk"),
      fc.boolean(),
      fc.integer({ min: 3, max: 200 }),
      async (q, descending, limit) => {
        const matches = {
          rare: (s: string) => s.includes("rare"),
          seventh: (s: string) => s.includes("seventh"),
          "rare seventh": (s: string) => s.includes("rare") && s.includes("seventh"),
          "rare or seventh": (s: string) => s.includes("rare") || s.includes("seventh"),
          "seventh -bulk": () => false,
        }[q];
        const expected = rows.rows.filter(({ subject }) => matches?.(subject)).map(({ id }) => id);
        if (descending) expected.reverse();
        const sort = descending ? "-created_at" : "created_at";
        expect(await search({ q, sort, limit: String(limit) })).toEqual(expected);
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });

  it("looks the words up in the index of messages", async () => {
    await database.query(
      `insert into message (ticket, direction, visibility, author_type, text)
       select 1 + i % 9000, 'inbound', 'public', 'system', 'word' || i from generate_series(1, 20000) i`,
    );
    await database.query("analyze");
    const { rows } = await database.query<{ "QUERY PLAN": string }>(
      `explain select m.ticket from message m where to_tsvector('simple'::regconfig, m.text) || ticket_ranges(m.ticket)
       @@ (websearch_to_tsquery('simple', 'word7') && '''#12:1'''::tsquery)`,
    );
    const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
    expect(plan).toMatch(/Bitmap Index Scan on message_search/);
  });
});
