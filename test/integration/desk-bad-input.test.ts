import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routes } from "../../src/desk/plugin.ts";
import { clientToken } from "../../src/desk/schema-me.ts";
import type { DeskAnswer, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;
/** Of the requester of `tkt_1`. */
let token: string;

beforeAll(async () => {
  stand = await openDeskStand();
  const { ref, ...facts } = person;
  await stand.send({ method: "POST", path: "/v1/contacts", body: { ...facts, refs: [ref] } });
  const made = await stand.send({ method: "PUT", path: "/v1/tickets/by-ref/a/b", body: goodTicket });
  expect(made.json).toMatchObject({ id: "tkt_1", requester: { id: "con_1" } });
  await stand.send({ method: "POST", path: "/v1/webhooks", body: goodWebhook });
  const given = await stand.send({
    method: "POST",
    path: "/v1/client-tokens",
    body: { contact_id: "con_1", ttl_seconds: 86_400 },
  });
  ({ token } = clientToken.parse(given.json));
});
afterAll(() => stand.close());

const person = {
  email: "ada@example.com",
  phone: "+4930901820",
  name: "Ada",
  ref: { source: "s", external_id: "1" },
};
const goodOrder = {
  name: "#1",
  status: "paid",
  total: { minor: 100, currency: "EUR" },
  url: "https://example.com/1",
  customer: person,
  created_at: "2026-05-01T10:00:00Z",
  updated_at: "2026-05-01T10:00:00Z",
};
const goodMessage = {
  text: "Hello",
  direction: "inbound",
  visibility: "public",
  author: { type: "contact", id: "con_1", name: "Ada" },
  ref: { source: "mail", external_id: "1" },
};
const goodTicket = {
  subject: "Late",
  requester: person,
  message: goodMessage,
  priority: "high",
  status: "open",
  channel: "email",
  assignee: "Ada",
  custom_fields: { a: 1, b: "x", c: true, d: null },
  tags: ["a"],
  orders: [{ ...goodOrder, source: "shop", external_id: "1" }],
};

const goodWebhook = {
  url: "https://hooks.example.com/desk",
  events: ["ticket.*", "message.created"],
  description: "CRM",
  order: "none",
  enabled: false,
};
const webhookBodies: Readonly<Record<string, object>> = {
  "/v1/webhooks": goodWebhook,
  "/v1/webhooks/{id}": goodWebhook,
  "/v1/webhooks/{id}/rotate-secret": { overlap_seconds: 60 },
  "/v1/webhooks/{id}/replay": { from: "2026-05-01T10:00:00Z", until: "2026-05-02T10:00:00Z" },
};

/** The header that a route takes: of an API key unless it is for end users. */
function keyFor(path: string): Readonly<Record<string, string>> {
  return path.startsWith("/v1/me") ? { authorization: `Bearer ${token}` } : {};
}

/** With a ref that no message has yet. */
function freshMessage(): object {
  return { ...goodMessage, ref: { source: "mail", external_id: randomUUID() } };
}

/** A good body for each route that takes one. */
function goodBody(method: string, path: string): object {
  if (path === "/v1/client-tokens") return { contact_id: "con_1", ttl_seconds: 60 };
  if (path === "/v1/me/tickets") return { subject: "Late", message: { text: "Hello" } };
  if (path.startsWith("/v1/me/") && path.endsWith("/messages")) return { text: "Hello" };
  if (path.startsWith("/v1/me/") && path.endsWith("/csat")) return { score: 3, comment: "ok" };
  if (path.endsWith("/identities")) return { type: "external", source: "s", value: "2", verified: true };
  if (path.endsWith("/merge")) return { into: path.includes("contacts") ? "con_1" : "tkt_1" };
  if (path.endsWith("/tags")) return { add: ["a"], remove: ["b"] };
  const webhookBody = webhookBodies[path];
  if (webhookBody !== undefined) return webhookBody;
  if (path.endsWith("/messages")) return freshMessage();
  if (path.startsWith("/v1/orders")) return goodOrder;
  if (path.startsWith("/v1/contacts")) {
    const { ref, ...facts } = person;
    return { ...facts, refs: [ref], custom_fields: { a: 1 } };
  }
  const ticket = { ...goodTicket, message: freshMessage() };
  return method === "PUT" ? { ...ticket, repeat: { closed: "reopen" } } : ticket;
}

const nasty: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    -1,
    0.5,
    1e308,
    2 ** 60,
    "",
    " ",
    "\0",
    "\ud800",
    "'; drop table ticket; --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%00",
    "con_0",
    "con_999999999999999",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "+0000-01-01T00:00:00Z",
    "x".repeat(70_000),
    [],
    {},
    [[[[[]]]]],
    { constructor: 1 },
    { toString: null },
    true,
  ),
  fc.string({ unit: "binary", maxLength: 50 }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** The good body with one value in it, at any depth, replaced. */
function spoiled(good: unknown): fc.Arbitrary<unknown> {
  return fc.tuple(fc.nat(), nasty).map(([pick, value]) => {
    const paths = pathsOf(good, []);
    const path = paths[pick % paths.length] ?? [];
    return replaceAt(good, path, value);
  });
}

function pathsOf(value: unknown, at: readonly string[]): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([name, item]) => pathsOf(item, [...at, name]))];
}

