import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { message } from "../../src/desk/schema-message.ts";
import { pageOf } from "../../src/desk/schema-text.ts";
import { ticket } from "../../src/desk/schema-ticket.ts";
import type { DeskAnswer, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;
let count = 0;

beforeAll(async () => {
  stand = await openDeskStand();
});
afterAll(() => stand.close());

const newRef = () => ({ source: "worker", external_id: `effect-${(count += 1)}` });
const newAddress = () => `/v1/tickets/by-ref/shop/order-${(count += 1)}`;
const report = (ref?: object, more: object = {}) => ({
  subject: "Late",
  requester: { email: "ada@example.com" },
  message: { text: "It is late.", ...(ref === undefined ? {} : { ref }) },
  ...more,
});

const put = (path: string, body: object) => stand.send({ method: "PUT", path, body });
const post = (path: string, body: object) => stand.send({ method: "POST", path: `${path}/messages`, body });

async function textsOf(path: string): Promise<readonly string[]> {
  const { json } = await stand.send({ method: "GET", path: `${path}/messages` });
  return pageOf(message)
    .parse(json)
    .data.map(({ text }) => text);
}

const said = ({ status, headers }: DeskAnswer) => [
  status,
  headers["deskbridge-result"],
  headers["deskbridge-message-id"],
];

function countBy(answers: readonly DeskAnswer[]): Record<string, number> {
  const names = answers.map((answer) => said(answer).slice(0, 2).join(" "));
  return Object.fromEntries(
    [...new Set(names)].map((name) => [name, names.filter((n) => n === name).length]),
  );
}

describe("a message whose ref is known", () => {
  it("is answered as it is and not added again, whatever its text says now", async () => {
    const path = newAddress();
    await put(path, report());
    const ref = newRef();
    const first = await post(path, { text: "once", ref });
    const version = ticket.parse((await stand.send({ method: "GET", path })).json).version;
    const second = await post(path, { text: "twice", ref });
    const { id } = message.parse(first.json);
    expect([said(first), said(second)]).toEqual([
      [201, "appended", id],
      [200, "unchanged", id],
    ]);
    expect([second.json, second.headers.etag]).toEqual([first.json, `"${version}"`]);
    expect(await textsOf(path)).toEqual(["It is late.", "once"]);
  });

  it("in PUT by-ref does nothing: no message, no tag, no order, no reopening", async () => {
    const path = newAddress();
    const ref = newRef();
    const orders = [{ source: "shop", external_id: `o-${(count += 1)}` }];
    const made = await put(path, report(ref, { tags: ["late"], orders }));
    const id = made.headers["deskbridge-message-id"];
    expect(said(await put(path, report(ref)))).toEqual([200, "unchanged", id]);
    const { id: ticketId, orders: linked } = ticket.parse(made.json);
    await stand.send({ method: "DELETE", path: `/v1/tickets/${ticketId}/orders/${linked[0]!.id}` });
    await stand.send({ method: "PATCH", path, body: { status: "closed", tags: [] } });
    for (const closed of ["reopen", "follow_up", "ignore"]) {
      const again = await put(path, report(ref, { tags: ["late"], orders, repeat: { closed } }));
      expect(said(again)).toEqual([200, "unchanged", id]);
      expect(ticket.parse(again.json)).toMatchObject({ status: "closed", tags: [], orders: [], version: 3 });
    }
    expect(await textsOf(path)).toEqual(["It is late."]);
  });

  it("in PATCH sets the fields and is not said again", async () => {
    const path = newAddress();
    const ref = newRef();
    const made = await put(path, report(ref));
    const id = made.headers["deskbridge-message-id"];
    const body = { status: "solved", message: { text: "again", ref } };
    const patched = await stand.send({ method: "PATCH", path, body });
    expect(said(patched)).toEqual([200, "updated", id]);
    expect(said(await stand.send({ method: "PATCH", path, body }))).toEqual([200, "unchanged", id]);
    expect(await textsOf(path)).toHaveLength(1);
  });

  it("is known in the ticket that follows up too", async () => {
    const path = newAddress();
    const [first, second] = [newRef(), newRef()];
    const made = await put(path, report(first));
    const follow = { repeat: { closed: "follow_up" } };
    await stand.send({ method: "PATCH", path, body: { status: "closed" } });
    const followed = await put(path, report(second, follow));
    expect(said(followed).slice(0, 2)).toEqual([201, "followed_up"]);
    expect(said(await put(path, report(second, follow)))[1]).toBe("unchanged");
    const late = await post(path, { text: "late", ref: first });
    expect(said(late)).toEqual([200, "unchanged", made.headers["deskbridge-message-id"]]);
    expect(await textsOf(path)).toHaveLength(1);
  });

  it("is refused in a ticket that has nothing to do with it, with nothing stored", async () => {
    const [one, two] = [newAddress(), newAddress()];
    const ref = newRef();
    const made = await put(one, report(ref));
    for (const answer of [
      await put(two, report(ref)),
      await put(two, report()).then(() => post(two, { text: "x", ref })),
    ]) {
      expect([answer.status, answer.json]).toEqual([
        409,
        expect.objectContaining({
          code: "conflict",
          conflicting_ids: [made.headers["deskbridge-message-id"]],
        }),
      ]);
    }
    expect(await textsOf(two)).toEqual(["It is late."]);
  });
});

describe("twenty at once with one message ref", () => {
  const twenty = (run: (index: number) => Promise<DeskAnswer>) =>
    Promise.all(Array.from({ length: 20 }, (_, index) => run(index)));

  it("add one message by POST", async () => {
    const path = newAddress();
    await put(path, report());
    const ref = newRef();
    const answers = await twenty((index) => post(path, { text: `try ${index}`, ref }));
    expect(countBy(answers)).toEqual({ "201 appended": 1, "200 unchanged": 19 });
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(await textsOf(path)).toHaveLength(2);
  });

  it("make one ticket with one message by PUT, and one follow-up of it", async () => {
    const path = newAddress();
    const [first, second] = [newRef(), newRef()];
    const made = await twenty(() => put(path, report(first)));
    expect(countBy(made)).toEqual({ "201 created": 1, "200 unchanged": 19 });
    await stand.send({ method: "PATCH", path, body: { status: "closed" } });
    const followed = await twenty(() => put(path, report(second, { repeat: { closed: "follow_up" } })));
    expect(countBy(followed)).toEqual({ "201 followed_up": 1, "200 unchanged": 19 });
    expect(await textsOf(path)).toHaveLength(1);
  });

  it("in twenty tickets are said in one of them and refused in the others", async () => {
    const ref = newRef();
    const answers = await twenty(() => put(newAddress(), report(ref)));
    expect(countBy(answers)).toEqual({ "201 created": 1, "409 ": 19 });
  });
});
