import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contact } from "../../src/desk/schema-contact.ts";
import { erasedContact } from "../../src/desk/schema-contact-whole.ts";
import { message } from "../../src/desk/schema-message.ts";
import { pageOf } from "../../src/desk/schema-text.ts";
import { ticket } from "../../src/desk/schema-ticket.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;
let database: pg.Client;

beforeAll(async () => {
  stand = await openDeskStand();
  database = await stand.connect();
});
afterAll(() => stand.close());

const send = (
  method: DeskRequest["method"],
  path: string,
  body?: object,
  headers = {},
): Promise<DeskAnswer> => stand.send({ method, path, ...(body === undefined ? {} : { body }), headers });

/** Every row of every table of the schema, as text, by table. */
async function dump(): Promise<ReadonlyMap<string, string>> {
  const { rows: tables } = await database.query<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'deskbridge_desk'",
  );
  const texts = new Map<string, string>();
  for (const { name } of tables) {
    const { rows } = await database.query<{ row: string }>(`select t::text as row from ${name} t`);
    texts.set(name, rows.map(({ row }) => row).join("\n"));
  }
  return texts;
}

/** Tables in which one of the words occurs, in whatever case. */
async function tablesWith(words: readonly string[]): Promise<string[]> {
  const found = [...(await dump())].filter(([, text]) =>
    words.some((word) => text.toLowerCase().includes(word.toLowerCase())),
  );
  return found.map(([name]) => name).sort();
}

const person = {
  name: "Zebedee Quarrington",
  email: "zeb.q@erasable.example",
  phone: "+442079460991",
};
/** Each occurs somewhere in what is stored about the person. */
const words = [
  "Zebedee",
  "Quarrington",
  "erasable.example",
  "442079460991",
  "crm-zeb-991",
  "wa-zeb-991",
  "7 Hidden Lane",
  "order-of-zeb",
  "lost umbrella",
  "secret-link",
  "former-zeb",
];

interface Story {
  readonly id: string;
  readonly own: string;
  readonly foreign: string;
  readonly replay: () => Promise<DeskAnswer>;
}

/** Leaves traces of the person wherever one can be left. */
async function leaveTraces(): Promise<Story> {
  const early = {
    email: "former-zeb@erasable.example",
    name: "Z. Q.",
    custom_fields: { nick: "former-zeb" },
  };
  const former = await send("POST", "/v1/contacts", early);
  const refs = [{ source: "crm", external_id: "crm-zeb-991" }];
  const identities = [{ type: "channel", source: "whatsapp", value: "wa-zeb-991", verified: true }];
  const custom_fields = { street: "7 Hidden Lane", age: 44 };
  const made = await send("POST", "/v1/contacts", { ...person, refs, identities, custom_fields });
  const { id } = contact.parse(made.json);
  await send("POST", `/v1/contacts/${contact.parse(former.json).id}/merge`, { into: id });
  const body = {
    subject: "My lost umbrella",
    requester: person,
    message: {
      text: "I, Zebedee, lost umbrella no. 7",
      author: { type: "contact", name: "Zebedee Quarrington" },
      ref: { source: "mail", external_id: "<1@erasable.example>" },
    },
    tags: ["umbrella", "zebedee"],
    custom_fields: { address: "7 Hidden Lane", reason: "lost", count: 2 },
    orders: [
      { source: "shop", external_id: "1001", name: "order-of-zeb", url: "https://x.example/secret-link" },
    ],
  };
  const headers = { "idempotency-key": "zeb-1" };
  const at = "/v1/tickets/by-ref/mail/thread-of-zeb.q@erasable.example";
  const put = () => send("PUT", at, body, headers);
  const own = ticket.parse((await put()).json).id;
  const order = {
    customer: person,
    name: "order-of-zeb",
    url: "https://x.example/secret-link",
    status: "paid",
  };
  await send("PUT", "/v1/orders/by-ref/shop/1001", order, { "idempotency-key": "zeb-2" });
  await send("POST", `/v1/tickets/${own}/messages`, { text: "Dear Zebedee, we have found it" });
  await send("PATCH", `/v1/tickets/${own}`, {
    subject: "lost umbrella of Quarrington",
    custom_fields: { address: "8 Hidden Lane" },
    status: "solved",
  });
  const other = {
    subject: "Of Ada",
    requester: { email: "ada@example.com", name: "Ada" },
    message: { text: "Hi" },
  };
  const foreign = ticket.parse((await send("POST", "/v1/tickets", other)).json).id;
  await send(
    "POST",
    `/v1/tickets/${foreign}/messages`,
    { text: "my lost umbrella too", direction: "inbound", author: { type: "contact", id } },
    { "idempotency-key": "zeb-3" },
  );
  return { id, own, foreign, replay: put };
}

