import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { HttpClient, HttpClientOptions, HttpRequest } from "../../src/sdk/http.ts";
import { createHttpClient } from "../../src/sdk/http-client.ts";
import type { HttpCall } from "../../src/sdk/http-call.ts";
import { parseRetryAfter } from "../../src/sdk/http-fault.ts";
import { serveBytes, serveHttp } from "../support/http-server.ts";

const now = Date.parse("2026-11-22T10:00:00Z");
const opened: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

async function listen(handler: RequestListener): Promise<string> {
  const server = await serveHttp(handler);
  opened.push(server.close);
  return server.url;
}

async function listenTcp(answer: string): Promise<string> {
  const server = await serveBytes(answer);
  opened.push(server.close);
  return server.url;
}

function clientOf(
  baseUrl: string,
  options: Partial<HttpClientOptions> = {},
  calls: HttpCall[] = [],
): HttpClient {
  const client = createHttpClient(
    { baseUrl, ...options },
    { now: () => now, retryDelayMs: 1, onCall: (call) => calls.push(call) },
  );
  opened.push(client.close);
  return client;
}

async function faultOf(client: HttpClient, request: Partial<HttpRequest> = {}): Promise<AppError> {
  const outcome = await client.request({ method: "POST", path: "/v1/things", ...request }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof AppError) return outcome;
  throw new Error(`expected an AppError, got ${String(outcome)}`);
}

const json = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
};

describe("a call that works", () => {
  it("sends JSON with headers and query and gives back status, headers and parsed JSON", async () => {
    let seen: IncomingMessage | undefined;
    let body = "";
    const base = await listen((request, response) => {
      seen = request;
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => json(response, 201, { id: "7" }, { "X-Thing": "yes" }));
    });
    const answer = await clientOf(`${base}/api/`, { headers: { authorization: "Bearer t0ken" } }).request({
      method: "POST",
      path: "/v1/things",
      query: { page: 2, name: "a b&c", none: undefined },
      headers: { "idempotency-key": "k1" },
      body: { name: "é" },
    });
    expect(answer).toMatchObject({ status: 201, body: { id: "7" }, headers: { "x-thing": "yes" } });
    expect(seen?.url).toBe("/api/v1/things?page=2&name=a+b%26c");
    expect(seen?.headers).toMatchObject({
      authorization: "Bearer t0ken",
      "idempotency-key": "k1",
      "content-type": "application/json",
      "user-agent": "deskbridge",
    });
    expect(body).toBe('{"name":"é"}');
  });

  it("sends a form when it is given one, and quotes nothing of it", async () => {
    let seen = "";
    const base = await listen((request, response) => {
      request.on("data", (chunk: Buffer) => (seen += `${request.headers["content-type"]} ${String(chunk)}`));
      request.on("end", () => json(response, 400, { error: { msg: "no such token: hush+hush" } }));
    });
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: "hush+hush" });
    const call = clientOf(base).request({ method: "POST", path: "/token", body });
    await expect(call).rejects.toThrow("no such token: [value]");
    expect(seen).toBe("application/x-www-form-urlencoded grant_type=refresh_token&refresh_token=hush%2Bhush");
  });

  it("gives an undefined body for an empty answer and hands over a status that the caller accepts", async () => {
    const base = await listen((request, response) => {
      if (request.url === "/empty") response.writeHead(204).end();
      else json(response, 404, { error: "none" });
    });
    const client = clientOf(base);
    await expect(client.request({ method: "DELETE", path: "/empty" })).resolves.toMatchObject({
      status: 204,
      body: undefined,
    });
    await expect(client.request({ method: "GET", path: "/x", accept: [404] })).resolves.toMatchObject({
      status: 404,
    });
  });

  it("unpacks gzip and keeps integers exact that a number cannot hold", async () => {
    const base = await listen((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync('{"id":9007199254740993}'));
    });
    const { body } = await clientOf(base).request({ method: "GET", path: "/" });
    expect(body).toEqual({ id: "9007199254740993" });
  });

  it("uses one connection for calls that follow each other", async () => {
    const ports = new Set<number | undefined>();
    const base = await listen((request, response) => {
      ports.add(request.socket.remotePort);
      json(response, 200, {});
    });
    const client = clientOf(base);
    for (let call = 0; call < 5; call += 1) await client.request({ method: "POST", path: "/", body: {} });
    expect(ports.size).toBe(1);
  });

  it("tells of each call on the wire without its query", async () => {
    const calls: HttpCall[] = [];
    const base = await listen((_request, response) => json(response, 200, {}));
    await clientOf(base, {}, calls).request({ method: "GET", path: "/v1/x?token=abc" });
    expect(calls).toMatchObject([{ method: "GET", path: "/v1/x", status: 200, code: undefined }]);
    expect(calls[0]?.durationMs).toBeGreaterThan(0);
  });
});

