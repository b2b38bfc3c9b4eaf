import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { message } from "../../src/desk/schema-message.ts";
import { pageOf } from "../../src/desk/schema-text.ts";
import { historyEntry, ticket } from "../../src/desk/schema-ticket.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

type Ticket = z.output<typeof ticket>;

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

function ticketIn(answer: DeskAnswer, status = 200): Ticket {
  expect([answer.status, answer.status < 300 ? "" : answer.text]).toEqual([status, ""]);
  return ticket.parse(answer.json);
}

async function make(facts: object = {}): Promise<Ticket> {
  const body = {
    subject: "s",
    requester: { email: `${fresh("ada")}@example.com` },
    ref: { source: "shop", external_id: fresh("r") },
    message: { text: `first of ${fresh("m")}` },
    ...facts,
  };
  return ticketIn(await send("POST", "/v1/tickets", body), 201);
}

const merge = (from: Ticket, into: Ticket, headers = {}) =>
  send("POST", `/v1/tickets/${from.id}/merge`, { into: into.id }, headers);

const byRef = ({ refs }: Ticket) => `/v1/tickets/by-ref/${refs[0]!.source}/${refs[0]!.external_id}`;

async function historyOf(path: string): Promise<z.output<typeof historyEntry>[]> {
  const { json } = await send("GET", `${path}/history`);
  return pageOf(historyEntry).parse(json).data;
}

describe("merging tickets", () => {
  it("hands messages, refs, tags, orders and missing fields over, and closes what is left", async () => {
    const from = await make({
      tags: ["a", "b"],
      custom_fields: { x: 1, y: 1 },
      orders: [{ source: "shop", external_id: "1" }],
    });
    const into = await make({ tags: ["b", "c"], custom_fields: { y: 2 } });
    const answer = await merge(from, into);
    const merged = ticketIn(answer);
    expect([answer.headers["deskbridge-result"], answer.headers.etag]).toEqual(["merged", '"2"']);
    expect(merged).toMatchObject({
      id: into.id,
      requester: into.requester,
      tags: ["b", "c", "a"],
      custom_fields: { x: 1, y: 2 },
      orders: from.orders,
    });
    expect(merged.refs).toEqual(
      [...from.refs, ...into.refs].toSorted((a, b) => (a.external_id < b.external_id ? -1 : 1)),
    );
    const { json } = await send("GET", `/v1/tickets/${into.id}/messages`);
    expect(
      pageOf(message)
        .parse(json)
        .data.map(({ ticket_id }) => ticket_id),
    ).toEqual([into.id, into.id]);
    const listed = await send("GET", "/v1/tickets?tag=a");
    expect(pageOf(ticket).parse(listed.json).data).toEqual([merged]);
    const all = pageOf(ticket).parse((await send("GET", "/v1/tickets?limit=200")).json).data;
    expect(all.some(({ id }) => id === from.id)).toBe(false);
  });

  it("leaves 308 at the old id on every route, and the refs lead to the survivor", async () => {
    const [first, second, last] = [await make(), await make(), await make()];
    await merge(first, second);
    await merge(second, last);
    const routes: [DeskRequest["method"], string, object?][] = [
      ["GET", ""],
      ["GET", "/messages?limit=3"],
      ["GET", "/history"],
      ["PATCH", "", { subject: "x" }],
      ["POST", "/messages", { text: "x" }],
      ["POST", "/tags", { add: ["x"] }],
      ["PUT", "/orders/by-ref/shop/1"],
      ["DELETE", "/orders/ord_1"],
      ["POST", "/merge", { into: (await make()).id }],
    ];
    for (const [method, rest, body] of routes) {
      const answer = await send(method, `/v1/tickets/${first.id}${rest}`, body);
      expect([method, rest, answer.status, answer.headers.location]).toEqual([
        method,
        rest,
        308,
        `/v1/tickets/${last.id}${rest}`,
      ]);
    }
    expect(ticketIn(await send("GET", byRef(first))).id).toBe(last.id);
    const report = { subject: "s", requester: { email: "x@example.com" }, message: { text: "more" } };
    const put = await send("PUT", byRef(first), report);
    expect([put.headers["deskbridge-result"], ticketIn(put).id]).toEqual(["appended", last.id]);
  });

  it("knows the messages that came with the other ticket", async () => {
    const ref = { source: "worker", external_id: fresh("effect") };
    const from = await make({ message: { text: "once", ref } });
    const into = await make();
    await merge(from, into);
    for (const path of [`/v1/tickets/${into.id}`, byRef(from)]) {
      const again = await send("POST", `${path}/messages`, { text: "twice", ref });
      expect([again.status, message.parse(again.json).text]).toEqual([200, "once"]);
    }
  });

  it("is refused into itself, into nothing and in a circle; a repeat changes nothing", async () => {
    const [one, two] = [await make(), await make()];
    expect((await merge(one, one)).status).toBe(400);
    expect((await send("POST", `/v1/tickets/${one.id}/merge`, { into: "tkt_999999" })).status).toBe(400);
    expect((await send("POST", "/v1/tickets/tkt_999999/merge", { into: one.id })).status).toBe(404);
    expect((await send("POST", "/v1/tickets/by-ref/no/thing/merge", { into: one.id })).status).toBe(404);
    expect((await merge(one, two, { "if-match": '"7"' })).status).toBe(412);
    const merged = await send("POST", `${byRef(one)}/merge`, { into: two.id });
    expect(merged.headers["deskbridge-result"]).toBe("merged");
    expect((await merge(one, two)).headers["deskbridge-result"]).toBe("unchanged");
    const circle = await merge(two, one);
    expect([circle.status, circle.json]).toEqual([
      409,
      expect.objectContaining({ conflicting_ids: [one.id] }),
    ]);
  });

  it("follows those that were a follow-up of one another without going round", async () => {
    const first = await make({ status: "closed" });
    const ref = { source: "worker", external_id: fresh("effect") };
    const body = {
      subject: "s",
      requester: { email: "x@example.com" },
      message: { text: "again" },
      repeat: { closed: "follow_up" },
    };
    const second = ticketIn(await send("PUT", byRef(first), body), 201);
    await merge(first, second);
    expect((await send("POST", `/v1/tickets/${second.id}/messages`, { text: "m", ref })).status).toBe(201);
    const foreign = await make({ message: { text: "x", ref: { ...ref, source: "other" } } });
    const taken = { text: "m", ref: { ...ref, source: "other" } };
    expect((await send("POST", `/v1/tickets/${second.id}/messages`, taken)).status).toBe(409);
    expect(foreign.status).toBe("new");
  });
});

