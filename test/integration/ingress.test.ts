import { Agent, request } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { FastifyInstance } from "fastify";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../src/config/config.ts";
import type { Flow } from "../../src/flows/flow.ts";
import { createHttpServer } from "../../src/http/server.ts";
import { createIngress } from "../../src/ingress/ingress.ts";
import type { Engine, Setup } from "../../src/jobs/engine.ts";
import { createIntake } from "../../src/jobs/intake.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import type { Queue } from "../../src/queue/queue.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { noCrashPoint } from "../../src/telemetry/crash-point.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { failedFulfillment } from "../support/events.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";
import { signatureHeaders, signedWebhook } from "../support/signed-webhook.ts";

const secret = "a-secret-of-the-shop";
const maxWaitingAppends = 20;
const agent = new Agent({ keepAlive: true, maxSockets: 400 });

let database: FreshDatabase;
let proxy: TcpProxy;
let ledger: PostgresLedger;
let server: FastifyInstance;
let port: number;
let rings: string[];
let lines: string[];

beforeAll(async () => {
  database = await freshDatabase();
  proxy = await openTcpProxy(database.url);
  ledger = await openLedger({ databaseUrl: proxy.url, maxWaitingAppends, onError: () => {} });
});
afterAll(async () => {
  agent.destroy();
  await ledger.close();
  await proxy.close();
  await database.drop();
});
beforeEach(async () => {
  await ledger.pool.query(
    "truncate event, delivery, attempt, lane_lease, target_pause, source_cursor restart identity",
  );
  rings = [];
  lines = [];
  server = await startServer();
  // How often Node looks for requests that take too long; it has no option of its own once the server is made.
  Object.assign(server.server, { connectionsCheckingInterval: 50 });
  port = Number(new URL(await server.listen({ host: "127.0.0.1", port: 0 })).port);
});
afterEach(async () => {
  server.server.closeAllConnections();
  await server.close();
});

const flow: Flow = {
  name: "errors",
  position: { file: "test.yaml", line: 1, column: 1 },
  connections: ["shop"],
  events: ["fulfillment.failed"],
  target: "desk",
  lane: (event) => event.subject,
  when: () => ({ pass: true }),
  map: () => [],
};

async function startServer(): Promise<FastifyInstance> {
  const logger = createLogger({
    level: "debug",
    secrets: [secret],
    destination: { write: (line) => void lines.push(line) },
  });
  const metrics = createMetrics();
  const queue: Pick<Queue, "ring"> = {
    ring: (target, lanes) => void rings.push(...lanes.map((lane) => `${target} ${lane}`)),
  };
  const setup = { config: { flows: [flow] as readonly Flow[] } as Config };
  const engine: Partial<Engine> = {
    ledger,
    queue: queue as Queue,
    metrics,
    logger,
    setup: () => setup as Setup,
    now: Date.now,
    crashPoint: noCrashPoint,
  };
  const http = createHttpServer({ logger, maxBodyBytes: 1_000_000 });
  const webhook = signedWebhook(secret);
  await http.register(
    createIngress({
      webhookOf: (name) => (name === "shop" ? webhook : undefined),
      intake: createIntake(engine as Engine),
      metrics,
      logger,
      now: Date.now,
      maxBodyBytes: 1_000_000,
      crashPoint: noCrashPoint,
    }),
  );
  return http;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

function begin(headers: Record<string, string | number>): {
  readonly call: ClientRequest;
  readonly answer: Promise<Answer>;
} {
  const call = request({ host: "127.0.0.1", port, agent, method: "POST", path: "/hooks/shop", headers });
  const answer = new Promise<Answer>((resolve, reject) => {
    call.on("error", reject);
    call.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        });
      });
    });
  });
  return { call, answer };
}

async function post(events: readonly unknown[]): Promise<Answer> {
  const body = JSON.stringify(events);
  const { call, answer } = begin(signatureHeaders(secret, body, Date.now()));
  call.end(body);
  return answer;
}

async function storedIds(): Promise<string[]> {
  const { rows } = await ledger.pool.query<{ event_id: string }>(
    "select event_id from event order by sequence",
  );
  return rows.map((row) => row.event_id);
}

const event = (id: string, order = id): unknown => {
  const { source: _source, ...input } = failedFulfillment(id, order);
  return input;
};