describe("classification by status", () => {
  const expected = [
    [301, "target_protocol"],
    [400, "target_rejected"],
    [401, "target_unauthorized"],
    [402, "target_rejected"],
    [403, "target_unauthorized"],
    [404, "target_not_found"],
    [408, "target_timeout"],
    [409, "target_conflict"],
    [410, "target_not_found"],
    [412, "target_conflict"],
    [422, "target_rejected"],
    [429, "target_rate_limited"],
    [500, "target_unavailable"],
    [503, "target_unavailable"],
  ] as const;

  it.each(expected)("a %i is %s", async (status, code) => {
    let asked = 0;
    const base = await listen((_request, response) => {
      asked += 1;
      json(response, status, { error: "why" }, { location: "/elsewhere" });
    });
    const fault = await faultOf(clientOf(base));
    expect(fault).toMatchObject({ code, details: { status, method: "POST", path: "/v1/things" } });
    expect(asked).toBe(1);
  });

  it("an error page of HTML is classified by its status and quotes nothing of it", async () => {
    const base = await listen((_request, response) => response.writeHead(502).end("<h1>private words</h1>"));
    const fault = await faultOf(clientOf(base));
    expect(fault.code).toBe("target_unavailable");
    expect(inspect(fault)).not.toContain("private words");
  });

  it("a 429 carries what Retry-After asks for", async () => {
    const base = await listen((_request, response) => json(response, 429, {}, { "retry-after": "7" }));
    expect(await faultOf(clientOf(base))).toMatchObject({ retry: "retry_after", retryAfterMs: 7000 });
  });
});

describe("Retry-After", () => {
  it("is read in seconds and as a date against the vendor's own clock", () => {
    expect(parseRetryAfter({ "retry-after": "2" }, now)).toBe(2000);
    expect(parseRetryAfter({ "retry-after": "0.5" }, now)).toBe(500);
    expect(parseRetryAfter({ "retry-after": "Sun, 22 Nov 2026 10:00:30 GMT" }, now)).toBe(30_000);
    const skewed = { "retry-after": "Sun, 22 Nov 2026 12:00:05 GMT", date: "Sun, 22 Nov 2026 12:00:00 GMT" };
    expect(parseRetryAfter(skewed, now)).toBe(5000);
  });

  it("is never negative, never over a day, and absent when it cannot be read", () => {
    expect(parseRetryAfter({ "retry-after": "Sun, 22 Nov 2020 10:00:30 GMT" }, now)).toBe(0);
    expect(parseRetryAfter({ "retry-after": "99999999" }, now)).toBe(24 * 3600 * 1000);
    for (const value of ["", "soon", "-3", "1e9"])
      expect(parseRetryAfter({ "retry-after": value }, now)).toBeUndefined();
    expect(parseRetryAfter({}, now)).toBeUndefined();
  });
});

