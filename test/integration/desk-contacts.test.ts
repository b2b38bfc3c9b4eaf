import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { contact } from "../../src/desk/schema-contact.ts";
import { order } from "../../src/desk/schema-order.ts";
import { pageOf } from "../../src/desk/schema-text.ts";
import { ticket } from "../../src/desk/schema-ticket.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

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

function fresh(what: string): string {
  count += 1;
  return `${what}-${count}`;
}

function contactIn(answer: DeskAnswer, status: number): z.output<typeof contact> {
  expect([answer.status, answer.status < 300 ? "" : answer.text]).toEqual([status, ""]);
  return contact.parse(answer.json);
}

function orderIn(answer: DeskAnswer, status: number): z.output<typeof order> {
  expect([answer.status, answer.status < 300 ? "" : answer.text]).toEqual([status, ""]);
  return order.parse(answer.json);
}

async function find(query: string): Promise<string[]> {
  const { json } = await send("GET", `/v1/contacts?${query}`);
  return pageOf(contact)
    .parse(json)
    .data.map(({ id }) => id);
}

describe("contacts", () => {
  it("are created with their identities and found by each of them", async () => {
    const body = {
      name: "Ada Lovelace",
      email: "Ada@Example.com",
      phone: "+44 20 7946 0958",
      refs: [{ source: "crm", external_id: "7" }],
      custom_fields: { tier: "gold" },
    };
    const made = contactIn(await send("POST", "/v1/contacts", body), 201);
    expect(made).toMatchObject({
      name: "Ada Lovelace",
      email: "ada@example.com",
      phone: "+442079460958",
      refs: body.refs,
      custom_fields: { tier: "gold" },
      version: 1,
    });
    expect(made.identities.map(({ type, value }) => [type, value])).toEqual([
      ["email", "ada@example.com"],
      ["external", "7"],
      ["phone", "+442079460958"],
    ]);
    const found = await Promise.all([
      find("email=ADA@example.com"),
      find(`phone=${encodeURIComponent("+44 20 7946 0958")}`),
      find("external_id=7"),
      find("external_id=7&source=crm&email=ada@example.com"),
    ]);
    expect(found).toEqual([[made.id], [made.id], [made.id], [made.id]]);
    expect(await find("external_id=7&source=other")).toEqual([]);
    const got = await Promise.all(
      [made.id, "by-ref/crm/7", "by-ref/email/Ada@Example.com", "by-ref/phone/+442079460958"].map((at) =>
        send("GET", `/v1/contacts/${at}`),
      ),
    );
    for (const answer of got) expect(contactIn(answer, 200)).toEqual(made);
  });

  it("are not created again with an identity that somebody has", async () => {
    const email = `${fresh("taken")}@example.com`;
    const first = contactIn(await send("POST", "/v1/contacts", { email }), 201);
    const second = await send("POST", "/v1/contacts", {
      email,
      refs: [{ source: "crm", external_id: fresh("c") }],
    });
    expect([second.status, second.json]).toEqual([
      409,
      expect.objectContaining({ code: "conflict", conflicting_ids: [first.id] }),
    ]);
    expect(await find("external_id=c-2")).toEqual([]);
  });

  it("need an identity", async () => {
    expect((await send("POST", "/v1/contacts", { name: "Nobody" })).status).toBe(400);
  });

  it("are made by PUT, then changed by it, and unchanged by the same once more", async () => {
    const at = `/v1/contacts/by-ref/crm/${fresh("put")}`;
    const body = { name: "Grace", email: `${fresh("grace")}@example.com` };
    const made = contactIn(await send("PUT", at, body), 201);
    const same = await send("PUT", at, body);
    expect([same.headers["deskbridge-result"], contactIn(same, 200).version]).toEqual(["unchanged", 1]);
    const changed = await send("PUT", at, {
      name: "Grace Hopper",
      phone: "+14155552671",
      custom_fields: { a: 1 },
    });
    expect(changed.headers["deskbridge-result"]).toBe("updated");
    expect(contactIn(changed, 200)).toMatchObject({
      id: made.id,
      name: "Grace Hopper",
      email: body.email,
      phone: "+14155552671",
      custom_fields: { a: 1 },
      version: 2,
    });
  });

  it("that are known by e-mail get the ref of a PUT", async () => {
    const email = `${fresh("known")}@example.com`;
    const made = contactIn(await send("PUT", `/v1/contacts/by-ref/email/${email}`, { name: "Kay" }), 201);
    const ref = { source: "crm", external_id: fresh("crm") };
    const same = await send("PUT", `/v1/contacts/by-ref/crm/${ref.external_id}`, { email });
    expect(contactIn(same, 200)).toMatchObject({ id: made.id, name: "Kay", refs: [ref], email });
  });

  it("are not mixed up when a PUT names identities of two", async () => {
    const [one, two] = [fresh("one"), fresh("two")];
    const first = contactIn(await send("PUT", `/v1/contacts/by-ref/crm/${one}`, {}), 201);
    const second = contactIn(await send("PUT", `/v1/contacts/by-ref/email/${two}@example.com`, {}), 201);
    const mixed = await send("PUT", `/v1/contacts/by-ref/crm/${one}`, {
      email: `${two}@example.com`,
      name: "x",
    });
    expect([mixed.status, mixed.json]).toEqual([
      409,
      expect.objectContaining({ conflicting_ids: [second.id] }),
    ]);
    expect(contactIn(await send("GET", `/v1/contacts/${first.id}`), 200)).toEqual(first);
  });

  it("are patched; null takes a value away and its identity with it", async () => {
    const email = `${fresh("patch")}@example.com`;
    const made = contactIn(
      await send("POST", "/v1/contacts", { email, name: "P", phone: "+14155552672" }),
      201,
    );
    const at = `/v1/contacts/${made.id}`;
    const patched = contactIn(
      await send("PATCH", at, { phone: null, name: null }, { "if-match": '"1"' }),
      200,
    );
    expect(patched).toMatchObject({ name: null, phone: null, email, version: 2 });
    expect(patched.identities.map(({ value }) => value)).toEqual([email]);
    expect((await send("PATCH", at, { name: "late" }, { "if-match": '"1"' })).status).toBe(412);
    const moved = contactIn(await send("PATCH", at, { email: `new-${email}` }), 200);
    expect(moved.email).toBe(`new-${email}`);
    // The old address still leads to its owner: mail from it goes on coming.
    expect(await find(`email=${email}`)).toEqual([made.id]);
  });

  it("that are not there are 404", async () => {
    const paths = ["con_999999", "tkt_1", "nonsense", "by-ref/crm/none", "by-ref/email/none@example.com"];
    const answers = await Promise.all(paths.map((path) => send("GET", `/v1/contacts/${path}`)));
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    expect((await send("PATCH", "/v1/contacts/con_999999", { name: "x" })).status).toBe(404);
  });

  it("of a ticket's requester gain what they lacked and lose nothing", async () => {
    const external_id = fresh("buyer");
    const email = `${external_id}@example.com`;
    const ask = async (requester: object) => {
      const answer = await send("POST", "/v1/tickets", { subject: "s", requester });
      return ticket.parse(answer.json).requester;
    };
    const first = await ask({ email });
    const second = await ask({ email, name: "Buyer", ref: { source: "shop", external_id } });
    const third = await ask({ ref: { source: "shop", external_id }, name: "Other", phone: "+14155552673" });
    expect([first.name, second.name]).toEqual([null, "Buyer"]);
    expect(third).toEqual({ id: first.id, name: "Buyer", email, phone: "+14155552673" });
  });

  it("whose identities belong to two give the ticket to the owner of the most telling one", async () => {
    const [one, two] = [fresh("split"), fresh("split")];
    const owner = contactIn(await send("PUT", `/v1/contacts/by-ref/shop/${one}`, {}), 201);
    await send("PUT", `/v1/contacts/by-ref/email/${two}@example.com`, {});
    const requester = { email: `${two}@example.com`, ref: { source: "shop", external_id: one } };
    const { json } = await send("POST", "/v1/tickets", { subject: "s", requester });
    expect(ticket.parse(json).requester).toMatchObject({ id: owner.id, email: null });
  });
});