describe("a ticket's history", () => {
  it("tells every change with who made it, when, from what and to what", async () => {
    const made = await make();
    const path = `/v1/tickets/${made.id}`;
    const key = await stand.desk.keys.create("agent", ["tickets:write"]);
    const as = { authorization: `Bearer ${key.key}` };
    await send("PATCH", path, { status: "pending", assignee: "Ada" }, as);
    await send("POST", `${path}/tags`, { add: ["late"] });
    await send("PATCH", path, { status: "closed", message: { text: "done" } });
    const history = await historyOf(path);
    expect(history.map(({ type, actor, changes }) => [type, actor, changes])).toEqual([
      ["ticket.created", "key_bootstrap", []],
      ["message.created", "key_bootstrap", []],
      [
        "ticket.updated",
        key.id,
        [
          { field: "assignee", from: null, to: "Ada" },
          { field: "status", from: "new", to: "pending" },
        ],
      ],
      ["ticket.updated", "key_bootstrap", [{ field: "tags", from: [], to: ["late"] }]],
      ["ticket.closed", "key_bootstrap", [{ field: "status", from: "pending", to: "closed" }]],
      ["message.created", "key_bootstrap", []],
    ]);
    const times = history.map(({ time }) => time);
    expect(times).toEqual(times.toSorted());
    expect(await historyOf(byRef(made))).toEqual(history);
    const first = pageOf(historyEntry).parse((await send("GET", `${path}/history?limit=4`)).json);
    const rest = await send("GET", `${path}/history?limit=4&cursor=${first.next_cursor}`);
    expect([...first.data, ...pageOf(historyEntry).parse(rest.json).data]).toEqual(history);
  });

  it("goes on with that of a ticket that was merged into it", async () => {
    const [from, into] = [await make(), await make()];
    await merge(from, into);
    const types = (await historyOf(`/v1/tickets/${into.id}`)).map(({ type, object_id }) => [type, object_id]);
    expect(types).toContainEqual(["ticket.created", from.id]);
    expect(types).toContainEqual(["ticket.merged", from.id]);
    expect(types).toContainEqual(["ticket.updated", into.id]);
  });
});
