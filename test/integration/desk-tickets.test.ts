import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { message } from "../../src/desk/schema-message.ts";
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

type Ticket = z.output<typeof ticket>;

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

/** The ticket in an answer, held to its schema, after a look at the status. */
function ticketIn(answer: DeskAnswer, status: number): Ticket {
  expect([answer.status, answer.status < 300 ? "" : answer.text]).toEqual([status, ""]);
  return ticket.parse(answer.json);
}

async function create(overrides: object = {}): Promise<Ticket> {
  const body = { subject: "Late parcel", requester: { email: `${fresh("ada")}@example.com` }, ...overrides };
  return ticketIn(await send("POST", "/v1/tickets", body), 201);
}

async function messagesOf({ id }: { id: string }) {
  const { json } = await send("GET", `/v1/tickets/${id}/messages`);
  return pageOf(message).parse(json).data;
}

describe("POST /v1/tickets", () => {
  it("creates a ticket with everything that it is given", async () => {
    const ref = { source: "orders", external_id: fresh("o") };
    const made = await create({
      requester: { email: "Grace@Example.com", phone: "+1 415 555 2671", name: "Grace Hopper" },
      message: { text: "Where is it?", ref: { source: "mail", external_id: fresh("m") } },
      tags: ["late", "vip", "late"],
      priority: "high",
      status: "open",
      channel: "email",
      assignee: "Linus",
      custom_fields: { size: 42, gift: true, note: "für dich", gone: null },
      orders: [
        { source: "shop", external_id: "1001", name: "#1001", total: { minor: 4200, currency: "EUR" } },
      ],
      ref,
    });
    expect(made).toMatchObject({
      subject: "Late parcel",
      status: "open",
      priority: "high",
      channel: "email",
      assignee: "Linus",
      requester: { name: "Grace Hopper", email: "grace@example.com", phone: "+14155552671" },
      tags: ["late", "vip"],
      custom_fields: { size: 42, gift: true, note: "für dich" },
      refs: [ref],
      orders: [{ source: "shop", external_id: "1001", total: { minor: 4200, currency: "EUR" } }],
      csat: null,
      closed_at: null,
      version: 1,
    });
    expect(made.id).toBe(`tkt_${made.number}`);
    const [first] = await messagesOf(made);
    expect(first).toMatchObject({
      ticket_id: made.id,
      direction: "inbound",
      visibility: "public",
      author: { type: "contact", id: made.requester.id, name: "Grace Hopper" },
      text: "Where is it?",
      html: null,
      attachments: [],
    });
  });

  it("takes a requester by id and refuses one that is nobody's", async () => {
    const first = await create();
    const second = await create({ requester: undefined, requester_id: first.requester.id });
    expect(second.requester).toEqual(first.requester);
    const nobody = await send("POST", "/v1/tickets", { subject: "s", requester_id: "con_999999" });
    expect([nobody.status, nobody.json]).toEqual([400, expect.objectContaining({ code: "bad_request" })]);
  });

  it("refuses a ref that is taken and names its ticket", async () => {
    const ref = { source: "orders", external_id: fresh("o") };
    const first = await create({ ref });
    const body = { subject: "s", requester: { email: "a@example.com" }, ref };
    const { status, json } = await send("POST", "/v1/tickets", body);
    expect([status, json]).toEqual([
      409,
      expect.objectContaining({ code: "conflict", conflicting_ids: [first.id] }),
    ]);
  });
});