function replaceAt(value: unknown, [name, ...rest]: readonly string[], item: unknown): unknown {
  if (name === undefined) return item;
  if (Array.isArray(value))
    return value.map((one, at) => (String(at) === name ? replaceAt(one, rest, item) : one) as unknown);
  const record = value as Record<string, unknown>;
  return { ...record, [name]: replaceAt(record[name], rest, item) };
}

const segment = fc.oneof(
  fc.constantFrom(
    "tkt_1",
    "con_1",
    "ord_1",
    "whk_1",
    "whd_1",
    "a",
    "b",
    "email",
    "phone",
    "%00",
    "%FF",
    "%F0%9F%9A%9A",
    "'",
    "..",
    "%2e%2e",
  ),
  fc
    .string({ unit: "binary", minLength: 1, maxLength: 300 })
    .map((text) => encodeURIComponent(text.toWellFormed())),
);

function expectDefined(answer: DeskAnswer, what: unknown): void {
  expect([what, answer.status < 500, answer.status >= 500 ? answer.text : ""]).toEqual([what, true, ""]);
  // The schemas know what can be stored: that the database finds out is a fault of ours, even though it does no harm.
  expect([what, answer.text.includes("cannot be stored")]).toEqual([what, false]);
  if (answer.status < 400) return;
  expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
  expect(answer.json).toMatchObject({ status: answer.status, request_id: answer.headers["x-request-id"] });
}

