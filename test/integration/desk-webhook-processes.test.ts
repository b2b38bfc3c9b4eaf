import { lookup } from "node:dns";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDesk } from "../../src/desk/desk.ts";
import { createWebhookAddresses } from "../../src/desk/webhook-address.ts";
import { createWebhookCaller } from "../../src/desk/webhook-call.ts";
import { openBullmqQueue } from "../../src/queue/bullmq.ts";
import type { TestRedis } from "../support/redis.ts";
import { startRedis } from "../support/redis.ts";
import type { WebhookReceiver } from "../support/webhook-receiver.ts";
import { openWebhookReceiver } from "../support/webhook-receiver.ts";
import type { WebhookStand } from "../support/webhook-stand.ts";
import { openWebhookStand } from "../support/webhook-stand.ts";

let redis: TestRedis;
let own: WebhookStand;

beforeAll(async () => {
  redis = await startRedis();
  own = await openWebhookStand({ redisUrl: redis.url });
});
afterAll(async () => {
  await own.close();
  await redis.stop();
});

/** A process's worth of sending, on the database and the Redis of the stand. */
async function anotherSender(): Promise<{ readonly close: () => Promise<void> }> {
  const logger = pino({ level: "silent" });
  const desk = await openDesk({
    databaseUrl: own.stand.databaseUrl,
    logger,
    now: Date.now,
    webhookAllowHosts: ["127.0.0.1"],
  });
  const queue = await openBullmqQueue({ redisUrl: redis.url, logger });
  const sending = await desk.sendWebhooks({ queue, random: () => 0.5 });
  return {
    close: async () => {
      await sending.close(1000);
      await queue.close();
      await desk.close();
    },
  };
}

function everyDelivered(receiver: WebhookReceiver, tickets: readonly string[], changes: number): void {
  for (const ticket of tickets) {
    const sequences = receiver.received
      .filter(({ body }) => body.ticket_id === ticket)
      .map(({ body }) => body.sequence);
    expect([ticket, sequences]).toEqual([ticket, [...sequences].sort()]);
    expect(new Set(sequences).size).toBe(changes);
  }
}

describe("webhooks on Redis, sent by several processes", () => {
  it("arrive once each, and in order within a ticket", async () => {
    const receiver = await openWebhookReceiver();
    const others = await Promise.all([anotherSender(), anotherSender(), anotherSender()]);
    const { id } = await own.subscribe(receiver.url, ["ticket.*", "message.*"]);
    const tickets = await Promise.all(
      Array.from({ length: 8 }, (_, index) => own.newTicket(`Ticket ${index}`)),
    );
    for (let round = 0; round < 6; round += 1) {
      await Promise.all(
        tickets.map((ticket) => own.ask("PATCH", `/v1/tickets/${ticket}`, { subject: `Round ${round}` })),
      );
    }
    await receiver.got(tickets.length * 8);
    await own.deliveries(id, (all) => expect(all.every(({ state }) => state === "delivered")).toBe(true));
    everyDelivered(receiver, tickets, 8);
    expect(receiver.received.length).toBe(tickets.length * 8);
    for (const other of others) await other.close();
    await own.ask("DELETE", `/v1/webhooks/${id}`);
    await receiver.close();
  });

  it("arrive although the queue lost all its jobs", async () => {
    const receiver = await openWebhookReceiver();
    const { id } = await own.subscribe(receiver.url, ["ticket.created"]);
    receiver.answerWith(() => 503);
    await own.newTicket("before");
    await receiver.got(1);
    await redis.kill9();
    receiver.answerWith(() => 204);
    await own.newTicket("meanwhile");
    await redis.restart();
    await own.deliveries(id, (all) =>
      expect(all.map(({ state }) => state)).toEqual(["delivered", "delivered"]),
    );
    await own.ask("DELETE", `/v1/webhooks/${id}`);
    await receiver.close();
  });

  it("are sent again when the process that had them died", async () => {
    const receiver = await openWebhookReceiver();
    const { id } = await own.subscribe(receiver.url, ["ticket.created"]);
    const client = new pg.Client({
      connectionString: own.stand.databaseUrl,
      options: "-c search_path=deskbridge_desk",
    });
    await client.connect();
    await client.query("update webhook set paused_until = now() + interval '1 hour'");
    await own.newTicket();
    await own.deliveries(id, (all) => expect(all.length).toBe(1));
    // Takes the delivery before anybody else can, and is not heard of again.
    await client.query("begin");
    await client.query("update webhook set paused_until = null");
    const { rows } = await client.query(
      "select * from take_webhook_deliveries($1, 10, 'of a dead one', now() + interval '2 seconds', now())",
      [Number(id.slice(4))],
    );
    await client.query("commit");
    expect(rows).toHaveLength(1);
    await receiver.got(1);
    const late = await client.query<{ settled: boolean }>(
      `select settle_webhook_delivery($1, 'of a dead one', '{"result": "failed", "log": {}}', now()) as settled`,
      [(rows[0] as { id: number }).id],
    );
    expect(late.rows[0]?.settled).toBe(false);
    await own.deliveries(id, ([one]) => expect(one).toMatchObject({ state: "delivered", attempts: 2 }));
    await client.end();
    await receiver.close();
  });
});

describe("the connection of a webhook", () => {
  it("goes to the address that was checked: the name is asked once, and anew for the next connection", async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.on("error", () => undefined).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const answers = ["127.0.0.1", "10.0.0.1"];
    const addresses = createWebhookAddresses(["127.0.0.1"], (_host, done) =>
      done(null, [{ address: answers.shift() ?? "", family: 4 }]),
    );
    const caller = createWebhookCaller({ addresses });
    const call = { url: `https://rebind.example:${port}/`, headers: {}, body: Buffer.from("{}") };
    expect((await caller.call(call)).error).not.toBe("refused_address");
    expect([connections, answers]).toEqual([1, ["10.0.0.1"]]);
    expect((await caller.call(call)).error).toBe("refused_address");
    expect([connections, answers]).toEqual([1, []]);
    caller.close();
    server.close();
  });

  it("is not made to a name that leads inside, nor to an address inside that was stored before", async () => {
    const receiver = await openWebhookReceiver();
    const inside = createWebhookAddresses([], (host, done) =>
      lookup(host, { all: true }, (error, found) => done(error, found)),
    );
    const caller = createWebhookCaller({ addresses: inside });
    const port = new URL(receiver.url).port;
    for (const url of [
      `http://127.0.0.1:${port}/`,
      `https://127.0.0.1:${port}/`,
      `https://localhost:${port}/`,
      `https://[::1]:${port}/`,
    ]) {
      const answer = await caller.call({ url, headers: {}, body: Buffer.from("{}") });
      expect([url, answer.error]).toEqual([url, "refused_address"]);
    }
    expect(receiver.received).toEqual([]);
    caller.close();
    await receiver.close();
  });
});
