import { once } from "node:events";
import { connect } from "node:net";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import { createHttpServer } from "../../src/http/server.ts";

const problemType = /^application\/problem\+json/;
let server: FastifyInstance;
let lines: string[];

beforeEach(async () => {
  lines = [];
  const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
  server = createHttpServer({ logger, maxBodyBytes: 1000 });
  server.post("/echo", (request) => Promise.resolve({ got: request.body ?? null }));
  server.get("/fault", async () => {
    throw new Error("password hunter2 of row 7");
  });
  server.get("/busy", async () => {
    throw new AppError("ledger_busy", "too many wait", { retryAfterMs: 2500 });
  });
  server.get("/fields", async () => {
    throw new AppError("conflict", "two of them", {
      details: { fields: [{ path: "email", message: "is taken" }], conflictingIds: ["con_1"], hidden: "x" },
    });
  });
  await server.ready();
});

afterEach(() => server.close());

const post = (payload: string | Buffer, type = "application/json") =>
  server.inject({ method: "POST", url: "/echo", headers: { "content-type": type }, payload });

describe("the HTTP server", () => {
  it("puts a request id of its own on every answer, whatever the caller sends", async () => {
    const answers = await Promise.all([
      post("{}"),
      post("nonsense"),
      server.inject("/nowhere"),
      server.inject("/%zz"),
      server.inject({ url: "/fault", headers: { "x-request-id": "chosen", "request-id": "chosen" } }),
    ]);
    const ids = answers.map((answer) => answer.headers["x-request-id"]);
    expect(new Set(ids).size).toBe(5);
    for (const id of ids) expect(id).toMatch(/^req_[0-9a-f-]{36}$/);
  });

  it("answers an unknown address with a problem document", async () => {
    const answer = await server.inject("/nowhere");
    expect(answer.statusCode).toBe(404);
    expect(answer.headers["content-type"]).toMatch(problemType);
    expect(answer.json()).toEqual({
      type: "urn:deskbridge:error:not_found",
      title: "There is nothing at this address.",
      status: 404,
      code: "not_found",
      detail: "there is nothing at this address",
      retryable: false,
      request_id: answer.headers["x-request-id"],
    });
  });

  it("tells a caller nothing of a fault of ours, and the log one line with the request's id", async () => {
    const answer = await server.inject("/fault");
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ code: "internal", retryable: true });
    expect(answer.body).not.toMatch(/hunter2|at .*\.ts/);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ request: answer.headers["x-request-id"], route: "/fault" });
  });

  it("says how long to wait, in whole seconds", async () => {
    const answer = await server.inject("/busy");
    expect([answer.statusCode, answer.headers["retry-after"]]).toEqual([503, "3"]);
    expect(answer.json()).toMatchObject({ code: "ledger_busy", retryable: true });
  });

  it("names the fields and objects in the way, and nothing else of an error's details", async () => {
    const answer = await server.inject("/fields");
    expect(answer.json()).toMatchObject({
      fields: [{ path: "email", message: "is taken" }],
      conflicting_ids: ["con_1"],
    });
    expect(answer.body).not.toContain("hidden");
  });

  it("logs nothing for what a caller did wrong", async () => {
    await Promise.all([post("nonsense"), server.inject("/nowhere"), server.inject("/fields")]);
    expect(lines).toEqual([]);
  });
});

