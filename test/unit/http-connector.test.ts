import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import connector from "../../connectors/http/index.ts";
import { createStandardWebhooksVerifier } from "../../src/sdk/index.ts";
import type { Connection, OperationInput, SinkWriter } from "../../src/sdk/index.ts";
import { createEffectMemory, createTestContext } from "../../src/sdk/testing/index.ts";
import { gone, upsert, valuesRow, valuesTable } from "../../src/sdk/testing/sink-table.ts";
import { createEffectCall } from "../../src/sdk/write-once.ts";
import type { StubRequest } from "../support/http-server.ts";
import { openStubServer } from "../support/http-server.ts";
import { httpSecret } from "../support/sink-http.ts";

const other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const at = Date.parse("2026-11-27T08:00:00Z");
const opened: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

interface Stand {
  readonly connection: Connection;
  readonly requests: readonly StubRequest[];
  /** Says how the next requests are answered, one each; 204 when there is no more. */
  readonly answer: (...answers: ((response: ServerResponse) => void)[]) => void;
}

async function stand(settings: object = {}, path = ""): Promise<Stand> {
  const requests: StubRequest[] = [];
  const answers: ((response: ServerResponse) => void)[] = [];
  const server = await openStubServer((request, response) => {
    requests.push(request);
    const answer = answers.shift() ?? ((to: ServerResponse) => to.writeHead(204).end());
    answer(response);
    return undefined;
  });
  const context = createTestContext({ now: () => at });
  opened.push(server.close, context.close);
  const connection = await connector.open(
    connector.config.parse({ url: server.url + path, ...settings }),
    context,
  );
  return { connection, requests, answer: (...next) => void answers.push(...next) };
}

async function openWriter({ connection }: Stand, run = 7): Promise<SinkWriter> {
  const { signal } = new AbortController();
  return await connection.sink!.open({
    table: valuesTable,
    export: "nightly",
    run,
    onSchemaChange: "fail",
    signal,
  });
}