describe("PUT /v1/tickets/by-ref", () => {
  const address = (key: string): string => `/v1/tickets/by-ref/engine/${encodeURIComponent(key)}`;
  const report = (overrides: object = {}) => ({
    subject: "Failed",
    requester: { email: "put@example.com", name: "Pat" },
    message: { text: "It failed." },
    ...overrides,
  });

  it("creates, appends, reopens, follows up and ignores, and says which", async () => {
    const at = address(fresh("way/of:a key"));
    const put = async (body: object) => {
      const answer = await send("PUT", at, body);
      return {
        ...answer,
        ticket: ticketIn(answer, answer.status < 300 ? answer.status : 200),
        result: answer.headers["deskbridge-result"],
      };
    };
    const created = await put(report());
    expect([created.status, created.result, created.headers["deskbridge-message-id"]]).toEqual([
      201,
      "created",
      expect.stringMatching(/^msg_\d+$/),
    ]);
    const appended = await put(report({ tags: ["again"], subject: "Other", priority: "urgent" }));
    expect([appended.status, appended.result]).toEqual([200, "appended"]);
    expect(appended.ticket).toMatchObject({
      subject: "Failed",
      priority: "normal",
      tags: ["again"],
      version: 2,
    });

    await send("PATCH", at, { status: "solved" });
    const ignored = await put(report({ repeat: { closed: "ignore" } }));
    expect([ignored.status, ignored.result, ignored.headers["deskbridge-message-id"]]).toEqual([
      200,
      "ignored",
      undefined,
    ]);
    expect(ignored.ticket).toMatchObject({ status: "solved", version: 3 });
    const reopened = await put(report({ repeat: {} }));
    expect([reopened.status, reopened.result]).toEqual([200, "reopened"]);
    expect(reopened.ticket).toMatchObject({ status: "open", closed_at: null });

    await send("PATCH", at, { status: "closed" });
    const followed = await put(report({ repeat: { closed: "follow_up" } }));
    expect([followed.status, followed.result]).toEqual([201, "followed_up"]);
    expect(followed.ticket).toMatchObject({ follow_up_of: created.ticket.id, status: "new", version: 1 });
    expect(followed.ticket.refs).toEqual(created.ticket.refs);
    const old = ticketIn(await send("GET", `/v1/tickets/${created.ticket.id}`), 200);
    expect([old.status, old.refs]).toEqual(["closed", []]);
    expect(await messagesOf(created.ticket)).toHaveLength(3);
  });

  it("without a message sets what is given, on any status", async () => {
    const at = address(fresh("upsert"));
    const first = ticketIn(await send("PUT", at, { ...report(), message: undefined }), 201);
    await send("PATCH", at, { status: "closed" });
    const change = { subject: "New words", requester: { email: "put@example.com" }, priority: "low" };
    const answer = await send("PUT", at, change);
    expect(answer.headers["deskbridge-result"]).toBe("updated");
    expect(ticketIn(answer, 200)).toMatchObject({ id: first.id, ...change, requester: {}, status: "closed" });
    expect((await send("PUT", at, change)).headers["deskbridge-result"]).toBe("unchanged");
  });

  it("stores nothing of a request that is refused in the middle", async () => {
    const external_id = fresh("half");
    const taken = { source: "mail", external_id: fresh("m") };
    await create({ message: { text: "m", ref: taken } });
    const body = report({
      requester: { email: `${external_id}@example.com` },
      orders: [{ source: "shop", external_id }],
      message: { text: "m", ref: taken },
    });
    expect((await send("PUT", address(external_id), body)).status).toBe(409);
    const left = await Promise.all([
      send("GET", address(external_id)),
      send("GET", `/v1/orders/by-ref/shop/${external_id}`),
      send("GET", `/v1/contacts/by-ref/email/${external_id}@example.com`),
    ]);
    expect(left.map(({ status }) => status)).toEqual([404, 404, 404]);
  });

  it("is read, changed, tagged and answered at the same address", async () => {
    const at = address(fresh("all-by-ref"));
    const made = ticketIn(await send("PUT", at, report()), 201);
    expect(ticketIn(await send("GET", at), 200)).toEqual(made);
    const tagged = await send("POST", `${at}/tags`, { add: ["a", "b"] });
    expect(ticketIn(tagged, 200).tags).toEqual(["a", "b"]);
    const said = await send("POST", `${at}/messages`, { text: "Coming" });
    expect(message.parse(said.json)).toMatchObject({
      ticket_id: made.id,
      direction: "outbound",
      author: { type: "agent", id: "key_bootstrap", name: "bootstrap" },
    });
    const linked = await send("PUT", `${at}/orders/by-ref/shop/${fresh("order")}`);
    expect(ticketIn(linked, 200).orders).toHaveLength(1);
  });
});

describe("PATCH /v1/tickets", () => {
  it("changes what is given, and counts versions only when something changed", async () => {
    const made = await create({ tags: ["a"], custom_fields: { x: 1, y: 2 } });
    const at = `/v1/tickets/${made.id}`;
    const change = { status: "pending", tags: ["b", "c"], custom_fields: { x: null, z: 3 }, assignee: "Ada" };
    const answer = await send("PATCH", at, change);
    expect(ticketIn(answer, 200)).toMatchObject({
      status: "pending",
      tags: ["b", "c"],
      custom_fields: { y: 2, z: 3 },
      assignee: "Ada",
      subject: made.subject,
      version: 2,
    });
    expect(answer.headers.etag).toBe('"2"');
    const again = await send("PATCH", at, change);
    expect([again.headers["deskbridge-result"], ticketIn(again, 200).version]).toEqual(["unchanged", 2]);
    expect(ticketIn(await send("PATCH", at, { assignee: null }), 200).assignee).toBeNull();
  });

  it("takes a message along", async () => {
    const made = await create();
    const body = { status: "closed", message: { text: "Done", visibility: "internal" } };
    const answer = await send("PATCH", `/v1/tickets/${made.id}`, body);
    expect(ticketIn(answer, 200)).toMatchObject({ status: "closed", version: 2 });
    const [said] = await messagesOf(made);
    expect([said?.id, said?.text, said?.visibility]).toEqual([
      answer.headers["deskbridge-message-id"],
      "Done",
      "internal",
    ]);
  });

  it("keeps the time of closing from solved to closed, and drops it on opening", async () => {
    const { id } = await create();
    const set = async (status: string) =>
      ticketIn(await send("PATCH", `/v1/tickets/${id}`, { status }), 200).closed_at;
    const solved = await set("solved");
    expect(solved).not.toBeNull();
    expect(await set("closed")).toBe(solved);
    expect(await set("open")).toBeNull();
  });

  it("refuses a version that is not the ticket's any more", async () => {
    const { id } = await create();
    const patch = (priority: string, match: string) =>
      send("PATCH", `/v1/tickets/${id}`, { priority }, { "if-match": match });
    expect((await patch("low", '"1"')).status).toBe(200);
    const late = await patch("high", '"1"');
    expect([late.status, late.json]).toEqual([412, expect.objectContaining({ code: "precondition_failed" })]);
    expect((await patch("high", "*")).status).toBe(200);
    expect((await patch("low", '"2", "3"')).status).toBe(200);
    expect((await patch("low", "no version")).status).toBe(412);
  });

  it("lets one of twenty change the same version", async () => {
    const { id } = await create();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        send("PATCH", `/v1/tickets/${id}`, { subject: `by ${index}` }, { "if-match": '"1"' }),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array<number>(19).fill(412)]);
  });

  it("answers a reader who has the present version with 304", async () => {
    const { id } = await create();
    const { headers } = await send("GET", `/v1/tickets/${id}`);
    const again = await send("GET", `/v1/tickets/${id}`, undefined, { "if-none-match": headers.etag! });
    expect([again.status, again.text]).toEqual([304, ""]);
  });
});

