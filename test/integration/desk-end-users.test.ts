import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callerKindOf } from "../../src/desk/authorize.ts";
import { routes } from "../../src/desk/plugin.ts";
import { clientToken, me, ownMessage, ownTicket } from "../../src/desk/schema-me.ts";
import { message } from "../../src/desk/schema-message.ts";
import { pageOf } from "../../src/desk/schema-text.ts";
import { ticket } from "../../src/desk/schema-ticket.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { TestEndUser } from "../support/end-user.ts";
import { idOf, newEndUser, sendAs } from "../support/end-user.ts";

let stand: DeskStand;
let ada: TestEndUser;
let ben: TestEndUser;

beforeAll(async () => {
  stand = await openDeskStand();
  ada = await newEndUser(stand, "Ada");
  ben = await newEndUser(stand, "Ben");
});
afterAll(() => stand.close());

const agent = (method: DeskRequest["method"], path: string, body?: object): Promise<DeskAnswer> =>
  stand.send({ method, path, ...(body === undefined ? {} : { body }) });

/** A ticket of somebody's with everything that is not for their eyes. */
async function fullTicket(owner: TestEndUser): Promise<string> {
  const id = idOf(await owner.send("POST", "/v1/me/tickets", { message: { text: "Where is it?" } }));
  await agent("PATCH", `/v1/tickets/${id}`, {
    assignee: "secret-agent@example.com",
    tags: ["secret-tag"],
    custom_fields: { secret_field: "secret-value" },
    priority: "urgent",
    message: { text: "secret-note", visibility: "internal" },
  });
  await agent("POST", `/v1/tickets/${id}/messages`, {
    text: "On its way.",
    author: { type: "agent", id: "secret-agent-id", name: "Grace" },
    ref: { source: "secret-system", external_id: `secret-ref-${id}` },
  });
  return id;
}

describe("a client token", () => {
  it("is given for a contact and a time, and tells who it belongs to", async () => {
    const answer = await agent("POST", "/v1/client-tokens", { contact_id: ada.id, ttl_seconds: 120 });
    const given = clientToken.parse(answer.json);
    expect(answer.status).toBe(201);
    expect(given.contact_id).toBe(ada.id);
    expect(given.token).toMatch(/^dbu_[\w-]{43}$/);
    const leftMs = Date.parse(given.expires_at) - Date.now();
    expect([leftMs > 100_000, leftMs <= 120_000]).toEqual([true, true]);
    const who = me.parse((await sendAs(stand, given.token)("GET", "/v1/me")).json);
    expect(who).toMatchObject({ id: ada.id, name: "Ada", email: ada.email });
  });

  it("is another one each time, also under one idempotency key, and none is kept in the clear", async () => {
    const headers = { "idempotency-key": "token-1" };
    const request = {
      method: "POST",
      path: "/v1/client-tokens",
      body: { contact_id: ada.id },
      headers,
    } as const;
    const [one, two] = [await stand.send(request), await stand.send(request)];
    expect([one.status, two.status, one.text === two.text]).toEqual([201, 201, false]);
    const database = new pg.Client({ connectionString: stand.databaseUrl });
    await database.connect();
    const { rows } = await database.query<{ row: string }>(
      `select t::text as row from deskbridge_desk.client_token t
       union all select i::text from deskbridge_desk.idempotency i`,
    );
    await database.end();
    const { token } = clientToken.parse(one.json);
    expect([rows.length > 1, rows.some(({ row }) => row.includes(token.slice(4)))]).toEqual([true, false]);
  });

  it("stops working when it is revoked, and when it has run out", async () => {
    const given = clientToken.parse(
      (await agent("POST", "/v1/client-tokens", { contact_id: ada.id, ttl_seconds: 60 })).json,
    );
    const ask = () => sendAs(stand, given.token)("GET", "/v1/me");
    expect((await ask()).status).toBe(200);
    stand.setNow(Date.now() + 61_000);
    expect((await ask()).status).toBe(401);
    stand.setNow(Date.now());
    expect((await ask()).status).toBe(200);
    expect((await agent("DELETE", `/v1/client-tokens/${given.id}`)).status).toBe(200);
    expect((await ask()).status).toBe(401);
    expect((await agent("DELETE", `/v1/client-tokens/${given.id}`)).status).toBe(404);
  });

  it("is refused for nobody, and for a time that is too long", async () => {
    for (const body of [
      { contact_id: "con_999999" },
      { contact_id: "tkt_1" },
      { contact_id: ada.id, ttl_seconds: 90_000 },
      { contact_id: ada.id, ttl_seconds: 0 },
      {},
    ]) {
      expect((await agent("POST", "/v1/client-tokens", body)).status).toBe(400);
    }
  });

  it("follows its contact when that is merged, and ends when that is erased", async () => {
    const [one, two] = [await newEndUser(stand, "Cleo"), await newEndUser(stand, "Cleo2")];
    const own = idOf(await one.send("POST", "/v1/me/tickets", { message: { text: "Hi" } }));
    await agent("POST", `/v1/contacts/${one.id}/merge`, { into: two.id });
    expect(me.parse((await one.send("GET", "/v1/me")).json).id).toBe(two.id);
    expect((await one.send("GET", `/v1/me/tickets/${own}`)).status).toBe(200);
    expect((await two.send("GET", `/v1/me/tickets/${own}`)).status).toBe(200);
    await agent("DELETE", `/v1/contacts/${two.id}`);
    expect((await one.send("GET", "/v1/me")).status).toBe(401);
    expect((await two.send("GET", `/v1/me/tickets/${own}`)).status).toBe(401);
    expect((await agent("POST", "/v1/client-tokens", { contact_id: two.id })).status).toBe(400);
  });
});

