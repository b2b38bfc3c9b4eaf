import type { RequestListener } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { HttpClient, HttpClientOptions, HttpStream } from "../../src/sdk/http.ts";
import { createHttpClient } from "../../src/sdk/http-client.ts";
import type { HttpCall, HttpClientDeps } from "../../src/sdk/http-call.ts";
import { serveBytes, serveHttp } from "../support/http-server.ts";

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
  deps: Partial<HttpClientDeps> = {},
): HttpClient {
  const client = createHttpClient({ baseUrl, ...options }, { now: Date.now, retryDelayMs: 1, ...deps });
  opened.push(client.close);
  return client;
}

async function textOf({ body }: HttpStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function codeOf(run: Promise<unknown>): Promise<unknown> {
  const fault = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  return fault instanceof AppError ? fault.code : fault;
}

const get = { method: "GET", path: "/rows" } as const;

describe("an answer as a stream", () => {
  it("gives headers at once and the bytes as they come", async () => {
    let goOn = (): void => undefined;
    const base = await listen((_request, response) => {
      response.writeHead(200, { "content-type": "text/csv", "x-next": "7" });
      response.write("1,a\n");
      goOn = () => response.end("2,b\n");
    });
    const calls: HttpCall[] = [];
    const answer = await clientOf(base, {}, { onCall: (call) => calls.push(call) }).stream(get);
    expect(answer).toMatchObject({ status: 200, headers: { "content-type": "text/csv", "x-next": "7" } });
    expect(calls).toEqual([]);
    goOn();
    expect(await textOf(answer)).toBe("1,a\n2,b\n");
    expect(calls).toMatchObject([{ method: "GET", path: "/rows", status: 200, code: undefined }]);
  });

  it("may be larger than a whole answer and longer than a call, as long as it keeps coming", async () => {
    const base = await listen((_request, response) => {
      let left = 5;
      const timer = setInterval(() => {
        left -= 1;
        response.write("x".repeat(1000));
        if (left === 0) {
          clearInterval(timer);
          response.end();
        }
      }, 60);
    });
    const answer = await clientOf(base, { timeoutMs: 200, maxResponseBytes: 10 }).stream(get);
    expect(await textOf(answer)).toHaveLength(5000);
  });

  it("is not read ahead of its reader", async () => {
    let sent = 0;
    const chunk = Buffer.alloc(64 * 1024);
    const base = await listen((_request, response) => {
      const write = (): void => {
        while (sent < 200 && response.write(chunk)) sent += 1;
        if (sent >= 200) response.end();
      };
      response.on("drain", write);
      write();
    });
    const answer = await clientOf(base).stream(get);
    const chunks = answer.body[Symbol.asyncIterator]();
    await chunks.next();
    // Whatever the sockets hold is far from all of it.
    expect(sent).toBeLessThan(190);
    await chunks.return?.();
  });

  it("asks for nothing compressed and keeps the caller's own headers", async () => {
    let seen: Record<string, unknown> = {};
    const base = await listen((request, response) => {
      seen = request.headers;
      response.end("ok");
    });
    const client = clientOf(base, { headers: { authorization: "Bearer t0ken" } });
    await textOf(await client.stream({ ...get, headers: { accept: "text/csv" } }));
    expect(seen).toMatchObject({
      authorization: "Bearer t0ken",
      accept: "text/csv",
      "accept-encoding": "identity",
    });
  });
});

describe("an answer that breaks off", () => {
  it.each([
    ["before its length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1,a\n"],
    ["before its last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1,a\n\r\n"],
    ["within a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n1,a\n"],
  ])("%s is no short answer but target_protocol", async (_name, bytes) => {
    const calls: HttpCall[] = [];
    const client = clientOf(await listenTcp(bytes), {}, { onCall: (call) => calls.push(call) });
    const answer = await client.stream(get);
    expect(await codeOf(textOf(answer))).toBe("target_protocol");
    expect(calls).toMatchObject([{ status: 200, code: "target_protocol" }]);
  });

  it("whose end nobody could tell is refused", async () => {
    const client = clientOf(await listenTcp("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n1,a\n"));
    expect(await codeOf(client.stream(get))).toBe("target_protocol");
  });

  it("by saying nothing any more is target_timeout", async () => {
    const base = await listen((_request, response) => void response.write("1,a\n"));
    const answer = await clientOf(base).stream({ ...get, silenceMs: 50 });
    expect(await codeOf(textOf(answer))).toBe("target_timeout");
  });

  it("because the caller aborted fails with the caller's reason, read or not", async () => {
    const base = await listen((_request, response) => void response.write("1,a\n"));
    const reason = new Error("enough");
    const stop = new AbortController();
    const answer = await clientOf(base).stream({ ...get, signal: stop.signal });
    const chunks = answer.body[Symbol.asyncIterator]();
    await chunks.next();
    stop.abort(reason);
    expect(await codeOf(chunks.next())).toBe(reason);
    expect(await codeOf(clientOf(base).stream({ ...get, signal: stop.signal }))).toBe(reason);
  });
});

describe("a reader who has enough", () => {
  it("ends the connection, also without having read anything", async () => {
    let closed = 0;
    const gone: (() => void)[] = [];
    const waits = [0, 1].map(() => new Promise<void>((resolve) => gone.push(resolve)));
    const base = await listen((_request, response) => {
      response.write("1,a\n");
      response.once("close", () => gone[closed++]?.());
    });
    const client = clientOf(base);
    const read = (await client.stream(get)).body[Symbol.asyncIterator]();
    await read.next();
    await read.return?.();
    await waits[0];
    await (await client.stream(get)).body[Symbol.asyncIterator]().return?.();
    await waits[1];
    expect(closed).toBe(2);
  });
});

describe("an answer that is a refusal", () => {
  it.each([
    [401, "target_unauthorized", "not like this"],
    [404, "target_not_found", "not like this"],
    [400, "target_rejected", "not like this"],
    [302, "target_protocol", "a redirect"],
  ])("with %i is %s, with the target's words", async (status, code, words) => {
    const base = await listen((_request, response) => {
      response.writeHead(status, { "content-type": "application/json" }).end('{"detail":"not like this"}');
    });
    const fault: unknown = await clientOf(base)
      .stream(get)
      .catch((error: unknown) => error);
    expect(fault).toMatchObject({ code });
    expect((fault as AppError).message).toContain(words);
  });

  it("with 503 is asked for again, within the budget", async () => {
    let asked = 0;
    let granted = 0;
    const base = await listen((_request, response) => {
      asked += 1;
      if (asked < 3) response.writeHead(503).end();
      else response.end("1,a\n");
    });
    const gate = {
      take: async () => void (granted += 1),
      giveBack: () => undefined,
      learn: () => undefined,
    };
    const answer = await clientOf(base, {}, { gate: () => gate }).stream(get);
    expect(await textOf(answer)).toBe("1,a\n");
    expect([asked, granted]).toEqual([3, 3]);
  });

  it("with 429 tells the budget for how long", async () => {
    const learned: unknown[] = [];
    const base = await listen(
      (_request, response) => void response.writeHead(429, { "retry-after": "7" }).end(),
    );
    const gate = {
      take: async () => undefined,
      giveBack: () => undefined,
      learn: (reading: unknown) => void learned.push(reading),
    };
    const run = clientOf(base, {}, { gate: () => gate }).stream(get);
    expect(await codeOf(run)).toBe("target_rate_limited");
    expect(learned).toEqual([{ retryAfterMs: 7000 }]);
  });

  it("that never comes is target_timeout", async () => {
    const base = await listen(() => undefined);
    expect(await codeOf(clientOf(base, { timeoutMs: 50 }).stream(get))).toBe("target_timeout");
  });
});