describe("orders", () => {
  it("are created, brought up to date and keep the history of their states", async () => {
    const at = `/v1/orders/by-ref/shop/${fresh("order")}`;
    const customer = { email: `${fresh("buyer")}@example.com`, name: "Bo" };
    const first = {
      name: "#1001",
      status: "paid",
      total: { minor: 4200, currency: "EUR" },
      customer,
      created_at: "2026-05-01T08:00:00Z",
      updated_at: "2026-05-01T10:00:00+02:00",
    };
    const made = orderIn(await send("PUT", at, first), 201);
    expect(made).toMatchObject({
      name: "#1001",
      status: "paid",
      total: first.total,
      states: [{ status: "paid", at: "2026-05-01T08:00:00.000Z" }],
      created_at: "2026-05-01T08:00:00.000Z",
      updated_at: "2026-05-01T08:00:00.000Z",
    });
    const buyer = await send("GET", `/v1/contacts/${made.contact_id}`);
    expect(contactIn(buyer, 200)).toMatchObject(customer);

    const shipped = await send("PUT", at, { status: "shipped", updated_at: "2026-05-02T08:00:00Z" });
    expect(shipped.headers["deskbridge-result"]).toBe("updated");
    expect(orderIn(shipped, 200)).toMatchObject({
      name: "#1001",
      total: first.total,
      status: "shipped",
      version: 2,
    });
    const late = await send("PUT", at, { status: "paid", name: "#old", updated_at: "2026-05-01T09:00:00Z" });
    expect(late.headers["deskbridge-result"]).toBe("ignored");
    const after = orderIn(late, 200);
    expect(after).toMatchObject({ name: "#1001", status: "shipped", version: 2 });
    expect(after.states.map(({ status }) => status)).toEqual(["paid", "shipped"]);
    expect(orderIn(await send("GET", at), 200)).toEqual(after);
    expect(orderIn(await send("GET", `/v1/orders/${made.id}`), 200)).toEqual(after);
  });

  it("end in the newest state whatever the order in which twenty states come", async () => {
    const at = `/v1/orders/by-ref/shop/${fresh("race")}`;
    const states = Array.from({ length: 20 }, (_, index) => ({
      status: `state-${index}`,
      updated_at: `2026-05-01T10:00:${String(index).padStart(2, "0")}Z`,
    }));
    const answers = await Promise.all(
      states.toSorted(() => Math.random() - 0.5).map((body) => send("PUT", at, body)),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(19);
    expect(orderIn(await send("GET", at), 200).status).toBe("state-19");
  });

  it("list their tickets, newest first", async () => {
    const external_id = fresh("linked");
    const ids: string[] = [];
    for (let index = 0; index < 3; index += 1) {
      const orders = [{ source: "shop", external_id }];
      const body = { subject: "s", requester: { email: "o@example.com" }, orders };
      ids.unshift(ticket.parse((await send("POST", "/v1/tickets", body)).json).id);
    }
    const { id } = orderIn(await send("GET", `/v1/orders/by-ref/shop/${external_id}`), 200);
    const page = pageOf(ticket).parse((await send("GET", `/v1/orders/${id}/tickets?limit=2`)).json);
    const rest = await send("GET", `/v1/orders/${id}/tickets?limit=2&cursor=${page.next_cursor}`);
    expect([...page.data, ...pageOf(ticket).parse(rest.json).data].map((one) => one.id)).toEqual(ids);
    expect((await send("GET", "/v1/orders/ord_999999/tickets")).status).toBe(404);
  });
});