describe("an end user", () => {
  it("opens a ticket, is answered, answers, and rates it", async () => {
    const opened = await ada.send("POST", "/v1/me/tickets", {
      message: { text: "Where is my parcel?\nIt is late." },
    });
    const made = ownTicket.parse(opened.json);
    expect(opened.status).toBe(201);
    expect(made).toMatchObject({ subject: "Where is my parcel?", status: "new", channel: "app" });
    await agent("PATCH", `/v1/tickets/${made.id}`, { status: "solved", message: { text: "At your door." } });
    const again = await ada.send("POST", `/v1/me/tickets/${made.id}/messages`, { text: "It is not." });
    expect([again.status, again.headers["deskbridge-result"]]).toEqual([201, "reopened"]);
    expect(ownMessage.parse(again.json)).toMatchObject({
      direction: "inbound",
      author: { type: "contact", name: "Ada" },
    });
    const seen = pageOf(ownMessage).parse((await ada.send("GET", `/v1/me/tickets/${made.id}/messages`)).json);
    expect(seen.data.map(({ text }) => text)).toEqual([
      "Where is my parcel?\nIt is late.",
      "At your door.",
      "It is not.",
    ]);
    const rated = await ada.send("POST", `/v1/me/tickets/${made.id}/csat`, { score: 4, comment: "ok" });
    expect(ownTicket.parse(rated.json)).toMatchObject({ status: "open", csat: { score: 4, comment: "ok" } });
    const full = ticket.parse((await agent("GET", `/v1/tickets/${made.id}`)).json);
    expect(full).toMatchObject({ requester: { id: ada.id }, csat: { score: 4 }, status: "open" });
    const said = pageOf(message).parse((await agent("GET", `/v1/tickets/${made.id}/messages`)).json);
    expect(said.data.at(-1)).toMatchObject({ author: { type: "contact", id: ada.id }, visibility: "public" });
  });

  it("sees nothing of what agents keep to themselves", async () => {
    const id = await fullTicket(ada);
    const answers = [
      await ada.send("GET", `/v1/me/tickets/${id}`),
      await ada.send("GET", "/v1/me/tickets"),
      await ada.send("GET", `/v1/me/tickets/${id}/messages`),
      await ada.send("POST", `/v1/me/tickets/${id}/messages`, { text: "Thanks" }),
      await ada.send("POST", `/v1/me/tickets/${id}/csat`, { score: 5 }),
    ];
    for (const { status, text, headers } of answers) {
      expect([status < 300, text.includes("secret"), headers.etag]).toEqual([true, false, undefined]);
    }
    const texts = pageOf(ownMessage).parse(answers[2]!.json).data;
    expect(texts.map(({ text, author }) => [text, author.type, author.name])).toEqual([
      ["Where is it?", "contact", "Ada"],
      ["On its way.", "agent", "Grace"],
    ]);
  });

  it("does not see a ticket in which there are internal notes alone", async () => {
    const hidden = idOf(
      await agent("POST", "/v1/tickets", {
        subject: "Fraud?",
        requester_id: ada.id,
        message: { text: "Look into it", visibility: "internal" },
      }),
    );
    expect((await ada.send("GET", `/v1/me/tickets/${hidden}`)).status).toBe(404);
    expect((await ada.send("GET", "/v1/me/tickets")).text).not.toContain(`"${hidden}"`);
    expect((await ada.send("POST", `/v1/me/tickets/${hidden}/messages`, { text: "?" })).status).toBe(404);
    await agent("POST", `/v1/tickets/${hidden}/messages`, { text: "Dear Ada" });
    expect((await ada.send("GET", `/v1/me/tickets/${hidden}`)).status).toBe(200);
  });

  it("does not see what another contact wrote in the ticket", async () => {
    const id = await fullTicket(ada);
    await agent("POST", `/v1/tickets/${id}/messages`, {
      text: "words of Ben",
      direction: "inbound",
      author: { type: "contact", id: ben.id },
    });
    expect((await ada.send("GET", `/v1/me/tickets/${id}/messages`)).text).not.toContain("words of Ben");
    await agent("PATCH", `/v1/tickets/${id}`, { requester_id: ben.id });
    expect((await ada.send("GET", `/v1/me/tickets/${id}`)).status).toBe(404);
    const seen = await ben.send("GET", `/v1/me/tickets/${id}/messages`);
    expect([seen.text.includes("words of Ben"), seen.text.includes("Where is it?")]).toEqual([true, false]);
  });

  it("is led on from a ticket that was merged into one of theirs, and from no other", async () => {
    const [one, two, foreign] = [await fullTicket(ada), await fullTicket(ada), await fullTicket(ben)];
    await agent("POST", `/v1/tickets/${one}/merge`, { into: two });
    for (const [method, rest, body] of [
      ["GET", ""],
      ["POST", "/messages", { text: "x" }],
    ] as const) {
      const moved = await ada.send(method, `/v1/me/tickets/${one}${rest}`, body);
      expect([moved.status, moved.headers.location]).toEqual([308, `/v1/me/tickets/${two}${rest}`]);
    }
    await agent("POST", `/v1/tickets/${two}/merge`, { into: foreign });
    expect((await ada.send("GET", `/v1/me/tickets/${two}`)).status).toBe(404);
    expect((await ada.send("POST", `/v1/me/tickets/${two}/messages`, { text: "x" })).status).toBe(404);
    const seen = await ben.send("GET", `/v1/me/tickets/${foreign}/messages`);
    expect(
      pageOf(ownMessage)
        .parse(seen.json)
        .data.filter(({ author }) => author.name === "Ada"),
    ).toEqual([]);
  });

  it("writes once per idempotency key, and is never shown what another was answered under theirs", async () => {
    const headers = { "idempotency-key": "same" };
    const body = { message: { text: "Once" } };
    const [one, again] = [
      await ada.send("POST", "/v1/me/tickets", body, headers),
      await ada.send("POST", "/v1/me/tickets", body, headers),
    ];
    expect([again.text, again.headers["idempotency-replayed"]]).toEqual([one.text, "true"]);
    const others = await ben.send("POST", "/v1/me/tickets", body, headers);
    expect([others.status, idOf(others) === idOf(one)]).toEqual([201, false]);
  });

  it("cannot write as somebody else, or anything but what is asked for", async () => {
    const id = await fullTicket(ada);
    for (const extra of [
      { author: { type: "agent", name: "Boss" } },
      { visibility: "internal" },
      { direction: "outbound" },
      { ref: { source: "a", external_id: "b" } },
    ]) {
      expect((await ada.send("POST", `/v1/me/tickets/${id}/messages`, { text: "x", ...extra })).status).toBe(
        400,
      );
    }
    for (const extra of [{ requester_id: ben.id }, { tags: ["a"] }, { status: "closed" }]) {
      const body = { message: { text: "x" }, ...extra };
      expect((await ada.send("POST", "/v1/me/tickets", body)).status).toBe(400);
    }
    expect((await ada.send("POST", `/v1/me/tickets/${id}/csat`, { score: 1, close: true })).status).toBe(400);
  });
});