describe("messages", () => {
  it("are listed in their order, in pages, by visibility", async () => {
    const made = await create({ message: { text: "0" } });
    const at = `/v1/tickets/${made.id}/messages`;
    for (let index = 1; index <= 6; index += 1) {
      const visibility = index % 2 === 0 ? "public" : "internal";
      expect((await send("POST", at, { text: String(index), visibility })).status).toBe(201);
    }
    const list = async (query: string) => pageOf(message).parse((await send("GET", `${at}?${query}`)).json);
    const texts = (page: { data: { text: string }[] }) => page.data.map(({ text }) => text).join("");
    const first = await list("limit=4");
    const second = await list(`limit=4&cursor=${first.next_cursor}`);
    expect([texts(first), texts(second), second.next_cursor]).toEqual(["0123", "456", null]);
    expect(texts(await list("visibility=public"))).toBe("0246");
    expect(texts(await list("sort=-created_at"))).toBe("6543210");
  });

  it("count as a change of their ticket", async () => {
    const made = await create();
    const answer = await send("POST", `/v1/tickets/${made.id}/messages`, { text: "m" });
    expect([answer.status, answer.headers.etag, answer.headers["deskbridge-result"]]).toEqual([
      201,
      '"2"',
      "appended",
    ]);
    const after = ticketIn(await send("GET", `/v1/tickets/${made.id}`), 200);
    expect([after.version, after.updated_at > made.updated_at]).toEqual([2, true]);
  });

  it("are refused where there is no ticket, or a message of another ticket has their ref", async () => {
    const [made, other] = [await create(), await create()];
    const ref = { source: "mail", external_id: fresh("m") };
    const first = await send("POST", `/v1/tickets/${made.id}/messages`, { text: "m", ref });
    const second = await send("POST", `/v1/tickets/${other.id}/messages`, { text: "m", ref });
    expect([second.status, second.json]).toEqual([
      409,
      expect.objectContaining({ conflicting_ids: [message.parse(first.json).id] }),
    ]);
    for (const path of ["/v1/tickets/tkt_999999/messages", "/v1/tickets/by-ref/no/thing/messages"]) {
      expect([(await send("POST", path, { text: "m" })).status, (await send("GET", path)).status]).toEqual([
        404, 404,
      ]);
    }
  });

  it("can be written by another contact, an agent or a system", async () => {
    const made = await create();
    const other = await create();
    const say = async (author: object) => {
      const answer = await send("POST", `/v1/tickets/${made.id}/messages`, { text: "m", author });
      return message.parse(answer.json).author;
    };
    expect(await say({ type: "contact" })).toMatchObject({ type: "contact", id: made.requester.id });
    expect(await say({ type: "contact", id: other.requester.id })).toMatchObject({ id: other.requester.id });
    expect(await say({ type: "agent", id: "agent-7", name: "Ada" })).toEqual({
      type: "agent",
      id: "agent-7",
      name: "Ada",
    });
    expect(await say({ type: "system" })).toEqual({ type: "system", id: "key_bootstrap", name: null });
    const body = { text: "m", author: { type: "contact", id: "con_999999" } };
    expect((await send("POST", `/v1/tickets/${made.id}/messages`, body)).status).toBe(400);
  });
});

describe("links to orders", () => {
  it("are made and taken away by the order's id, and saying it twice changes nothing", async () => {
    const made = await create({ orders: [{ source: "shop", external_id: fresh("order") }] });
    const [order] = made.orders;
    const other = await create();
    const at = `/v1/tickets/${other.id}/orders/${order!.id}`;
    expect(ticketIn(await send("PUT", at), 200).orders).toEqual([order]);
    expect((await send("PUT", at)).headers["deskbridge-result"]).toBe("unchanged");
    expect(ticketIn(await send("DELETE", at), 200).orders).toEqual([]);
    expect((await send("DELETE", at)).headers["deskbridge-result"]).toBe("unchanged");
    expect((await send("PUT", `/v1/tickets/${other.id}/orders/ord_999999`)).status).toBe(404);
  });
});
