import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routes } from "../../src/desk/plugin.ts";
import { describeApi } from "../../src/desk/route-openapi.ts";
import type { DeskAnswer, DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { DeskObjects } from "../support/desk-objects.ts";
import { addressOf, makeDeskObjects } from "../support/desk-objects.ts";
import type { Operation } from "../support/openapi-contract.ts";
import { createContract } from "../support/openapi-contract.ts";
import { arbitraryOf, hostileTexts, spoil } from "../support/schema-arbitrary.ts";

const contract = createContract(describeApi(routes));
const operations = contract.operations.filter(({ id }) => id !== "getOpenapi");
const unary = operations.filter(({ isStream }) => !isStream);
const runs = 20;

/** In every text of a contact whose data nobody else may see. */
const marker = "only-for-the-other-contact";

let stand: DeskStand;
let client: pg.Client;
let other: DeskObjects;

beforeAll(async () => {
  stand = await openDeskStand();
  client = await stand.connect();
  other = await makeDeskObjects(stand.send, marker);
});

afterAll(() => stand.close());

const tables = [
  "ticket",
  "ticket_ref",
  "ticket_tag",
  "ticket_order",
  "ticket_csat",
  "message",
  "message_ref",
  "contact",
  "contact_identity",
  "contact_merge",
  "sales_order",
  "order_state",
  "webhook",
  "webhook_delivery",
  "attachment",
  "client_token",
  "change",
  "idempotency",
];

/** How many rows there are of what requests write. */
async function rowCounts(): Promise<string> {
  const counts = tables.map((table) => `(select count(*) from ${table})`).join(" || ',' || ");
  const { rows } = await client.query<{ counts: string }>(`select ${counts} as counts`);
  return rows[0]?.counts ?? "";
}

/** How often each operation was answered with each status. */
const seen = new Map<string, Map<number, number>>();

function tally(id: string, status: number): void {
  const statuses = seen.get(id) ?? new Map<number, number>();
  seen.set(id, statuses.set(status, (statuses.get(status) ?? 0) + 1));
}

interface Shot {
  readonly path: string;
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

async function shoot(
  operation: Operation,
  { path, body, headers }: Shot,
  objects: DeskObjects,
): Promise<DeskAnswer> {
  const token = operation.caller === "key" ? stand.adminKey : objects.token;
  const type = operation.takesFile ? "text/plain" : "application/json";
  return stand.send({
    method: operation.method,
    path,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "content-type": type }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
}

/** What is wrong with an answer to anything that a client might send. */
function faultsOf(operation: Operation, answer: DeskAnswer): readonly string[] {
  const faults = [...contract.faultsOf(operation, answer)];
  if (answer.status >= 500) faults.push(`${operation.id}: ${answer.status} ${answer.text.slice(0, 300)}`);
  if (operation.caller === "end_user" && answer.text.includes(marker))
    faults.push(`${operation.id} shows another's data`);
  const { data } = (answer.json ?? {}) as {
    readonly data?: readonly { readonly status?: number; readonly body?: unknown }[];
  };
  const inner = operation.id === "runBatch" && Array.isArray(data) ? data : [];
  for (const { status = 0, body } of inner) {
    if (status >= 500) faults.push(`in a batch: ${status} ${JSON.stringify(body).slice(0, 300)}`);
  }
  return faults;
}

/** What was counted last; undefined once something may have been written since. */
let counted: string | undefined;

function freshObjects(name: string): Promise<DeskObjects> {
  counted = undefined;
  return makeDeskObjects(stand.send, name);
}

/** Sends a request; one that is refused must have left nothing behind. */
async function expectDefined(operation: Operation, shot: Shot, objects: DeskObjects): Promise<void> {
  const writes = operation.method !== "GET";
  const before = writes ? (counted ?? (await rowCounts())) : counted;
  const answer = await shoot(operation, shot, objects);
  tally(operation.id, answer.status);
  expect(faultsOf(operation, answer)).toEqual([]);
  if (!writes) return;
  counted = answer.status < 300 ? undefined : await rowCounts();
  expect(counted ?? before).toBe(before);
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function idsOf(objects: DeskObjects): readonly string[] {
  const values: readonly string[] = Object.values<string>({ ...objects });
  return values.filter((value) => /^[a-z]{3}_\d+$/.test(value));
}

const hostileParts: readonly string[] = [
  "%00",
  "%ED%A0%80",
  "%FF",
  "tkt_0",
  "con_-1",
  "con_1e3",
  "ord_1%20",
  "x".repeat(3000),
];

/** Addresses with one part spoiled. */
function hostileAddress(operation: Operation, objects: DeskObjects): fc.Arbitrary<string> {
  const good = addressOf(operation.path, objects).split("/");
  const names = operation.path.split("/");
  const places = names.flatMap((name, index) => (name.startsWith("{") ? [index] : []));
  const texts = hostileTexts.filter((text) => text !== "").map(encode);
  const parts = [...texts, ...hostileParts, "con_99999999999999999999", ...idsOf(other)];
  return fc
    .tuple(fc.constantFrom(...places), fc.constantFrom(...parts))
    .map(([place, part]): string => good.with(place, part).join("/"));
}

function searchOf(operation: Operation, objects: DeskObjects): fc.Arbitrary<string> {
  const source = { follow: contract.follow, ids: idsOf(objects) };
  const pairs = operation.query.map(({ name, schema }) =>
    fc.tuple(
      fc.constant(name),
      fc.oneof(
        arbitraryOf(schema, source).map(String),
        fc.constantFrom(...hostileTexts),
        fc.constantFrom("1,2", "[]", "0"),
      ),
    ),
  );
  const unknown = fc.tuple(
    fc.constantFrom("__proto__", "limit[]", "a", "no_such_field"),
    fc.constantFrom(...hostileTexts),
  );
  const pair = fc.oneof(...pairs, ...pairs, ...pairs, unknown);
  return fc
    .array(pair, { maxLength: 4 })
    .map((chosen) => chosen.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&"));
}

/** Sends many; returns how the first that fails fails, with its seed. */
async function firstFault(
  operation: Operation,
  shots: fc.Arbitrary<Shot>,
  objects: DeskObjects,
  numRuns = runs,
): Promise<string | undefined> {
  const property = fc.asyncProperty(shots, (shot) => expectDefined(operation, shot, objects));
  const details = await fc.check(property, { numRuns });
  return details.failed ? fc.defaultReportMessage(details) : undefined;
}

const named = (list: readonly Operation[]) => list.map((operation) => [operation.id, operation] as const);

describe("bodies", () => {
  const withBody = unary.filter(({ body }) => body !== undefined);

  it("are taken by many operations", () => expect(withBody.length).toBeGreaterThan(25));

  it.each(named(withBody))(
    "of %s that its schema allows are carried out or refused, whole",
    async (id, operation) => {
      const objects = await freshObjects(`v-${id.toLowerCase()}`);
      const source = { follow: contract.follow, ids: idsOf(objects) };
      const path = addressOf(operation.path, objects);
      const shots = arbitraryOf(operation.body ?? {}, source).map((body) => ({
        path,
        body: JSON.stringify(body),
        headers: {},
      }));
      expect(await firstFault(operation, shots, objects)).toBeUndefined();
    },
  );

  it.each(named(withBody))(
    "of %s with one thing spoiled are refused or carried out, whole",
    async (id, operation) => {
      const objects = await freshObjects(`s-${id.toLowerCase()}`);
      const source = { follow: contract.follow, ids: idsOf(objects) };
      const path = addressOf(operation.path, objects);
      const [example] = ((operation.body ?? {}).examples ?? []) as readonly unknown[];
      const value = fc.oneof(arbitraryOf(operation.body ?? {}, source), fc.constant(example ?? {}));
      expect(
        await firstFault(
          operation,
          spoil(value).map((body) => ({ path, body, headers: {} })),
          objects,
        ),
      ).toBeUndefined();
    },
  );
});

describe("addresses and headers", () => {
  it.each(named(unary.filter(({ path }) => path.includes("{"))))(
    "spoiled ones of %s are defined answers",
    async (id, operation) => {
      const objects = await freshObjects(`a-${id.toLowerCase()}`);
      const [example] = ((operation.body ?? {}).examples ?? []) as readonly unknown[];
      const body = operation.body === undefined ? undefined : JSON.stringify(example ?? {});
      const search = operation.takesFile ? "?filename=a.txt" : "";
      const shots = hostileAddress(operation, objects).map((path) => ({
        path: path + search,
        body,
        headers: {},
      }));
      expect(await firstFault(operation, shots, objects)).toBeUndefined();
    },
  );

  it.each(named(unary.filter(({ query }) => query.length > 0)))(
    "queries of %s are answered or refused",
    async (id, operation) => {
      const objects = await freshObjects(`q-${id.toLowerCase()}`);
      const path = addressOf(operation.path, objects);
      const body = operation.takesFile
        ? fc.string({ unit: "binary", maxLength: 200 })
        : fc.constant(undefined);
      const shots = fc
        .tuple(searchOf(operation, objects), body)
        .map(([search, bytes]) => ({ path: `${path}?${search}`, body: bytes, headers: {} }));
      expect(await firstFault(operation, shots, objects, runs * 2)).toBeUndefined();
    },
  );

  it.each(named(unary.filter(({ method }) => method !== "GET")))(
    "keys and versions of %s are taken or refused",
    async (id, operation) => {
      const objects = await freshObjects(`h-${id.toLowerCase()}`);
      const [example] = ((operation.body ?? {}).examples ?? []) as readonly unknown[];
      const path = addressOf(operation.path, objects) + (operation.takesFile ? "?filename=a.txt" : "");
      const value = fc.constantFrom(
        " ",
        '"',
        'W/"1"',
        '"99999999999"',
        '"1","2"',
        "*",
        "'; --",
        "x".repeat(255),
        "x".repeat(256),
        "é",
        "-1",
      );
      const shots = fc.tuple(value, value).map(([key, version]) => ({
        path,
        body:
          operation.body === undefined && !operation.takesFile ? undefined : JSON.stringify(example ?? {}),
        headers: { "idempotency-key": key, "if-match": version },
      }));
      expect(await firstFault(operation, shots, objects, 15)).toBeUndefined();
    },
  );
});

describe("end users", () => {
  const own = unary.filter(({ caller, path }) => caller === "end_user" && path.includes("{"));

  it.each(named(own))("%s shows nothing of another's, whatever id is asked for", async (id, operation) => {
    const objects = await freshObjects(`o-${id.toLowerCase()}`);
    const [example] = ((operation.body ?? {}).examples ?? []) as readonly unknown[];
    const body = operation.body === undefined ? undefined : JSON.stringify(example);
    for (const foreign of idsOf(other)) {
      const path = operation.path.replace(/\{\w+\}/, foreign);
      const answer = await shoot(operation, { path, body, headers: {} }, objects);
      expect([answer.status, answer.text.includes(marker)]).toEqual([404, false]);
    }
  });
});

describe("all of this", () => {
  it("was carried out often and refused often, by every operation", () => {
    const spoilable = unary.filter(
      ({ body, query, path }) => body !== undefined || query.length > 0 || path.includes("{"),
    );
    expect(new Set(seen.keys())).toEqual(new Set(spoilable.map(({ id }) => id)));
    const accepted = [...seen].filter(([, statuses]) => [...statuses.keys()].some((status) => status < 300));
    // Those that take no body are carried out with their own ids, which few spoiled addresses have.
    const names = new Set(accepted.map(([id]) => id));
    const never = unary.filter(({ id, body }) => body !== undefined && !names.has(id)).map(({ id }) => id);
    expect(never).toEqual([]);
    for (const statuses of seen.values())
      expect([...statuses.keys()].some((status) => status >= 400)).toBe(true);
  });
});