/** A good body for the routes of end users that take one. */
function ownBody(path: string): object | undefined {
  if (path.endsWith("/messages")) return { text: "x" };
  if (path.endsWith("/csat")) return { score: 3 };
  return path.endsWith("/tickets") ? { message: { text: "x" } } : undefined;
}

describe("every route", () => {
  it("outside /v1/me is closed to an end user", async () => {
    const id = await fullTicket(ada);
    const outside = routes.filter((route) => callerKindOf(route) === "key");
    expect(outside.length).toBeGreaterThan(45);
    for (const { method, path } of outside) {
      const url = path
        .replace("/v1/contacts/{id}", `/v1/contacts/${ada.id}`)
        .replace("{id}", id)
        .replaceAll(/\{\w+\}/g, "x");
      const answer = await ada.send(method, url, method === "GET" ? undefined : {});
      expect([method, url, answer.status]).toEqual([method, url, 401]);
    }
  });

  it("under /v1/me is closed to API keys, and there is no other that takes end users", async () => {
    const inside = routes.filter((route) => callerKindOf(route) === "end_user");
    expect(inside.length).toBeGreaterThan(7);
    for (const { method, path } of inside) {
      expect(path).toMatch(/^\/v1\/me(\/|$)/);
      const url = path.replace("{id}", "tkt_1");
      expect((await agent(method, url, method === "GET" ? undefined : {})).status).toBe(401);
    }
    expect(routes.filter(({ path }) => /^\/v1\/me(\/|$)/.test(path))).toEqual(inside);
  });

  it("under /v1/me answers for what is another's as for what is not there", async () => {
    const foreign = await fullTicket(ben);
    const named = routes.filter((route) => callerKindOf(route) === "end_user" && route.path.includes("{"));
    expect(named.length).toBeGreaterThan(3);
    for (const { method, path } of named) {
      const [theirs, absent] = await Promise.all(
        [foreign, "tkt_999999999"].map((id) =>
          ada.send(method, path.replace("{id}", id), method === "GET" ? undefined : ownBody(path)),
        ),
      );
      const { request_id: _, ...problem } = theirs!.json as Record<string, unknown>;
      const { request_id: __, ...same } = absent!.json as Record<string, unknown>;
      expect([path, theirs!.status, problem]).toEqual([path, 404, same]);
    }
    const untouched = pageOf(message).parse((await agent("GET", `/v1/tickets/${foreign}/messages`)).json);
    expect(untouched.data).toHaveLength(3);
  });
});

