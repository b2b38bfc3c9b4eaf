import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routes } from "../../src/desk/plugin.ts";
import { describeApi } from "../../src/desk/route-openapi.ts";
import type { DeskAnswer, DeskRequest, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import { createContract } from "../support/openapi-contract.ts";

const clients = 20;
const contract = createContract(describeApi(routes));

let stand: DeskStand;
let client: pg.Client;

beforeAll(async () => {
  stand = await openDeskStand();
  client = await stand.connect();
});

afterAll(() => stand.close());

async function countOf(table: string): Promise<number> {
  const { rows } = await client.query<{ n: number }>(`select count(*)::int as n from ${table}`);
  return rows[0]?.n ?? 0;
}

interface Race {
  readonly operation: string;
  /** The request of the client of this number. */
  readonly request: (client: number) => DeskRequest;
  readonly table: string;
  /** Statuses besides successes that a client may be told. */
  readonly refusals: readonly number[];
}

const person = { email: "race@example.com", name: "Race" };

/** Everything that makes an object which only one of may be: twenty clients at once. */
const races: Readonly<Record<string, Race>> = {
  "one e-mail address, new contacts": {
    operation: "createContact",
    request: () => ({ method: "POST", path: "/v1/contacts", body: { email: "one@example.com" } }),
    table: "contact",
    refusals: [409],
  },
  "one ref, contacts": {
    operation: "putContactByRef",
    request: (n) => ({ method: "PUT", path: "/v1/contacts/by-ref/crm/one", body: { name: `Name ${n}` } }),
    table: "contact",
    refusals: [],
  },
  "one e-mail address under one ref each": {
    operation: "putContactByRef",
    request: (n) => ({
      method: "PUT",
      path: `/v1/contacts/by-ref/crm/each-${n}`,
      body: { email: "each@example.com" },
    }),
    table: "contact",
    refusals: [],
  },
  "one ref, orders": {
    operation: "putOrderByRef",
    request: (n) => ({ method: "PUT", path: "/v1/orders/by-ref/shop/one", body: { status: `state ${n}` } }),
    table: "sales_order",
    refusals: [],
  },
  "one ref, tickets by upsert": {
    operation: "putTicketByRef",
    request: (n) => ({
      method: "PUT",
      path: "/v1/tickets/by-ref/shop/one",
      body: { subject: "One", requester: person, message: { text: `By ${n}` } },
    }),
    table: "ticket",
    refusals: [],
  },
  "one ref, new tickets": {
    operation: "createTicket",
    request: () => ({
      method: "POST",
      path: "/v1/tickets",
      body: { subject: "New", requester: person, ref: { source: "shop", external_id: "new" } },
    }),
    table: "ticket",
    refusals: [409],
  },
  "one requester whom nobody knows yet": {
    operation: "createTicket",
    request: (n) => ({
      method: "POST",
      path: "/v1/tickets",
      body: { subject: `From ${n}`, requester: { email: "unknown@example.com" } },
    }),
    table: "contact",
    refusals: [],
  },
  "one message ref": {
    operation: "createTicketByRefMessage",
    request: () => ({
      method: "POST",
      path: "/v1/tickets/by-ref/shop/one/messages",
      body: { text: "Once.", ref: { source: "worker", external_id: "once" } },
    }),
    table: "message",
    refusals: [],
  },
};

async function race({ operation, request }: Race): Promise<readonly DeskAnswer[]> {
  const found = contract.operations.find(({ id }) => id === operation);
  if (found === undefined) throw new Error(`there is no operation ${operation}`);
  const answers = await Promise.all(Array.from({ length: clients }, (_, n) => stand.send(request(n))));
  expect(answers.flatMap((answer) => contract.faultsOf(found, answer))).toEqual([]);
  return answers;
}

describe("twenty clients at once", () => {
  it.each(Object.entries(races))("end in one object: %s", async (_name, one) => {
    const before = await countOf(one.table);
    const answers = await race(one);
    expect(await countOf(one.table)).toBe(before + 1);
    const refused = answers.filter(({ status }) => status >= 300).map(({ status }) => status);
    expect(new Set(refused)).toEqual(new Set(one.refusals));
    const conflicts = answers.flatMap(
      ({ json }) => (json as { conflicting_ids?: string[] }).conflicting_ids ?? [],
    );
    expect(new Set(conflicts).size).toBe(one.refusals.length);
  });

  it.each(Object.entries(races))("with one idempotency key are one write: %s", async (name, one) => {
    const key = `key ${name}`;
    const same = one.request(0);
    const fresh = JSON.parse(
      JSON.stringify(same).replaceAll(/(one|each|race|unknown|once|new)(?=[@"/-])/g, "keyed-$1"),
    ) as DeskRequest;
    const path = fresh.path.includes("messages") ? same.path : fresh.path;
    const before = await countOf("idempotency");
    const answers = await race({
      ...one,
      request: () => ({ ...fresh, path, headers: { "idempotency-key": key } }),
    });
    expect(await countOf("idempotency")).toBe(before + 1);
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(answers[0]?.status).toBeLessThan(300);
    expect(answers.filter(({ headers }) => headers["idempotency-replayed"] === "true")).toHaveLength(
      clients - 1,
    );
  });

  it("that change one version: one wins, the others are told 412", async () => {
    const made = await stand.send({
      method: "POST",
      path: "/v1/contacts",
      body: { email: "version@example.com" },
    });
    const { id } = made.json as { id: string };
    const answers = await race({
      operation: "updateContact",
      table: "contact",
      refusals: [412],
      request: (n) => ({
        method: "PATCH",
        path: `/v1/contacts/${id}`,
        body: { name: `Name ${n}` },
        headers: { "if-match": made.headers.etag ?? "" },
      }),
    });
    expect(answers.map(({ status }) => status).toSorted()).toEqual([
      200,
      ...Array.from({ length: clients - 1 }, () => 412),
    ]);
  });
});