describe("answers that break the protocol", () => {
  it.each([
    ["HTML instead of JSON", "HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n<html>\n</html>"],
    ["half a body", 'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"id": 1'],
    ["half a chunked body", 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{"id": 1'],
    ["half a JSON value", 'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{"id": 1'],
    ["something that is not HTTP", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["a broken gzip stream", "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd"],
  ])("%s is target_protocol", async (_what, answer) => {
    const fault = await faultOf(clientOf(await listenTcp(answer)));
    expect(fault.code).toBe("target_protocol");
  });

  it("an answer over the size limit is target_protocol and is not read to its end", async () => {
    const base = await listen((_request, response) => {
      const pump = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", pump);
      pump();
    });
    const fault = await faultOf(clientOf(base, { maxResponseBytes: 100_000 }));
    expect(fault).toMatchObject({ code: "target_protocol" });
    expect(fault.message).toContain("larger than allowed");
  });
});

describe("no answer", () => {
  it("a refused connection is target_unavailable", async () => {
    const base = await listen(() => undefined);
    for (const close of opened.splice(0)) await close();
    const fault = await faultOf(clientOf(base));
    expect(fault).toMatchObject({ code: "target_unavailable", details: { reason: "ECONNREFUSED" } });
  });

  it("a connection closed before the answer is target_unavailable", async () => {
    const base = await listen((request) => request.socket.destroy());
    expect((await faultOf(clientOf(base))).code).toBe("target_unavailable");
  });

  it("silence is target_timeout", async () => {
    const base = await listen(() => undefined);
    expect((await faultOf(clientOf(base, { timeoutMs: 30 }))).code).toBe("target_timeout");
  });

  it("a body that never ends is target_timeout although bytes keep coming", async () => {
    const base = await listen((_request, response) => {
      const timer = setInterval(() => response.write(" "), 5);
      response.on("close", () => clearInterval(timer));
    });
    expect((await faultOf(clientOf(base, { timeoutMs: 60 }))).code).toBe("target_timeout");
  });

  it("the caller's abort comes back as the caller's own reason", async () => {
    const base = await listen(() => undefined);
    const client = clientOf(base);
    const controller = new AbortController();
    const reason = new Error("shutting down");
    for (const method of ["POST", "GET"] as const) {
      const call = client.request({ method, path: "/", signal: controller.signal });
      setImmediate(() => controller.abort(reason));
      await expect(call).rejects.toBe(reason);
    }
  });

  it("the caller's own timeout signal is target_timeout", async () => {
    const base = await listen(() => undefined);
    const fault = await faultOf(clientOf(base), { signal: AbortSignal.timeout(20) });
    expect(fault.code).toBe("target_timeout");
  });
});

describe("repeats", () => {
  const failing = async (
    status: number,
    headers: Record<string, string> = {},
  ): Promise<[string, () => number]> => {
    let asked = 0;
    const base = await listen((_request, response) => {
      asked += 1;
      json(response, status, {}, headers);
    });
    return [base, () => asked];
  };

  it("a GET is tried three times on a server error, a write once", async () => {
    const [base, asked] = await failing(500);
    const client = clientOf(base);
    expect((await faultOf(client, { method: "GET" })).code).toBe("target_unavailable");
    expect(asked()).toBe(3);
    for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const) await faultOf(client, { method });
    expect(asked()).toBe(7);
  });

  it("a GET that works the second time gives its answer", async () => {
    let asked = 0;
    const base = await listen((_request, response) => {
      asked += 1;
      if (asked === 1) response.destroy();
      else json(response, 200, { asked });
    });
    await expect(clientOf(base).request({ method: "GET", path: "/" })).resolves.toMatchObject({
      body: { asked: 2 },
    });
  });

  it("a GET is not repeated when the target names its own pause or refuses", async () => {
    for (const [status, headers] of [
      [429, {}],
      [503, { "retry-after": "9" }],
      [404, {}],
      [401, {}],
    ] as const) {
      const [base, asked] = await failing(status, headers);
      await faultOf(clientOf(base), { method: "GET" });
      expect(asked()).toBe(1);
    }
  });
});

describe("what an error says", () => {
  it("quotes the vendor's error fields, shortened", async () => {
    const base = await listen((_request, response) =>
      json(response, 422, {
        errors: [{ message: "name is too long", extensions: { code: "LONG" } }],
        error: { details: { subject: ["can't be blank"] }, data: { channel: ["is unknown"] } },
        details: { requester: [{ description: "is suspended" }] },
        description: "z".repeat(1000),
        data: "a private field",
      }),
    );
    const fault = await faultOf(clientOf(base));
    expect(fault.message).toContain("name is too long");
    expect(fault.message).toContain("subject can't be blank");
    expect(fault.message).toContain("channel is unknown");
    expect(fault.message).toContain("is suspended");
    expect(fault.message.length).toBeLessThan(400);
    expect(fault.message).not.toContain("private");
  });

  it("holds no credential, no request body, no query and no personal data", async () => {
    const base = await listen((_request, response) =>
      json(response, 422, {
        message:
          "Bearer s3cr3t-token: 'Bob Norman' <bob@mail.example> +1 (502) 459-2181 sent hello-world-text",
      }),
    );
    const fault = await faultOf(clientOf(base, { headers: { authorization: "Bearer s3cr3t-token" } }), {
      path: "/v1/contacts/bob%40mail.example?key=qu3ry",
      headers: { "x-api-key": "other-secret" },
      body: { person: { name: "Bob Norman" }, text: "hello-world-text" },
    });
    const shown = inspect(fault, { depth: 20 }) + JSON.stringify(fault) + JSON.stringify(fault.details);
    expect(shown).toContain("/v1/contacts/[email]");
    for (const hidden of [
      "s3cr3t",
      "Norman",
      "mail.example",
      "459",
      "qu3ry",
      "other-secret",
      "hello-world",
    ]) {
      expect(shown).not.toContain(hidden);
    }
  });

  it("keeps nothing of axios's own error, which holds the request", async () => {
    const base = await listen((request) => request.socket.destroy());
    const fault = await faultOf(clientOf(base, { headers: { authorization: "Bearer s3cr3t" } }), {
      body: { a: "private" },
    });
    expect(fault.cause).toBeUndefined();
    expect(inspect(fault, { depth: 20 })).not.toMatch(/s3cr3t|private/);
  });
});