describe("browsers", () => {
  const preflight = { origin: "https://shop.example", "access-control-request-method": "POST" };

  it("get no word of CORS unless origins are configured", async () => {
    const answer = await stand.server.inject({
      method: "OPTIONS",
      url: "/v1/me/tickets",
      headers: preflight,
    });
    expect([answer.statusCode, answer.headers["access-control-allow-origin"]]).toEqual([204, undefined]);
    const read = await ada.send("GET", "/v1/me", undefined, { origin: "https://shop.example" });
    expect(read.headers["access-control-allow-origin"]).toBeUndefined();
  });

  it("may call /v1/me, and nothing else, from the origins that are", async () => {
    const own = await openDeskStand({ endUsers: { origins: ["https://shop.example"] } });
    const ask = (url: string, origin: string) =>
      own.server.inject({ method: "OPTIONS", url, headers: { ...preflight, origin } });
    const good = await ask("/v1/me/tickets", "https://shop.example");
    expect([good.statusCode, good.headers["access-control-allow-origin"]]).toEqual([
      204,
      "https://shop.example",
    ]);
    expect(good.headers["access-control-allow-headers"]).toContain("authorization");
    expect(good.headers["access-control-allow-credentials"]).toBeUndefined();
    const bad = await ask("/v1/me/tickets", "https://shop.example.evil.example");
    expect(bad.headers["access-control-allow-origin"]).toBeUndefined();
    const elsewhere = await ask("/v1/tickets", "https://shop.example");
    expect([elsewhere.statusCode, elsewhere.headers["access-control-allow-origin"]]).toEqual([
      204,
      undefined,
    ]);
    const refused = await own.send({
      method: "GET",
      path: "/v1/me",
      headers: { authorization: "Bearer x", origin: "https://shop.example" },
    });
    expect([refused.status, refused.headers["access-control-allow-origin"]]).toEqual([
      401,
      "https://shop.example",
    ]);
    await own.close();
  });
});