describe("erasing a contact", () => {
  it("leaves nothing of the person in any table, and tickets without a word", async () => {
    const { id, own, foreign, replay } = await leaveTraces();
    const before = await tablesWith(words);
    for (const table of ["contact", "contact_identity", "contact_merge", "ticket", "ticket_ref", "message"]) {
      expect(before).toContain(table);
    }
    for (const table of [
      "message_ref",
      "sales_order",
      "change",
      "idempotency",
      "ticket_tag",
      "ticket_subject",
    ]) {
      expect(before).toContain(table);
    }
    const answer = await send("DELETE", `/v1/contacts/${id}`);
    expect([answer.status, answer.headers["deskbridge-result"]]).toEqual([200, "deleted"]);
    expect(erasedContact.parse(answer.json)).toEqual({ id, deleted: true });
    expect(await tablesWith([...words, "umbrella"])).toEqual(["idempotency", "ticket", "ticket_tag"]);
    expect(await tablesWith(words)).toEqual([]);

    const kept = ticket.parse((await send("GET", `/v1/tickets/${own}`)).json);
    expect(kept).toMatchObject({
      subject: "[erased]",
      status: "solved",
      requester: { id, name: null, email: null, phone: null },
      tags: ["umbrella"],
      custom_fields: { reason: "lost", count: 2 },
      refs: [],
      orders: [{ external_id: "1001", name: null, url: null }],
    });
    const said = await send("GET", `/v1/tickets/${own}/messages`);
    expect(pageOf(message).parse(said.json).data).toMatchObject([
      { text: "[erased]", author: { type: "contact", id, name: null }, refs: [] },
      { text: "[erased]", author: { type: "agent", name: "bootstrap" } },
    ]);
    const elsewhere = await send("GET", `/v1/tickets/${foreign}/messages`);
    expect(
      pageOf(message)
        .parse(elsewhere.json)
        .data.map(({ text }) => text),
    ).toEqual(["Hi", "[erased]"]);

    const again = await replay();
    expect([again.status, again.headers["idempotency-replayed"]]).toEqual([201, "true"]);
    expect(ticket.parse(again.json)).toEqual(kept);
    expect(await tablesWith(words)).toEqual([]);
  });

  it("finds short names where they are all that is said, and elsewhere only in signs of which two are a name", async () => {
    const short = { email: "bo@short.example", name: "Bo" };
    const opened = await send("POST", "/v1/tickets", {
      subject: "x",
      requester: short,
      tags: ["bo", "bottle"],
      assignee: "Bo",
      custom_fields: { who: "bo", what: "bottle" },
      message: { text: "y" },
    });
    const { id, requester } = ticket.parse(opened.json);
    await send("PATCH", `/v1/tickets/${id}`, { assignee: "kim" });
    const written = { email: "wang@short.example", name: "王伟" };
    const made = contact.parse((await send("POST", "/v1/contacts", written)).json);
    const elsewhere = await send("POST", "/v1/tickets", {
      subject: "z",
      requester: { email: "li@short.example" },
    });
    const foreign = ticket.parse(elsewhere.json).id;
    const messages = `/v1/tickets/${foreign}/messages`;
    await send("POST", messages, { text: "hello", author: { type: "contact", id: made.id } });
    await send("POST", messages, { text: "王伟先生, the robot is on its way" });
    await send("POST", messages, { text: "the robot is here" });
    await send("DELETE", `/v1/contacts/${requester.id}`);
    await send("DELETE", `/v1/contacts/${made.id}`);
    const after = ticket.parse((await send("GET", `/v1/tickets/${id}`)).json);
    expect(after).toMatchObject({ tags: ["bottle"], custom_fields: { what: "bottle" }, assignee: "kim" });
    expect((await dump()).get("change")).not.toMatch(/"bo"|王伟/i);
    const texts = pageOf(message)
      .parse((await send("GET", messages)).json)
      .data.map(({ text }) => text);
    expect(texts).toEqual(["[erased]", "[erased]", "the robot is here"]);
  });

  it("is 410 for its id from then on, nobody's identity, and unchanged when it is done again", async () => {
    const made = await send("POST", "/v1/contacts", { email: "brief@example.com", name: "Brief" });
    const { id } = contact.parse(made.json);
    await send("DELETE", `/v1/contacts/${id}`);
    const repeat = await send("DELETE", `/v1/contacts/${id}`);
    expect([repeat.status, repeat.headers["deskbridge-result"]]).toEqual([200, "unchanged"]);
    const gone: [DeskRequest["method"], string, object?][] = [
      ["GET", ""],
      ["GET", "/export"],
      ["GET", "/tickets"],
      ["PATCH", "", { name: "x" }],
      ["POST", "/merge", { into: "con_1" }],
      ["POST", "/unmerge"],
      ["POST", "/identities", { type: "email", value: "brief@example.com" }],
    ];
    for (const [method, rest, body] of gone) {
      const { status, json } = await send(method, `/v1/contacts/${id}${rest}`, body);
      expect([method, rest, status, json]).toEqual([
        method,
        rest,
        410,
        expect.objectContaining({ code: "gone" }),
      ]);
    }
    expect((await send("GET", "/v1/contacts/by-ref/email/brief@example.com")).status).toBe(404);
    expect((await send("POST", "/v1/tickets", { subject: "s", requester_id: id })).status).toBe(400);
    expect((await send("DELETE", "/v1/contacts/con_999999")).status).toBe(404);
    const reborn = await send("PUT", "/v1/contacts/by-ref/email/brief@example.com", {});
    expect([reborn.status, contact.parse(reborn.json).name]).toEqual([201, null]);
  });

  it("is told by the feed, for those too who were merged into it, and cannot be found by searching", async () => {
    const [one, two] = await Promise.all(
      ["one", "two"].map(async (name) => {
        const { json } = await send("POST", "/v1/contacts", { email: `${name}@feed.example` });
        return contact.parse(json).id;
      }),
    );
    const body = { subject: "pomegranate", requester_id: two, message: { text: "tamarind" } };
    const asked = ticket.parse((await send("POST", "/v1/tickets", body)).json).id;
    const search = async (word: string) =>
      pageOf(ticket).parse((await send("GET", `/v1/tickets?q=${word}`)).json).data;
    expect([await search("pomegranate"), await search("tamarind")].flat().map(({ id }) => id)).toEqual([
      asked,
      asked,
    ]);
    await send("POST", `/v1/contacts/${one}/merge`, { into: two });
    await send("DELETE", `/v1/contacts/${two}`);
    expect([await search("pomegranate"), await search("tamarind")]).toEqual([[], []]);
    const { json } = await send("GET", "/v1/changes?types=contact.deleted&limit=1000");
    const told = (json as { data: { object_id: string; data: object }[] }).data.slice(-2);
    expect(told.map(({ object_id }) => object_id).sort()).toEqual([one, two].sort());
    expect(told.map(({ data }) => data)).toEqual([{}, {}]);
    expect((await send("GET", `/v1/contacts/${one}`)).status).toBe(410);
  });
});
