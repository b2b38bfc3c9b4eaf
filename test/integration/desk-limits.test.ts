import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeskAnswer, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;
let keys: readonly string[];

beforeAll(async () => {
  const limits = {
    key: { requests: 5, seconds: 10 },
    endUser: { requests: 2, seconds: 10 },
    own: { requests: 1_000_000, seconds: 60 },
  };
  stand = await openDeskStand({ limits });
  const made = [];
  for (const name of ["one", "two", "three", "four"])
    made.push(await stand.desk.keys.create(name, ["admin"]));
  keys = made.map(({ key }) => key);
});

afterAll(() => stand.close());

function ask(key: string | undefined, path = "/v1/key", method: "GET" | "POST" = "GET"): Promise<DeskAnswer> {
  return stand.send({ method, path, headers: { authorization: `Bearer ${key}` } });
}

describe("the limit of a key", () => {
  it("is told on every answer and counted down, also on answers that refuse", async () => {
    stand.setNow(Date.parse("2026-11-22T10:00:00Z"));
    const first = await ask(keys[0]);
    expect(first.headers).toMatchObject({ "ratelimit-policy": '"key";q=5;w=10', ratelimit: '"key";r=4;t=2' });
    const missing = await ask(keys[0], "/v1/tickets/tkt_99");
    expect([missing.status, missing.headers.ratelimit]).toEqual([404, '"key";r=3;t=4']);
    const wrong = await ask(keys[0], "/v1/tickets", "POST");
    expect([wrong.status, wrong.headers.ratelimit]).toEqual([400, '"key";r=2;t=6']);
  });

  it("answers 429 with Retry-After beyond it, carries nothing out, and goes on when it said", async () => {
    const begun = Date.parse("2026-11-22T11:00:00Z");
    stand.setNow(begun);
    for (let index = 0; index < 5; index++) expect((await ask(keys[1])).status).toBe(200);
    const refused = await stand.send({
      method: "PUT",
      path: "/v1/orders/by-ref/shop/limited",
      body: { name: "#1" },
      headers: { authorization: `Bearer ${keys[1]}` },
    });
    expect(refused.status).toBe(429);
    expect(refused.headers).toMatchObject({
      "content-type": "application/problem+json; charset=utf-8",
      "retry-after": "2",
      ratelimit: '"key";r=0;t=10',
    });
    expect(refused.json).toMatchObject({
      type: "urn:deskbridge:error:rate_limited",
      code: "rate_limited",
      status: 429,
      retryable: true,
      request_id: refused.headers["x-request-id"],
    });
    expect((await stand.send({ method: "GET", path: "/v1/orders/by-ref/shop/limited" })).status).toBe(404);
    stand.setNow(begun + 1999);
    expect((await ask(keys[1])).status).toBe(429);
    stand.setNow(begun + 2000);
    expect((await ask(keys[1])).status).toBe(200);
  });

  it("is each key's own", async () => {
    stand.setNow(Date.parse("2026-11-22T12:00:00Z"));
    for (let index = 0; index < 6; index++) await ask(keys[2]);
    expect((await ask(keys[2])).status).toBe(429);
    expect((await ask(keys[3])).status).toBe(200);
  });
});

describe("other callers", () => {
  it("have limits of their own: an end user by contact, whatever token is shown", async () => {
    stand.setNow(undefined);
    const contact = await stand.send({
      method: "POST",
      path: "/v1/contacts",
      body: { email: "l@example.com" },
    });
    const { id } = contact.json as { id: string };
    const token = async (): Promise<string> => {
      const made = await stand.send({ method: "POST", path: "/v1/client-tokens", body: { contact_id: id } });
      return (made.json as { token: string }).token;
    };
    const [one, other] = [await token(), await token()];
    const statuses = [];
    for (const shown of [one, other, one, other]) statuses.push((await ask(shown, "/v1/me")).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
  });

  it("with the key of the environment are told a limit that no process reaches", async () => {
    const answers = [];
    for (let index = 0; index < 50; index++)
      answers.push(await stand.send({ method: "GET", path: "/v1/key" }));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers[0]?.headers["ratelimit-policy"]).toBe('"own";q=1000000;w=60');
  });

  it("without a key are told nothing", async () => {
    const answer = await ask("wrong");
    expect([answer.status, answer.headers.ratelimit]).toEqual([401, undefined]);
  });
});