describe("bad input", () => {
  const bodies = routes.filter(({ body }) => body !== undefined);
  const ending = routes.filter((route) => !("stream" in route));

  it.each(bodies.map(({ method, path }) => ({ method, path })))(
    "to $method $path is answered, never with a fault of ours",
    async ({ method, path }) => {
      let refused = 0;
      const bodies = fc.oneof(
        fc.constant(0).chain(() => spoiled(goodBody(method, path))),
        nasty,
      );
      const property = fc.asyncProperty(bodies, async (body) => {
        const url = path
          .replace("/v1/contacts/{id}", "/v1/contacts/con_1")
          .replace("/v1/webhooks/{id}", "/v1/webhooks/whk_1")
          .replace("{id}", "tkt_1");
        const answer = await stand.send({
          method,
          path: url.replaceAll(/\{\w+\}/g, "b"),
          body: JSON.stringify(body),
          headers: keyFor(path),
        });
        if (answer.status === 400) refused += 1;
        expectDefined(answer, body);
      });
      await fc.assert(property, { numRuns: 60 });
      expect(refused).toBeGreaterThan(10);
    },
  );

  it("in any address is answered, never with a fault of ours", async () => {
    const property = fc.asyncProperty(
      fc.constantFrom(
        ...ending.map(({ method, path, body }) => ({ method, path, takesBody: body !== undefined })),
      ),
      fc.array(segment, { minLength: 4, maxLength: 4 }),
      async ({ method, path, takesBody }, segments) => {
        let at = 0;
        const url = path.replaceAll(/\{\w+\}/g, () => segments[at++] ?? "x");
        const body = takesBody ? goodBody(method, path) : undefined;
        expectDefined(await stand.send({ method, path: url, body, headers: keyFor(path) }), [method, url]);
      },
    );
    await expect(fc.assert(property, { numRuns: 300 })).resolves.toBeUndefined();
  });

  it("in any query or header is answered, never with a fault of ours", async () => {
    const names = [
      "status",
      "tag",
      "requester_id",
      "updated_after",
      "cursor",
      "limit",
      "sort",
      "order_id",
      "email",
      "address",
      "q",
      "after",
      "types",
      "state",
    ];
    const text = fc.string({ unit: "binary", maxLength: 60 }).map((value) => value.toWellFormed());
    const property = fc.asyncProperty(
      fc.constantFrom(
        "/v1/tickets",
        "/v1/contacts",
        "/v1/tickets/tkt_1/messages",
        "/v1/tickets/tkt_1/history",
        "/v1/contacts/con_1/orders",
        "/v1/orders/ord_1/tickets",
        "/v1/changes",
        "/v1/webhooks/whk_1/deliveries",
      ),
      fc.dictionary(
        fc.oneof(fc.constantFrom(...names), text),
        fc.oneof(
          text,
          nasty.map((value) => JSON.stringify(value) ?? ""),
        ),
        {
          maxKeys: 3,
        },
      ),
      fc.string({ maxLength: 300 }),
      async (path, query, header) => {
        const parameters = new URLSearchParams(query).toString();
        const headers = { "if-none-match": header, "if-match": header, "idempotency-key": header };
        expectDefined(
          await stand.send({ method: "GET", path: `${path}?${parameters}`, headers }),
          parameters,
        );
        const patch = {
          method: "PATCH",
          path: "/v1/tickets/tkt_1",
          body: { priority: "low" },
          headers,
        } as const;
        expectDefined(await stand.send(patch), header);
      },
    );
    await expect(fc.assert(property, { numRuns: 150 })).resolves.toBeUndefined();
  });

  it.each([
    ["PUT", "/v1/tickets/tkt_1/orders/by-ref/shop/2", { name: "#2" }, "name"],
    ["DELETE", "/v1/contacts/con_1", { reason: "asked" }, "reason"],
    ["GET", "/v1/tickets/tkt_1?fields=id", undefined, "fields"],
    ["GET", "/v1/contacts?source=s", undefined, "source"],
    ["GET", "/v1/contacts?channel=chat", undefined, "channel"],
  ] as const)("is not ignored where nothing is taken: %s %s", async (method, path, body, field) => {
    const answer = await stand.send({ method, path, body });
    expect(answer.status).toBe(400);
    expect(answer.json).toMatchObject({ fields: [{ path: field }] });
  });

  it("left no ticket without its requester, its tags or its ref", async () => {
    const client = await stand.connect();
    const { rows } = await client.query<{ tickets: number; torn: number }>(`
      select count(*)::int as tickets, (count(*) filter (where
        not exists (select from contact c where c.id = t.requester)
        or (select coalesce(array_agg(tag order by tag), '{}') from ticket_tag g where g.ticket = t.id)
          <> (select coalesce(array_agg(tag order by tag), '{}') from unnest(t.tags) as tag)
      ) + (select count(*) from ticket_ref r where not exists (select from ticket x where x.id = r.ticket))
        + (select count(*) from message m where not exists (select from ticket x where x.id = m.ticket)))::int as torn
      from ticket t`);
    expect(rows[0]!.tickets).toBeGreaterThan(5);
    expect(rows[0]!.torn).toBe(0);
  });

  it("names each wrong field once, by its path", async () => {
    const body = {
      ...goodTicket,
      requester: { email: "nobody", phone: "12" },
      priority: "huge",
      tags: ["a", ""],
      extra: 1,
    };
    const { status, json } = await stand.send({ method: "POST", path: "/v1/tickets", body });
    const { fields, detail } = json as { fields: { path: string }[]; detail: string };
    expect(status).toBe(400);
    expect(fields.map(({ path }) => path).sort()).toEqual([
      "extra",
      "priority",
      "requester.email",
      "requester.phone",
      "tags.1",
    ]);
    expect(detail).toContain("requester.email: must be an e-mail address");
    expect(JSON.stringify(json)).not.toContain("nobody");
  });
});
