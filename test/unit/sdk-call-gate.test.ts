import type { RequestListener } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import type { CallPriority } from "../../src/sdk/call-context.ts";
import { runWithCallContext } from "../../src/sdk/call-context.ts";
import { toAppError } from "../../src/errors.ts";
import type { CallGate } from "../../src/sdk/call-gate.ts";
import { isGivenUp } from "../../src/sdk/call-gate.ts";
import { createHttpClient } from "../../src/sdk/http-client.ts";
import type { HttpClient, HttpClientOptions, RateReading } from "../../src/sdk/http.ts";
import { usedOfLimitHeader } from "../../src/sdk/rate-headers.ts";
import { serveHttp } from "../support/http-server.ts";

const now = Date.parse("2026-11-22T10:00:00Z");
const opened: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

/** A gate that is open, or closed until it is told otherwise, and notes what goes on at it. */
function noteGate() {
  const log: string[] = [];
  const learned: RateReading[] = [];
  let turn: Promise<void> | undefined;
  const gate: CallGate = {
    take: async (weight, priority: CallPriority, signal) => {
      log.push(`take ${weight} ${priority}`);
      if (turn === undefined) return;
      const { promise, reject } = Promise.withResolvers<void>();
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      await Promise.race([turn, promise]);
    },
    giveBack: (weight) => void log.push(`back ${weight}`),
    learn: (reading) => void learned.push(reading),
  };
  const close = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    turn = promise;
    return resolve;
  };
  return { gate, log, learned, close };
}

async function clientTo(
  handler: RequestListener,
  gate: CallGate | undefined,
  options: Partial<HttpClientOptions> = {},
): Promise<HttpClient> {
  const server = await serveHttp(handler);
  const client = createHttpClient(
    { baseUrl: server.url, ...options },
    { now: () => now, retryDelayMs: 1, gate: () => gate },
  );
  opened.push(async () => {
    client.close();
    await server.close();
  });
  return client;
}

const answering =
  (status: number, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, headers).end("{}");

describe("a call to an account with a rate limit", () => {
  it("takes its weight from the budget, as live unless something else is said", async () => {
    const { gate, log } = noteGate();
    const weight = ({ method, path }: { method: string; path: string }) =>
      path === "/token" ? 0 : method === "GET" ? 1 : 2;
    const client = await clientTo(answering(200), gate, { budget: { weight } });
    await client.request({ method: "GET", path: "/one" });
    await client.request({ method: "POST", path: "/token" });
    await runWithCallContext({ priority: "export" }, async () => {
      await Promise.resolve();
      await client.request({ method: "POST", path: "/two" });
    });
    expect(log).toEqual(["take 1 live", "take 2 export"]);
  });

  it("is counted anew for each repeat", async () => {
    const { gate, log } = noteGate();
    const client = await clientTo(answering(500), gate);
    await expect(client.request({ method: "GET", path: "/" })).rejects.toMatchObject({
      code: "target_unavailable",
    });
    expect(log).toEqual(["take 1 live", "take 1 live", "take 1 live"]);
  });

  it("waits for as long as it takes: its own time begins when it is sent", async () => {
    const { gate, close } = noteGate();
    const open = close();
    const client = await clientTo(answering(200), gate, { timeoutMs: 60 });
    setTimeout(open, 150);
    await expect(client.request({ method: "GET", path: "/" })).resolves.toMatchObject({ status: 200 });
  });

  it("is not sent when its caller has no more time, and says so rather than that the outcome is unknown", async () => {
    const { gate, close } = noteGate();
    close();
    let asked = 0;
    const client = await clientTo(() => (asked += 1), gate);
    const signal = AbortSignal.timeout(20);
    await expect(client.request({ method: "POST", path: "/a?b=c", signal })).rejects.toMatchObject({
      code: "target_rate_limited",
      message: "POST /a: no room in the rate budget in time; nothing was sent",
    });
    const abort = new AbortController();
    const call = client.request({ method: "POST", path: "/", signal: abort.signal });
    abort.abort(new Error("going down"));
    await expect(call).rejects.toThrow("going down");
    expect(asked).toBe(0);
  });
});