describe("a signed webhook over HTTP", () => {
  it("is in the ledger with its delivery when the 202 comes, and its lane has been rung for", async () => {
    const answer = await post([event("e1", "1001")]);
    expect([answer.status, answer.body]).toEqual([202, '{"accepted":1,"duplicates":0}']);
    const { rows } = await ledger.pool.query(
      "select e.connection, e.event_id, e.via, d.flow, d.target, d.lane from event e join delivery d using (sequence)",
    );
    expect(rows).toEqual([
      {
        connection: "shop",
        event_id: "e1",
        via: "webhook",
        flow: "errors",
        target: "desk",
        lane: "order/1001",
      },
    ]);
    expect(rings).toEqual(["desk order/1001"]);
  });

  it("is accepted once when it comes twenty times at once", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => post([event("e1")])));
    expect(answers.map((answer) => answer.status).sort()).toEqual([
      ...Array.from({ length: 19 }, () => 200),
      202,
    ]);
    expect(await storedIds()).toEqual(["e1"]);
    expect(rings).toHaveLength(1);
  });

  it("keeps the order of the events of one request", async () => {
    const ids = Array.from({ length: 60 }, (_, index) => `e${index}`);
    expect((await post(ids.map((id) => event(id, "1")))).status).toBe(202);
    expect(await storedIds()).toEqual(ids);
  });

  it("is verified as a whole when it comes in many pieces", async () => {
    const body = Buffer.from(JSON.stringify([event("ä€𝄞")]));
    const { call, answer } = begin(signatureHeaders(secret, body, Date.now()));
    for (const byte of body) call.write(Buffer.from([byte]));
    call.end();
    expect((await answer).status).toBe(202);
    expect(await storedIds()).toEqual(["ä€𝄞"]);
  });
});

describe("with PostgreSQL away", () => {
  it("a webhook gets 503 with Retry-After, and 202 when PostgreSQL is back", async () => {
    await proxy.cut();
    const refused = await post([event("e1")]);
    expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "1"]);
    expect(JSON.parse(refused.body)).toMatchObject({ code: "ledger_unavailable", retryable: true });
    expect(rings).toEqual([]);
    await proxy.restore();
    expect((await post([event("e1")])).status).toBe(202);
    expect(await storedIds()).toEqual(["e1"]);
  });
});

describe("with PostgreSQL stuck", () => {
  it("past the appends that may wait a webhook gets 503 at once, and those waiting get their 202", async () => {
    const refused: Answer[] = [];
    const sent = await whileEventsAreLocked(async () => {
      const answers = Array.from({ length: 100 }, (_, index) => post([event(`e${index}`)]));
      for (const answer of answers) void answer.then((one) => one.status === 503 && refused.push(one));
      await expect.poll(() => refused.length, { timeout: 10_000 }).toBeGreaterThan(0);
      expect(ledger.waitingAppends()).toBe(maxWaitingAppends);
      return answers;
    });
    const accepted = (await Promise.all(sent)).filter((answer) => answer.status === 202);
    expect(accepted.length + refused.length).toBe(sent.length);
    for (const { headers, body } of refused) {
      expect(headers["retry-after"]).toBe("1");
      expect(JSON.parse(body)).toMatchObject({ code: "ledger_busy" });
    }
    expect(await storedIds()).toHaveLength(accepted.length);
  });
});

describe("a sender that misbehaves", () => {
  afterEach(async () => {
    expect((await post([event("after")])).status).toBe(202);
    expect(await storedIds()).toEqual(["after"]);
    expect(lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });

  it("with 20 MB gets 413, whether it says so beforehand or not", async () => {
    const megabyte = Buffer.alloc(1_000_000, "x");
    const told = begin({ "content-length": 20_000_000 });
    told.call.flushHeaders();
    expect((await told.answer).status).toBe(413);
    told.call.destroy();
    const untold = begin({ "transfer-encoding": "chunked" });
    untold.call.write(megabyte);
    untold.call.write(megabyte);
    expect((await untold.answer).status).toBe(413);
    untold.call.destroy();
  });

  it("that hangs up in the middle of the body leaves nothing behind", async () => {
    const { call, answer } = begin({ ...signatureHeaders(secret, "[]", Date.now()), "content-length": 1000 });
    const arrived = new Promise((resolve) => server.server.once("request", resolve));
    call.write("[");
    await arrived;
    call.destroy();
    await expect(answer).rejects.toThrow("socket hang up");
    await expect.poll(() => lines.filter((line) => line.includes("hung_up"))).toHaveLength(1);
  });

  it("that does not speak HTTP is answered and dropped", async () => {
    expect(await talk("HELO hooks\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
  });

  it.each([
    ["head", "POST /hooks/shop HTTP/1.1\r\nhost: x\r\nx-slow: "],
    ["body", "POST /hooks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n["],
  ])("that never ends its %s is cut off", async (_name, start) => {
    expect(server.server.requestTimeout).toBe(60_000);
    expect(server.server.headersTimeout).toBe(60_000);
    server.server.requestTimeout = 200;
    server.server.headersTimeout = 200;
    expect(await talk(start)).toMatch(/^HTTP\/1\.1 40[08] /);
  });
});

/** Sends bytes and gives back what comes until the server closes the connection. */
async function talk(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

async function whileEventsAreLocked<T>(run: () => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query("begin; lock table event in access exclusive mode");
    return await run();
  } finally {
    await client.query("commit");
    await client.end();
  }
}
