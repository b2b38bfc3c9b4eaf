import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OpenApiDocument } from "../../src/desk/openapi.ts";
import { routes } from "../../src/desk/plugin.ts";
import { describeApi } from "../../src/desk/route-openapi.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { DeskObjects } from "../support/desk-objects.ts";
import { addressOf, makeDeskObjects } from "../support/desk-objects.ts";
import { openEventStream } from "../support/event-stream.ts";
import type { Answered, Contract, Operation } from "../support/openapi-contract.ts";
import { createContract } from "../support/openapi-contract.ts";

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The document is called for by itself, below. */
const operations = createContract(describeApi(routes)).operations.filter(({ id }) => id !== "getOpenapi");
let stand: DeskStand;
let base: string;
let contract: Contract;

beforeAll(async () => {
  stand = await openDeskStand();
  base = await stand.listen();
  const served = await fetch(`${base}/v1/openapi.json`);
  contract = createContract((await served.json()) as OpenApiDocument);
});

afterAll(() => stand.close());

async function send({ method, path, body, headers = {} }: Sent): Promise<Answered> {
  const raw = typeof body === "string";
  const answer = await fetch(base + path, {
    method,
    redirect: "manual",
    headers: { ...(body === undefined || raw ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = /json/.test(answer.headers.get("content-type") ?? "");
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    json: isJson ? (JSON.parse(text) as unknown) : undefined,
  };
}

function bearer({ caller }: Operation, objects: DeskObjects): Readonly<Record<string, string>> {
  if (caller === "anyone") return {};
  return { authorization: `Bearer ${caller === "key" ? stand.adminKey : objects.token}` };
}

/** The body of the document's own example, with what must be there for it. */
function bodyOf({ id, body }: Operation, objects: DeskObjects): unknown {
  const others: Readonly<Record<string, unknown>> = {
    mergeTicket: { into: objects.otherTicket },
    mergeTicketByRef: { into: objects.otherTicket },
    mergeContact: { into: objects.otherContact },
    createClientToken: { contact_id: objects.contact },
  };
  const [example] = (body?.examples ?? []) as readonly unknown[];
  if (example === undefined) throw new Error(`the body of ${id} has no example`);
  const text = JSON.stringify(others[id] ?? example);
  return JSON.parse(text.replaceAll("ada@", `ada-${objects.name}@`)) as unknown;
}

async function prepare({ id }: Operation, objects: DeskObjects): Promise<string> {
  if (id === "unmergeContact") {
    const path = `/v1/contacts/${objects.contact}/merge`;
    await stand.send({ method: "POST", path, body: { into: objects.otherContact } });
  }
  if (id !== "getAttachmentContent") return "";
  const { json } = await stand.send({ method: "GET", path: `/v1/attachments/${objects.attachment}` });
  return new URL((json as { download_url: string }).download_url).search;
}

/** A request that the operation must carry out. */
async function goodRequest(operation: Operation, objects: DeskObjects): Promise<Sent> {
  const search = await prepare(operation, objects);
  const path = addressOf(operation.path, objects) + search;
  const headers = bearer(operation, objects);
  const { method } = operation;
  if (operation.takesFile) {
    return {
      method,
      path: `${path}?filename=a.txt`,
      body: "plain text",
      headers: { ...headers, "content-type": "text/plain" },
    };
  }
  return {
    method,
    path,
    headers,
    ...(operation.body === undefined ? {} : { body: bodyOf(operation, objects) }),
  };
}

/** A request that the operation must refuse, and how. */
function badRequest(operation: Operation, objects: DeskObjects): Sent & { readonly status: number } {
  const { method, path } = operation;
  const headers = bearer(operation, objects);
  const address = addressOf(path, objects);
  if (operation.body !== undefined) {
    return { method, path: address, headers, body: { no_such_field: 1 }, status: 400 };
  }
  if (operation.query.length > 0) {
    return { method, path: `${address}?no_such_field=1`, headers, status: 400 };
  }
  if (path.includes("{")) {
    const missing = address.replace(/(_)\d+/, "$1999999999").replaceAll(objects.name, "nobody");
    return { method, path: missing, headers, status: 404 };
  }
  return { method, path: address, status: 401 };
}

/** The first event of a stream from the beginning, as an answer. */
async function firstEvent(operation: Operation, objects: DeskObjects): Promise<Answered> {
  const url = `${base}${operation.path}?after=${"0".repeat(26)}`;
  const stream = await openEventStream(url, bearer(operation, objects));
  const event = await stream.next();
  stream.close();
  return {
    status: stream.status,
    headers: { ...Object.fromEntries(stream.headers), "content-type": "application/json" },
    json: event?.data,
  };
}

describe("every operation of the document", () => {
  it("is one of those below", () => {
    const served = contract.operations.map(({ id }) => id);
    expect(served).toEqual([...operations.map(({ id }) => id), "getOpenapi"]);
    expect(operations.length).toBeGreaterThan(70);
  });

  it.each(operations.map((operation) => [operation.id, operation] as const))(
    "%s answers as the document says, and refuses as it says",
    async (id, operation) => {
      const objects = await makeDeskObjects(stand.send, id.toLowerCase());
      const held = operation.isStream ? asUnary(operation) : operation;
      const good = operation.isStream
        ? await firstEvent(operation, objects)
        : await send(await goodRequest(operation, objects));
      expect([good.status < 300, good.status < 300 || good.json]).toEqual([true, true]);
      expect(contract.faultsOf(held, good)).toEqual([]);
      const { status, ...request } = badRequest(operation, objects);
      const bad = await send(request);
      expect([bad.status, contract.faultsOf(operation, bad)]).toEqual([status, []]);
    },
  );
});

/** A stream's operation as if one of its events were its answer. */
function asUnary(operation: Operation): Operation {
  const text = JSON.stringify(operation.definition).replaceAll("text/event-stream", "application/json");
  return { ...operation, definition: JSON.parse(text) as Operation["definition"] };
}

describe("the document itself", () => {
  it("is served to anyone, as docs/reference/openapi.json has it, and not again when it is known", async () => {
    const first = await fetch(`${base}/v1/openapi.json`);
    expect(await first.json()).toEqual(JSON.parse(JSON.stringify(describeApi(routes))));
    const etag = first.headers.get("etag") ?? "";
    const again = await fetch(`${base}/v1/openapi.json`, { headers: { "if-none-match": etag } });
    expect([again.status, await again.text(), again.headers.get("x-request-id")?.slice(0, 4)]).toEqual([
      304,
      "",
      "req_",
    ]);
  });
});

describe("the page at /docs", () => {
  it("shows every operation and shape, and takes nothing from anywhere else", async () => {
    const answer = await fetch(`${base}/docs`);
    const html = await answer.text();
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    for (const { id } of operations) expect(html).toContain(`<section class="operation" id="${id}"`);
    for (const [, target] of html.matchAll(/href="#([\w-]+)"/g)) expect(html).toContain(`id="${target}"`);
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    expect(html).not.toMatch(/ (?:on\w+|style)="/);
  });

  it("runs and styles only what its policy has the digest of", async () => {
    const answer = await fetch(`${base}/docs`);
    const html = await answer.text();
    const policy = answer.headers.get("content-security-policy") ?? "";
    for (const tag of ["style", "script"]) {
      const text = new RegExp(`<${tag}>(.*?)</${tag}>`, "s").exec(html)?.[1] ?? "";
      const digest = createHash("sha256").update(text).digest("base64");
      expect(policy).toContain(`${tag}-src 'sha256-${digest}'`);
    }
    expect(policy).toContain("default-src 'none'");
  });
});

describe("the contract", () => {
  it("finds an undocumented field, a wrong type, a missing header and an undocumented status", async () => {
    const operation = operations.find(({ id }) => id === "getKey");
    if (operation === undefined) throw new Error("getKey is not there");
    const good = await send({
      method: "GET",
      path: "/v1/key",
      headers: { authorization: `Bearer ${stand.adminKey}` },
    });
    const { "x-request-id": _id, ...headers } = good.headers;
    const json = good.json as object;
    expect(contract.faultsOf(operation, good)).toEqual([]);
    expect(contract.faultsOf(operation, { ...good, json: { ...json, more: 1 } })).toHaveLength(1);
    expect(contract.faultsOf(operation, { ...good, json: { ...json, name: 1 } })).toHaveLength(1);
    expect(contract.faultsOf(operation, { ...good, headers })).toHaveLength(1);
    expect(contract.faultsOf(operation, { ...good, status: 418 })).toHaveLength(1);
  });
});