describe("a call whose maker is about to leave", () => {
  it("gives up its place in the line, and says that nothing was sent", async () => {
    const { gate, close } = noteGate();
    close();
    let asked = 0;
    const client = await clientTo(() => (asked += 1), gate);
    const leaving = new AbortController();
    const call = runWithCallContext({ priority: "live", leaving: leaving.signal }, () =>
      client.request({ method: "POST", path: "/a?b=c", signal: new AbortController().signal }),
    );
    leaving.abort();
    const error = await call.then(
      () => undefined,
      (thrown: unknown) => toAppError(thrown),
    );
    expect(error?.message).toBe("POST /a: given up before its turn; nothing was sent");
    expect(error !== undefined && isGivenUp(error)).toBe(true);
    expect(asked).toBe(0);
  });

  it("goes on once it has its turn", async () => {
    const leaving = new AbortController();
    const answer: RequestListener = (_request, response) => {
      leaving.abort();
      response.end("{}");
    };
    const client = await clientTo(answer, noteGate().gate);
    const call = runWithCallContext({ priority: "live", leaving: leaving.signal }, () =>
      client.request({ method: "POST", path: "/" }),
    );
    expect(await call).toMatchObject({ status: 200 });
  });
});

describe("the check before a call", () => {
  it("comes after the budget and before the request, for each call, budget or none", async () => {
    const { gate, log } = noteGate();
    const handler: RequestListener = (_request, response) => {
      log.push("sent");
      response.end("{}");
    };
    const context = { priority: "live", beforeCall: async () => void log.push("check") } as const;
    for (const client of [await clientTo(handler, gate), await clientTo(handler, undefined)]) {
      await runWithCallContext(context, () => client.request({ method: "POST", path: "/" }));
    }
    expect(log).toEqual(["take 1 live", "check", "sent", "check", "sent"]);
  });

  it("that fails keeps the request from being sent and gives its budget back", async () => {
    const { gate, log } = noteGate();
    const client = await clientTo(() => log.push("sent"), gate);
    const beforeCall = () => {
      throw new Error("lease lost");
    };
    const call = runWithCallContext({ priority: "backfill", beforeCall }, () =>
      client.request({ method: "GET", path: "/" }),
    );
    await expect(call).rejects.toThrow("lease lost");
    expect(log).toEqual(["take 1 backfill", "back 1"]);
  });
});

describe("what an answer says about the limit", () => {
  const learnedFrom = async (
    status: number,
    headers: Record<string, string>,
    budget?: HttpClientOptions["budget"],
  ): Promise<readonly RateReading[]> => {
    const { gate, learned } = noteGate();
    const client = await clientTo(answering(status, headers), gate, budget === undefined ? {} : { budget });
    await client.request({ method: "POST", path: "/", accept: [429] });
    return learned;
  };
  const read = usedOfLimitHeader("x-call-limit");

  it("is learned, where the connector reads it", async () => {
    expect(await learnedFrom(200, { "x-call-limit": "10/40" }, { read })).toEqual([
      { limit: 40, remaining: 30 },
    ]);
    expect(await learnedFrom(200, { "x-call-limit": "10/40" })).toEqual([]);
  });

  it("closes the account on a 429 for as long as was said, or a moment", async () => {
    expect(await learnedFrom(429, { "retry-after": "7" })).toEqual([{ retryAfterMs: 7_000 }]);
    expect(await learnedFrom(429, { "retry-after": "7", "x-call-limit": "40/40" }, { read })).toEqual([
      { limit: 40, remaining: 0, retryAfterMs: 7_000 },
    ]);
    expect(await learnedFrom(429, {})).toEqual([{ retryAfterMs: 5_000 }]);
    expect(await learnedFrom(429, {}, { read: () => ({ remaining: 0, resetMs: 900 }) })).toEqual([
      { remaining: 0, resetMs: 900, retryAfterMs: 900 },
    ]);
  });

  it("leaves the account open on a 429 that the connector knows to be about something smaller", async () => {
    expect(await learnedFrom(429, { "retry-after": "7" }, { read: () => ({ retryAfterMs: 0 }) })).toEqual([
      { retryAfterMs: 0 },
    ]);
  });
});
