import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { contact } from "../../src/desk/schema-contact.ts";
import { contactExport } from "../../src/desk/schema-contact-whole.ts";
import { message } from "../../src/desk/schema-message.ts";
import { order } from "../../src/desk/schema-order.ts";
import { pageOf } from "../../src/desk/schema-text.ts";
import { ticket } from "../../src/desk/schema-ticket.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

type Contact = z.output<typeof contact>;

let stand: DeskStand;
let count = 0;

beforeAll(async () => {
  stand = await openDeskStand();
});
afterAll(() => stand.close());

const send = (
  method: DeskRequest["method"],
  path: string,
  body?: object,
  headers = {},
): Promise<DeskAnswer> => stand.send({ method, path, ...(body === undefined ? {} : { body }), headers });

const fresh = (what: string): string => `${what}-${(count += 1)}`;

function contactIn(answer: DeskAnswer, status = 200): Contact {
  expect([answer.status, answer.status < 300 ? "" : answer.text]).toEqual([status, ""]);
  return contact.parse(answer.json);
}

async function make(facts: object = {}): Promise<Contact> {
  return contactIn(
    await send("POST", "/v1/contacts", { email: `${fresh("con")}@example.com`, ...facts }),
    201,
  );
}

const get = async ({ id }: { id: string }): Promise<Contact> =>
  contactIn(await send("GET", `/v1/contacts/${id}`));

const merge = (from: Contact, into: Contact) =>
  send("POST", `/v1/contacts/${from.id}/merge`, { into: into.id });

const unmerge = ({ id }: Contact) => send("POST", `/v1/contacts/${id}/unmerge`);

async function ticketOf({ id }: Contact, text = "Hello"): Promise<z.output<typeof ticket>> {
  const body = { subject: "s", requester_id: id, message: { text } };
  return ticket.parse((await send("POST", "/v1/tickets", body)).json);
}

async function listed<T extends z.ZodType>(item: T, path: string): Promise<z.output<typeof item>[]> {
  const { json } = await send("GET", path);
  return pageOf(item).parse(json).data;
}

describe("identities", () => {
  it("are of four kinds, any number of each, and each leads to its contact", async () => {
    const [a, b] = [`${fresh("a")}@example.com`, `${fresh("b")}@example.com`];
    const made = await make({
      email: a,
      identities: [
        { type: "email", value: b.toUpperCase(), verified: true },
        { type: "phone", value: "+49 30 901820", verified: true },
        { type: "channel", source: "whatsapp", value: "4930901820" },
        { type: "external", source: "crm", value: fresh("c") },
        { type: "external", source: "shop", value: "s-77" },
      ],
    });
    expect(made).toMatchObject({ email: a, phone: "+4930901820" });
    expect(made.identities.map(({ type, source, verified }) => [type, source, verified])).toEqual([
      ["channel", "whatsapp", false],
      ["email", null, false],
      ["email", null, true],
      ["external", "crm", false],
      ["external", "shop", false],
      ["phone", null, true],
    ]);
    for (const query of [
      `email=${b}`,
      "external_id=s-77&source=shop",
      "address=4930901820&channel=whatsapp",
    ]) {
      expect((await listed(contact, `/v1/contacts?${query}`)).map(({ id }) => id)).toEqual([made.id]);
    }
    expect(await listed(contact, "/v1/contacts?address=4930901820&channel=sms")).toEqual([]);
  });

  it("are added, verified and taken away one by one; what is shown is always one that is left", async () => {
    const made = await make();
    const at = `/v1/contacts/${made.id}/identities`;
    const other = `${fresh("other")}@example.com`;
    const added = await send("POST", at, { type: "email", value: other });
    expect([added.headers["deskbridge-result"], contactIn(added).email]).toEqual(["updated", made.email]);
    expect((await send("POST", at, { type: "email", value: other })).headers["deskbridge-result"]).toBe(
      "unchanged",
    );
    const verified = contactIn(await send("POST", at, { type: "email", value: other, verified: true }));
    expect(verified.identities.find(({ value }) => value === other)?.verified).toBe(true);
    const shown = verified.identities.find(({ value }) => value === made.email)!;
    const removed = contactIn(await send("DELETE", `${at}/${shown.id}`));
    expect([removed.email, removed.identities]).toEqual([other, [expect.objectContaining({ value: other })]]);
    expect((await send("DELETE", `${at}/${shown.id}`)).headers["deskbridge-result"]).toBe("unchanged");
    expect((await send("DELETE", `${at}/nonsense`)).status).toBe(404);
  });

  it("of another contact are refused, and that one is named", async () => {
    const [one, two] = [await make(), await make()];
    const answer = await send("POST", `/v1/contacts/${one.id}/identities`, {
      type: "email",
      value: two.email,
    });
    expect([answer.status, answer.json]).toEqual([
      409,
      expect.objectContaining({ code: "conflict", conflicting_ids: [two.id] }),
    ]);
    expect(await get(one)).toEqual(one);
  });
});