describe("an address that is there", () => {
  beforeEach(async () => {
    await server.close();
    server = createHttpServer({ logger: pino({ level: "silent" }), maxBodyBytes: 1000 });
    server.get("/boxes/:id", async () => ({ id: 1 }));
    server.delete("/boxes/:id", async () => ({ id: 1 }));
    server.put("/boxes/red", async () => ({ id: 2 }));
    server.post("/hooks/:name/*", async () => ({ ok: true }));
    server.options("/pages*", async () => "");
    await server.ready();
  });

  it.each([
    ["PUT", "/boxes/7", "GET, HEAD, DELETE, OPTIONS"],
    ["POST", "/boxes/a%20b?x=/boxes", "GET, HEAD, DELETE, OPTIONS"],
    ["PATCH", "/boxes/red", "GET, HEAD, PUT, DELETE, OPTIONS"],
    ["GET", "/hooks/shop/a/b", "POST, OPTIONS"],
    ["PROPFIND", "/boxes/7", "GET, HEAD, DELETE, OPTIONS"],
  ])("answers %s %s with 405 and what it takes, whatever the body", async (method, url, allow) => {
    for (const type of ["text/plain", "application/json"]) {
      const headers = { "content-type": type };
      // The method's type has none that the framework does not know.
      const answer = await server.inject({ method: method as "GET", url, payload: "{ not JSON", headers });
      expect([answer.statusCode, answer.headers["allow"]]).toEqual([405, allow]);
      expect(answer.headers["content-type"]).toMatch(problemType);
      expect(answer.json()).toMatchObject({ code: "method_not_allowed", retryable: false });
    }
  });

  it("answers OPTIONS with what it takes", async () => {
    const answer = await server.inject({ method: "OPTIONS", url: "/boxes/7" });
    expect([answer.statusCode, answer.body]).toEqual([204, ""]);
    expect(answer.headers["allow"]).toBe("GET, HEAD, DELETE, OPTIONS");
  });

  it.each([
    ["PUT", "/boxes"],
    ["OPTIONS", "/boxes/"],
    ["OPTIONS", "/pages/1"],
    ["GET", "/pages/1"],
    ["DELETE", "/boxes/7/8"],
    ["GET", "/hooks/shop"],
  ] as const)("is told from one that is not: %s %s is 404", async (method, url) => {
    const answer = await server.inject({ method, url });
    expect([answer.statusCode, answer.headers["allow"]]).toEqual([404, undefined]);
  });
});

describe("a JSON body", () => {
  it("is parsed, and an empty one is no body", async () => {
    expect((await post('{"a":[1,"ü"]}', "application/json; charset=utf-8")).json()).toEqual({
      got: { a: [1, "ü"] },
    });
    expect((await post("")).json()).toEqual({ got: null });
  });

  it.each([
    ["is not JSON", "{"],
    ["is nested 200 levels deep", `${"[".repeat(200)}${"]".repeat(200)}`],
    ["has a __proto__ key", '{"a":{"__proto__":{"x":1}}}'],
    ["has a __proto__ key in escapes", String.raw`{"\u005f_proto__":{"x":1}}`],
    ["has a constructor.prototype key", '{"constructor":{"prototype":{"x":1}}}'],
    ["is not UTF-8", Buffer.from([0x22, 0xff, 0xfe, 0x22])],
  ])("that %s is refused", async (_name, body) => {
    const answer = await post(body);
    expect(answer.statusCode).toBe(400);
    expect(answer.headers["content-type"]).toMatch(problemType);
    expect(answer.json()).toMatchObject({ code: "bad_request", retryable: false });
  });

  it("that is too large is refused", async () => {
    const answer = await post(JSON.stringify("x".repeat(1000)));
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([413, "body_too_large"]);
  });

  it("of another type is refused", async () => {
    for (const type of ["text/plain", "application/xml", "multipart/form-data; boundary=x", "json"]) {
      const answer = await post("{}", type);
      expect([type, answer.statusCode, answer.json<{ code: string }>().code]).toEqual([
        type,
        415,
        "unsupported_media_type",
      ]);
    }
  });
});

describe("bytes that are no HTTP", () => {
  it("get a problem document and a closed connection", async () => {
    await server.listen({ host: "127.0.0.1", port: 0 });
    const address = server.server.address();
    const socket = connect(typeof address === "object" ? address!.port : 0, "127.0.0.1");
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.write("NOT HTTP AT ALL\r\n\r\n");
    await once(socket, "close");
    const answer = Buffer.concat(parts).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(answer.split("\r\n\r\n")[1]!)).toMatchObject({ code: "bad_request" });
  });
});
