import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { describe, expect, it, onTestFinished } from "vitest";
import type { DeskbridgeHome, DeskbridgeProcess } from "../support/deskbridge-process.ts";
import { deskbridgeHome } from "../support/deskbridge-process.ts";
import { freshDatabase } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import type { WebhookReceiver } from "../support/webhook-receiver.ts";
import { openWebhookReceiver } from "../support/webhook-receiver.ts";

const apiKey = "a-key-for-this-test-only";
type Json = Record<string, unknown>;

async function ask({ url }: DeskbridgeProcess, method: string, path: string, body?: object): Promise<Json> {
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  const answer = await fetch(`${url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  expect([path, answer.ok, text]).toEqual([path, true, text]);
  return JSON.parse(text) as Json;
}

interface Scene {
  readonly home: DeskbridgeHome;
  readonly receiver: WebhookReceiver;
  readonly config: string;
  readonly variables: Readonly<Record<string, string>>;
}

async function openScene(): Promise<Scene> {
  const home = await deskbridgeHome();
  onTestFinished(home.remove);
  const database = await freshDatabase();
  onTestFinished(database.drop);
  const receiver = await openWebhookReceiver();
  onTestFinished(receiver.close);
  const config = join(home.dataDir, "deskbridge.yaml");
  await writeFile(config, "connections: { desk: { use: deskbridge } }\nserver: { port: 0 }\n");
  const variables = {
    DATABASE_URL: database.url,
    DESKBRIDGE_API_KEY: apiKey,
    DESKBRIDGE_WEBHOOK_ALLOW_HOSTS: "127.0.0.1",
  };
  return { home, receiver, config, variables };
}

const ticket = {
  subject: "Late",
  requester: { email: "ada@example.com" },
  message: { text: "Where is it?" },
};

describe("webhooks of a real process", () => {
  it("that died while it sent them arrive from the next one, without a word in the log of what they say", async () => {
    const { home, receiver, config, variables } = await openScene();
    const first = await home.start({ config, variables });
    const hook = await ask(first, "POST", "/v1/webhooks", { url: receiver.url, events: ["*"] });
    receiver.answerWith(() => () => undefined);
    await ask(first, "POST", "/v1/tickets", ticket);
    await receiver.got(2);
    await first.kill9();
    receiver.answerWith(() => 204);
    const next = await home.start({ config, variables });
    await ask(next, "POST", "/v1/contacts", { email: "grace@example.com" });
    const wanted = ["contact.created", "ticket.created", "message.created", "contact.created"];
    await expect
      .poll(
        async () => {
          const log = (await ask(next, "GET", `/v1/webhooks/${String(hook.id)}/deliveries`)).data as Json[];
          return log.filter(({ state }) => state === "delivered").map(({ type }) => type);
        },
        { timeout: 60_000, interval: 250 },
      )
      .toEqual(wanted.toReversed());
    for (const { text, headers } of receiver.received) {
      new Webhook(String(hook.secret)).verify(text, headers as Record<string, string>);
    }
    const output = first.output() + next.output();
    for (const secret of [String(hook.secret).slice(6), "Where is it?", "ada@example.com"])
      expect(output).not.toContain(secret);
    const metrics = await (await fetch(`${next.url}/metrics`)).text();
    expect(metrics).toMatch(/deskbridge_webhook_attempts_total\{outcome="delivered"\} \d/);
    expect(metrics).toContain("deskbridge_webhooks_failing 0");
    expect(await next.stop()).toEqual({ code: 0, signal: null });
  });

  it("are sent by a worker beside the process that serves the API", async () => {
    const { home, receiver, config, variables } = await openScene();
    const redis = await startRedis();
    onTestFinished(redis.stop);
    const shared = { ...variables, REDIS_URL: redis.url };
    const serve = await home.start({ verb: "serve", config, variables: shared });
    await ask(serve, "POST", "/v1/webhooks", { url: receiver.url, events: ["ticket.*"] });
    await home.start({ verb: "work", config, variables: { ...shared, DESKBRIDGE_URL: serve.url } });
    await ask(serve, "POST", "/v1/tickets", ticket);
    await receiver.got(1);
    expect(receiver.received[0]?.body).toMatchObject({ type: "ticket.created", object: { subject: "Late" } });
  });
});