describe("merging contacts", () => {
  it("hands identities, orders, tickets and authorship over, and fills in what the other lacks", async () => {
    const from = await make({ name: "Ada", phone: "+14155552671", custom_fields: { tier: "gold", a: 1 } });
    const into = await make({ custom_fields: { a: 2 } });
    const asked = await ticketOf(from);
    const at = `/v1/orders/by-ref/shop/${fresh("o")}`;
    await send("PUT", at, { customer: { id: from.id } });
    const answer = await merge(from, into);
    const merged = contactIn(answer);
    expect([answer.headers["deskbridge-result"], merged.id, merged.version]).toEqual(["merged", into.id, 2]);
    expect(merged).toMatchObject({
      name: "Ada",
      email: into.email,
      phone: "+14155552671",
      custom_fields: { tier: "gold", a: 2 },
    });
    expect(merged.identities).toHaveLength(3);
    const tickets = await listed(ticket, `/v1/contacts/${into.id}/tickets`);
    expect(tickets.map(({ id, requester, version }) => [id, requester.id, version])).toEqual([
      [asked.id, into.id, 2],
    ]);
    expect((await listed(order, `/v1/contacts/${into.id}/orders`)).map((o) => o.contact_id)).toEqual([
      into.id,
    ]);
    const [said] = await listed(message, `/v1/tickets/${asked.id}/messages`);
    expect(said?.author).toEqual({ type: "contact", id: into.id, name: "Ada" });
    expect(await listed(contact, `/v1/contacts?email=${from.email}`)).toEqual([merged]);
    expect((await listed(contact, "/v1/contacts")).some(({ id }) => id === from.id)).toBe(false);
    expect(await listed(ticket, `/v1/tickets?requester_id=${from.id}`)).toHaveLength(1);
  });

  it("answers 308 to the survivor on every route of the merged one, writes included", async () => {
    const [first, second, last] = [await make(), await make(), await make()];
    await merge(first, second);
    await merge(second, last);
    const routes: [DeskRequest["method"], string, object?][] = [
      ["GET", ""],
      ["GET", "/orders?limit=3"],
      ["GET", "/tickets"],
      ["GET", "/export"],
      ["PATCH", "", { name: "x" }],
      ["POST", "/identities", { type: "email", value: "x@example.com" }],
      ["DELETE", "/identities/idn_1"],
      ["POST", "/merge", { into: (await make()).id }],
      ["DELETE", ""],
    ];
    for (const [method, rest, body] of routes) {
      const answer = await send(method, `/v1/contacts/${first.id}${rest}`, body);
      expect([method, rest, answer.status, answer.headers.location]).toEqual([
        method,
        rest,
        308,
        `/v1/contacts/${last.id}${rest}`,
      ]);
      expect(answer.json).toMatchObject({ code: "moved", status: 308, retryable: false });
    }
    const requester = await ticketOf(first);
    expect(requester.requester.id).toBe(last.id);
  });

  it("is refused into itself, into nobody and in a circle; a repeat changes nothing", async () => {
    const [one, two] = [await make(), await make()];
    expect((await merge(one, one)).status).toBe(400);
    expect((await send("POST", `/v1/contacts/${one.id}/merge`, { into: "con_999999" })).status).toBe(400);
    expect((await send("POST", "/v1/contacts/con_999999/merge", { into: one.id })).status).toBe(404);
    await merge(one, two);
    const again = await merge(one, two);
    expect([again.headers["deskbridge-result"], contactIn(again).version]).toEqual(["unchanged", 2]);
    const circle = await merge(two, one);
    expect([circle.status, circle.json]).toEqual([
      409,
      expect.objectContaining({ conflicting_ids: [one.id] }),
    ]);
  });

  it("is undone exactly: what came goes back, what was moved since or is new stays", async () => {
    const from = await make({ name: "Ada", phone: "+14155552672", custom_fields: { tier: "gold" } });
    const [into, third] = [await make({ identities: [] }), await make()];
    const [kept, moved] = [await ticketOf(from), await ticketOf(from)];
    await merge(from, into);
    await send("PATCH", `/v1/tickets/${moved.id}`, { requester_id: third.id });
    const late = await send("POST", "/v1/tickets", { subject: "late", requester: { email: from.email } });
    const gained = await send("POST", `/v1/contacts/${into.id}/identities`, {
      type: "channel",
      source: "sms",
      value: fresh("n"),
    });
    expect(gained.status).toBe(200);
    const answer = await unmerge(from);
    expect(answer.headers["deskbridge-result"]).toBe("unmerged");
    const back = contactIn(answer);
    const { version: _v, updated_at: _u, ...facts } = from;
    expect(back).toMatchObject(facts);
    const stays = await get(into);
    expect(stays).toMatchObject({ name: null, email: into.email, phone: null, custom_fields: {} });
    expect(stays.identities.map(({ type }) => type)).toEqual(["channel", "email"]);
    const idsOf = async ({ id }: Contact) =>
      (await listed(ticket, `/v1/contacts/${id}/tickets`)).map((one) => one.id);
    expect(await idsOf(from)).toEqual([kept.id]);
    expect(await idsOf(into)).toEqual([ticket.parse(late.json).id]);
    expect(await idsOf(third)).toEqual([moved.id]);
    const [said] = await listed(message, `/v1/tickets/${kept.id}/messages`);
    expect(said?.author.id).toBe(from.id);
    expect((await unmerge(from)).headers["deskbridge-result"]).toBe("unchanged");
  });

  it("is undone from the last one backwards, and only where there was one", async () => {
    const [a, b, c] = [await make(), await make(), await make()];
    await merge(a, b);
    await merge(b, c);
    const early = await unmerge(a);
    expect([early.status, early.json]).toEqual([409, expect.objectContaining({ conflicting_ids: [b.id] })]);
    expect((await unmerge(b)).status).toBe(200);
    expect((await unmerge(a)).status).toBe(200);
    for (const one of [a, b, c]) expect((await get(one)).email).toBe(one.email);
    const never = await unmerge(c);
    expect([never.status, never.json]).toEqual([409, expect.objectContaining({ code: "conflict" })]);
  });

  it("is told by the feed, with both sides", async () => {
    const [one, two] = [await make(), await make()];
    await merge(one, two);
    await unmerge(one);
    const { json } = await send("GET", "/v1/changes?types=contact.*&limit=1000");
    const told = (json as { data: { type: string; object_id: string; data: object }[] }).data;
    const about = told.filter(({ object_id }) => [one.id, two.id].includes(object_id));
    expect(about.map(({ type, object_id, data }) => [type, object_id, data])).toEqual([
      ["contact.created", one.id, {}],
      ["contact.created", two.id, {}],
      ["contact.merged", one.id, { into: two.id }],
      ["contact.updated", two.id, { merged: [null, one.id] }],
      ["contact.unmerged", one.id, { from: two.id }],
      ["contact.updated", two.id, { merged: [one.id, null] }],
    ]);
  });
});