const refuse =
  (status: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(status, headers).end('{"error":"row of ada@example.com"}');
const bodyOf = (request: StubRequest | undefined) =>
  JSON.parse(request?.text ?? "null") as Record<string, unknown>;
const rows = (...ids: string[]) => upsert(valuesTable, ...ids.map((id) => valuesRow(id)));

describe("an export to an endpoint", () => {
  it("says in each message what it is, and ends with one that says what it was", async () => {
    const hook = await stand({ batchRows: 2 });
    const writer = await openWriter(hook);
    await writer.write(rows("a", "b", "c"));
    await writer.write(gone(valuesTable, { id: "d" }));
    expect(await writer.commit({ watermark: "w1" })).toMatchObject({ inserted: 0, updated: 3, deleted: 1 });
    const messages = hook.requests.map(bodyOf);
    const head = { export: "nightly", table: valuesTable.name, dataset: "tickets", run: 7, commit: 1 };
    expect(messages).toMatchObject([
      {
        ...head,
        type: "rows",
        batch: 1,
        kind: "upsert",
        key: ["id"],
        day: "created_at",
        count: 2,
        rows: [{ id: "a" }, { id: "b" }],
      },
      { ...head, type: "rows", batch: 2, kind: "upsert", rows: [{ id: "c" }] },
      { ...head, type: "rows", batch: 3, kind: "delete", rows: [{ id: "d" }] },
      { ...head, type: "commit", batches: 3, rows: 4, watermark: "w1" },
    ]);
  });

  it("keeps to the bytes of a request, and sends a larger row alone", async () => {
    const hook = await stand({ maxBytes: 2000 });
    const writer = await openWriter(hook);
    const long = valuesRow("long", { text: "x".repeat(5000) });
    await writer.write(
      upsert(
        valuesTable,
        ...["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"].map((id) => valuesRow(id)),
        long,
        valuesRow("z"),
      ),
    );
    await writer.commit({ watermark: "w" });
    const sizes = hook.requests
      .slice(0, -1)
      .map((request) => [bodyOf(request)["count"], request.text.length < 2500]);
    expect(sizes.some(([count]) => Number(count) > 5)).toBe(true);
    expect(sizes).toContainEqual([1, false]);
    expect(sizes.filter(([, isSmall]) => isSmall === false)).toHaveLength(1);
  });

  it("has the same ids when the same is sent again, and others when it is not", async () => {
    const hook = await stand();
    for (const ids of [["a"], ["a"], ["b"]]) {
      const writer = await openWriter(hook);
      await writer.write(rows(...ids));
      await writer.commit({ watermark: "w" });
    }
    const keys = hook.requests.map(({ headers }) => headers["idempotency-key"]);
    expect(keys.slice(0, 2)).toEqual(keys.slice(2, 4));
    expect(keys[4]).not.toBe(keys[0]);
    expect(new Set(keys).size).toBe(3);
  });

  it("is signed with both secrets while one replaces the other", async () => {
    const hook = await stand({ secret: [httpSecret, other] });
    await (await openWriter(hook)).commit({ watermark: "w" });
    const [request] = hook.requests;
    const received = {
      method: "POST",
      path: "",
      query: {},
      headers: request!.headers as Record<string, string>,
      body: Buffer.from(request!.text),
      receivedAt: at,
    };
    for (const secret of [httpSecret, other]) createStandardWebhooksVerifier({ secrets: [secret] })(received);
    expect(request?.headers["webhook-id"]).toBe(request?.headers["idempotency-key"]);
  });

  it.each([
    [refuse(401), "target_unauthorized"],
    [refuse(404), "target_not_found"],
    [refuse(422), "target_rejected"],
    [refuse(429, { "retry-after": "7" }), "target_rate_limited"],
    [refuse(503), "target_unavailable"],
    [refuse(302, { location: "http://127.0.0.1:9/" }), "target_protocol"],
    [(response: ServerResponse) => void response.destroy(), "target_unavailable"],
  ])("is refused by what is no 2xx: %#", async (answer, code) => {
    const hook = await stand(
      { headers: { Authorization: "Bearer secret-of-headers" } },
      "/T000/secret-of-path?key=secret-of-query",
    );
    hook.answer(answer);
    const writer = await openWriter(hook);
    await writer.write(upsert(valuesTable, valuesRow("a", { text: "words of a row" })));
    const error: unknown = await writer.commit({ watermark: "w" }).catch((fault: unknown) => fault);
    expect(error).toMatchObject({ code, ...(code === "target_rate_limited" && { retryAfterMs: 7000 }) });
    expect(JSON.stringify([error, (error as Error).message])).not.toMatch(/secret-of|ada@|words of/);
    expect(hook.requests[0]?.url.href).toMatch(/\/T000\/secret-of-path\?key=secret-of-query$/);
    expect(hook.requests[0]?.headers.authorization).toBe("Bearer secret-of-headers");
  });

  it("takes any 2xx, whatever it says", async () => {
    const hook = await stand();
    hook.answer(
      (response) => void response.writeHead(202, { "content-type": "text/plain" }).end("thank you"),
    );
    expect(await (await openWriter(hook)).commit({ watermark: "w" })).toMatchObject({ updated: 0 });
  });
});

describe("http.request", () => {
  const input: OperationInput<"http.request"> = {
    method: "POST",
    path: "/notes",
    query: { of: 3 },
    body: { text: "hi" },
  };

  async function send(
    hook: Stand,
    log: ReturnType<typeof createEffectMemory>,
    overrides: Partial<typeof input> = {},
  ) {
    const { desk } = hook.connection;
    const { signal } = new AbortController();
    const call = await createEffectCall({
      effectKey: "effect-1",
      signal,
      idempotency: desk!.idempotency,
      log: () => log,
    });
    return await desk!.operations["http.request"]!({ ...input, ...overrides }, call);
  }

  it("sends what the flow says, signed, under the effect's key", async () => {
    const hook = await stand({ secret: httpSecret, headers: { "X-Own": "1" } }, "/api");
    const receipt = await send(
      hook,
      createEffectMemory(() => at),
      { headers: { "X-More": "2" } },
    );
    expect(receipt).toEqual({ result: "sent", kind: "request" });
    expect(hook.requests).toMatchObject([
      {
        method: "POST",
        text: '{"text":"hi"}',
        headers: { "idempotency-key": "effect-1", "webhook-id": "effect-1", "x-own": "1", "x-more": "2" },
      },
    ]);
    expect(hook.requests[0]?.url.href).toMatch(/\/api\/notes\?of=3$/);
  });

  it("is not sent again when its answer was lost and the endpoint knows no keys", async () => {
    const hook = await stand();
    const log = createEffectMemory(() => at);
    hook.answer((response) => void response.destroy());
    await expect(send(hook, log)).rejects.toMatchObject({ code: "effect_unknown" });
    await expect(send(hook, log)).rejects.toMatchObject({ code: "effect_unknown" });
    expect(hook.requests).toHaveLength(1);
  });

  it("is sent again with the same key where the endpoint knows keys, or the method may be repeated", async () => {
    for (const [settings, overrides] of [
      [{ keysRememberedHours: 24 }, {}],
      [{}, { method: "PUT" as const }],
    ] as const) {
      const hook = await stand(settings);
      const log = createEffectMemory(() => at);
      hook.answer((response) => void response.destroy());
      await expect(send(hook, log, overrides)).rejects.toMatchObject({ code: "target_unavailable" });
      expect(await send(hook, log, overrides)).toMatchObject({ result: "sent" });
      expect(hook.requests.map(({ headers }) => headers["idempotency-key"])).toEqual([
        "effect-1",
        "effect-1",
      ]);
    }
  });
});

it.each([
  [{ url: "ftp://example.com" }],
  [{ url: "https://example.com", secret: "short" }],
  [{ url: "https://example.com", headers: { "bad name": "x" } }],
  [{ url: "https://example.com", batchRows: 0 }],
])("settings that cannot work are refused: %j", (settings) => {
  expect(connector.config.safeParse(settings).success).toBe(false);
});
