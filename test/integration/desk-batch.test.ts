import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeskAnswer, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

interface Item {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Result {
  readonly data: readonly Item[];
  readonly succeeded: number;
  readonly failed: number;
}

let stand: DeskStand;
let client: pg.Client;

beforeAll(async () => {
  stand = await openDeskStand({
    limits: { key: { requests: 20, seconds: 60 }, endUser: undefined, own: undefined },
  });
  client = await stand.connect();
});

afterAll(() => stand.close());

function post(body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<DeskAnswer> {
  return stand.send({ method: "POST", path: "/v1/batch", body, headers });
}

async function batch(requests: readonly object[], extra: object = {}): Promise<Result> {
  const answer = await post({ requests, ...extra });
  expect(answer.status).toBe(200);
  return answer.json as Result;
}

function upsert(name: string, headers?: object): object {
  return {
    method: "PUT",
    path: `/v1/contacts/by-ref/crm/${name}`,
    body: { name, email: `${name}@example.com` },
    ...(headers === undefined ? {} : { headers }),
  };
}

async function count(table: "contact" | "change"): Promise<number> {
  const { rows } = await client.query<{ n: number }>(`select count(*)::int as n from ${table}`);
  return rows[0]?.n ?? 0;
}

describe("a batch", () => {
  it("carries its requests out in their order, each seeing what was written before it", async () => {
    const { data, succeeded, failed } = await batch([
      upsert("order-a"),
      { method: "GET", path: "/v1/contacts?email=order-a%40example.com" },
      { method: "PUT", path: "/v1/contacts/by-ref/crm/order-a", body: { name: "Second" } },
      { method: "GET", path: "/v1/contacts/by-ref/crm/order-a" },
    ]);
    expect([succeeded, failed]).toEqual([4, 0]);
    expect(data.map(({ status }) => status)).toEqual([201, 200, 200, 200]);
    expect(data[0]?.headers).toEqual({ deskbridge_result: "created", etag: '"1"' });
    expect(data[1]?.body).toMatchObject({ data: [{ id: data[0]?.body.id, name: "order-a" }] });
    expect(data[3]?.body).toMatchObject({ name: "Second" });
    expect(data[3]?.headers.etag).toBe(data[2]?.headers.etag);
  });

  it("shows each request that is refused, and leaves the others as they are", async () => {
    const before = await count("contact");
    const { data, succeeded, failed } = await batch([
      upsert("good-a"),
      { method: "PUT", path: "/v1/contacts/by-ref/crm/bad", body: { email: "no address" } },
      { method: "POST", path: "/v1/contacts", body: { email: "good-a@example.com" } },
      { method: "GET", path: "/v1/nothing" },
      { method: "PATCH", path: "/v1/contacts/con_999999", body: { name: "x" } },
      { ...upsert("good-a"), headers: { if_match: '"99"' } },
      { method: "GET", path: "/v1/contacts/by-ref/crm/%zz" },
      upsert("good-b"),
    ]);
    expect(data.map(({ status }) => status)).toEqual([201, 400, 409, 404, 404, 412, 400, 201]);
    expect([succeeded, failed]).toEqual([2, 6]);
    expect(data[1]?.body).toMatchObject({ code: "bad_request", fields: [{ path: "email" }] });
    expect(data[2]?.body).toMatchObject({ conflicting_ids: [data[0]?.body.id] });
    expect((await count("contact")) - before).toBe(2);
  });

  it("tells where what was merged is now", async () => {
    const made = await batch([upsert("old"), upsert("new")]);
    const [old, kept] = made.data.map(({ body }) => body.id as string);
    const { data } = await batch([
      { method: "POST", path: `/v1/contacts/${old}/merge`, body: { into: kept } },
      { method: "PATCH", path: `/v1/contacts/${old}`, body: { name: "x" } },
    ]);
    expect(data.map(({ status }) => status)).toEqual([200, 308]);
    expect(data[1]?.headers.location).toBe(`/v1/contacts/${kept}`);
  });

  it("refuses batches in it, streams and the routes of end users", async () => {
    const { data } = await batch([
      { method: "POST", path: "/v1/batch", body: { requests: [upsert("nested")] } },
      { method: "GET", path: "/v1/changes/stream" },
      { method: "GET", path: "/v1/me" },
      { method: "GET", path: "/v1/me/stream" },
    ]);
    expect(data.map(({ status }) => status)).toEqual([400, 400, 401, 401]);
  });

  it("says of an address that takes another method which it takes", async () => {
    const { data } = await batch([
      { method: "DELETE", path: "/v1/tickets/tkt_1" },
      { method: "DELETE", path: "/v1/nothing" },
    ]);
    expect(data.map(({ status, headers }) => [status, headers.allow])).toEqual([
      [405, "GET, PATCH"],
      [404, undefined],
    ]);
  });

  it("takes for each request the scope of its route", async () => {
    const { key } = await stand.desk.keys.create("reader", ["contacts:read"]);
    const requests = [upsert("scoped"), { method: "GET", path: "/v1/contacts?limit=1" }];
    const answer = await post({ requests }, { authorization: `Bearer ${key}` });
    expect((answer.json as Result).data.map(({ status }) => status)).toEqual([403, 200]);
  });

  it("is refused whole, with nothing written, when it is empty, too long or not valid", async () => {
    const before = await count("change");
    const many = Array.from({ length: 501 }, (_, index) => upsert(`many-${index}`));
    for (const body of [
      { requests: [] },
      { requests: many },
      { requests: [upsert("a"), { method: "HEAD", path: "/v1/key" }] },
      { requests: [upsert("a"), { method: "GET", path: "http://elsewhere/v1/key" }] },
      { requests: [{ ...upsert("a"), extra: 1 }] },
      [],
    ]) {
      const answer = await post(body);
      expect([answer.status, (answer.json as { code: string }).code]).toEqual([400, "bad_request"]);
    }
    expect(await count("change")).toBe(before);
  });

  it("counts each of its requests, and does nothing when they are more than the key has left", async () => {
    const { key } = await stand.desk.keys.create("limited", ["admin"]);
    const send = (size: number): Promise<DeskAnswer> =>
      post(
        { requests: Array.from({ length: size }, (_, index) => upsert(`l-${index}`)) },
        { authorization: `Bearer ${key}` },
      );
    stand.setNow(Date.parse("2026-11-22T10:00:00Z"));
    const first = await send(15);
    expect([first.status, first.headers.ratelimit]).toEqual([200, '"key";r=5;t=45']);
    const before = await count("change");
    const second = await send(6);
    expect([second.status, second.headers["retry-after"]]).toEqual([429, "3"]);
    expect(await count("change")).toBe(before);
    stand.setNow(undefined);
  });
});

describe("a batch that is sent again", () => {
  it("is answered as at first, request by request, and writes nothing twice", async () => {
    const requests = Array.from({ length: 120 }, (_, index) =>
      upsert(`again-${index}`, { idempotency_key: `again-${index}` }),
    );
    const first = await batch(requests);
    const before = await count("change");
    const second = await batch(requests, { parallel: true });
    expect(second.data.map(({ body }) => body)).toEqual(first.data.map(({ body }) => body));
    expect(new Set(second.data.map(({ headers }) => headers.idempotency_replayed))).toEqual(
      new Set(["true"]),
    );
    expect(await count("change")).toBe(before);
  });

  it("is known by the key of the whole, also where only some of it had been written", async () => {
    const requests = [
      upsert("whole-a"),
      upsert("whole-b"),
      upsert("whole-c", { idempotency_key: "its-own" }),
    ];
    await post({ requests: requests.slice(0, 1) }, { "idempotency-key": "whole" });
    const rest = (await post({ requests }, { "idempotency-key": "whole" })).json as Result;
    expect(rest.data.map(({ headers }) => headers.idempotency_replayed)).toEqual([
      "true",
      undefined,
      undefined,
    ]);
    const again = (await post({ requests }, { "idempotency-key": "whole" })).json as Result;
    expect(again.data.map(({ headers }) => headers.idempotency_replayed)).toEqual(["true", "true", "true"]);
    const other = (await post({ requests: [upsert("else")] }, { "idempotency-key": "whole" })).json as Result;
    expect(other.data.map(({ status }) => status)).toEqual([422]);
  });

  it("shares its keys with requests that come by themselves", async () => {
    const request = {
      method: "PUT",
      path: "/v1/contacts/by-ref/crm/alone",
      body: { name: "Alone" },
    } as const;
    const alone = await stand.send({ ...request, headers: { "idempotency-key": "alone" } });
    const { data } = await batch([{ ...request, headers: { idempotency_key: "alone" } }]);
    expect(data[0]?.headers.idempotency_replayed).toBe("true");
    expect(data[0]?.body).toEqual(alone.json);
  });

  it("from twenty clients at once makes each object once", async () => {
    const requests = Array.from({ length: 60 }, (_, index) =>
      upsert(`race-${index}`, { idempotency_key: `race-${index}` }),
    );
    const before = await count("contact");
    const orders = Array.from({ length: 20 }, (_, index) =>
      index % 2 === 0 ? requests : requests.toReversed(),
    );
    const results = await Promise.all(
      orders.map((list, index) => batch(list, { parallel: index % 3 === 0 })),
    );
    expect(await count("contact")).toBe(before + 60);
    const statuses = new Set(results.flatMap(({ data }) => data.map(({ status }) => status)));
    expect([...statuses].filter((status) => status !== 201 && status !== 409)).toEqual([]);
  });
});

describe("the cost of a batch", () => {
  it("is a transaction for every fifty writes", async () => {
    const { rows: before } = await client.query<{ at: string }>("select max(id) as at from change");
    const requests = Array.from({ length: 500 }, (_, index) => upsert(`cheap-${index}`));
    const { succeeded } = await batch(requests);
    expect(succeeded).toBe(500);
    const { rows } = await client.query<{ n: number }>(
      "select count(distinct tx)::int as n from change where id > $1",
      [before[0]?.at],
    );
    expect(rows[0]?.n).toBe(10);
  });

  it("does not grow when somebody else holds what one of its requests writes: that one is told to come again", async () => {
    await batch([upsert("held")]);
    await client.query("begin");
    await client.query("select 1 from contact where name = 'held' for update");
    const { data } = await batch([upsert("free-a"), upsert("held"), upsert("free-b")]);
    await client.query("rollback");
    expect(data.map(({ status }) => status)).toEqual([201, 409, 201]);
    expect(data[1]?.body).toMatchObject({ code: "idempotency_in_flight", retryable: true });
  });
});