describe("an export", () => {
  it("has all that is held about somebody, from before a merge too", async () => {
    const [from, into] = [await make({ name: "Old" }), await make({ name: "New" })];
    const own = await ticketOf(from, "my words");
    const foreign = await ticketOf(await make());
    await send("POST", `/v1/tickets/${foreign.id}/messages`, {
      text: "me too",
      direction: "inbound",
      author: { type: "contact", id: from.id },
    });
    await send("PUT", `/v1/orders/by-ref/shop/${fresh("o")}`, { customer: { id: from.id }, status: "paid" });
    await merge(from, into);
    const { json } = await send("GET", `/v1/contacts/${into.id}/export`);
    const all = contactExport.parse(json);
    expect([all.contact.id, all.merged.map(({ id }) => id)]).toEqual([into.id, [from.id]]);
    expect(all.tickets.map(({ id, messages }) => [id, messages.map(({ text }) => text)])).toEqual([
      [own.id, ["my words"]],
    ]);
    expect(all.messages_elsewhere.map(({ text }) => text)).toEqual(["me too"]);
    expect(all.orders.map(({ status }) => status)).toEqual(["paid"]);
    expect(all.changes.map(({ type }) => type)).toEqual([
      "ticket.created",
      "message.created",
      "ticket.updated",
    ]);
    expect((await send("GET", "/v1/contacts/con_999999/export")).status).toBe(404);
  });
});
