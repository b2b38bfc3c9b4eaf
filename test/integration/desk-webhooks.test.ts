import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Queue } from "../../src/queue/queue.ts";
import { openBullmqQueue } from "../../src/queue/bullmq.ts";
import { webhookBody } from "../../src/desk/schema-webhook.ts";
import type { WebhookSending } from "../../src/desk/webhooks.ts";
import { captureLog } from "../support/captured-log.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";
import type { WebhookReceiver } from "../support/webhook-receiver.ts";
import { openWebhookReceiver } from "../support/webhook-receiver.ts";

let stand: DeskStand;
let queue: Queue;
let sending: WebhookSending;
let receiver: WebhookReceiver;
const log = captureLog();

beforeAll(async () => {
  stand = await openDeskStand({ logger: log.logger, webhookAllowHosts: ["127.0.0.1"] });
  queue = await openBullmqQueue({ postgresUrl: stand.databaseUrl, logger: log.logger });
  sending = await stand.desk.sendWebhooks({ queue, random: () => 0.5 });
});
beforeEach(async () => {
  receiver = await openWebhookReceiver();
});
afterEach(() => receiver.close());
afterAll(async () => {
  await sending.close(1000);
  await queue.close();
  await stand.close();
});

type Json = Record<string, unknown>;

async function ask(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: object): Promise<Json> {
  const answer = await stand.send({ method, path, body });
  expect([path, answer.status < 300, answer.text]).toEqual([path, true, answer.text]);
  return answer.json as Json;
}

async function subscribe(
  events: string[],
  more: object = {},
): Promise<Json & { id: string; secret: string }> {
  const made = await ask("POST", "/v1/webhooks", { url: `${receiver.url}/hook`, events, ...more });
  return made as Json & { id: string; secret: string };
}

async function newTicket(subject = "Late"): Promise<string> {
  const requester = { email: "ada@example.com", name: "Ada" };
  const made = await ask("POST", "/v1/tickets", { subject, requester, message: { text: "Where is it?" } });
  return made.id as string;
}

describe("webhooks", () => {
  it("send what happens, signed, with the id and place of the feed and the object as it is", async () => {
    const hook = await subscribe(["ticket.*", "message.created"]);
    const { next_cursor: start } = await ask("GET", "/v1/changes?after=now");
    const ticket = await newTicket();
    await receiver.got(2);
    const feed = (await ask("GET", `/v1/changes?after=${String(start)}&types=ticket.*,message.*`))
      .data as Json[];
    for (const [index, request] of receiver.received.entries()) {
      new Webhook(hook.secret).verify(request.text, request.headers as Record<string, string>);
      const { timestamp, object, ...change } = webhookBody.parse(request.body);
      expect(change).toEqual(feed[index]);
      expect(timestamp).toBe(change.time);
      expect(request.id).toBe(change.id);
      expect(request.headers["content-type"]).toMatch(/^application\/json/);
      expect(object).toEqual(
        change.type === "ticket.created"
          ? await ask("GET", `/v1/tickets/${ticket}`)
          : ((await ask("GET", `/v1/tickets/${ticket}/messages`)).data as Json[])[0],
      );
    }
  });
});
