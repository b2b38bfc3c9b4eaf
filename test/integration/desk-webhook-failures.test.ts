import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { WebhookReceiver } from "../support/webhook-receiver.ts";
import { openWebhookReceiver } from "../support/webhook-receiver.ts";
import type { Json, WebhookStand } from "../support/webhook-stand.ts";
import { openWebhookStand } from "../support/webhook-stand.ts";

let own: WebhookStand;
let receiver: WebhookReceiver;
const day = 86_400_000;

beforeAll(async () => {
  own = await openWebhookStand({ timeLimitMs: 500 });
});
beforeEach(async () => {
  receiver = await openWebhookReceiver();
});
afterEach(async () => {
  for (const { id } of (await own.ask("GET", "/v1/webhooks")).data as { id: string }[]) {
    await own.ask("DELETE", `/v1/webhooks/${id}`);
  }
  own.stand.setNow(undefined);
  await receiver.close();
});
afterAll(() => own.close());

function everyIs(state: string, attempts: number): (deliveries: readonly Json[]) => void {
  return (deliveries) => {
    expect(deliveries.length).toBeGreaterThan(0);
    for (const one of deliveries) {
      expect(one).toMatchObject({ state, attempts });
      expect((one.log as Json[]).length).toBe(attempts);
    }
  };
}

async function status(webhook: string): Promise<Json> {
  return own.ask("GET", `/v1/webhooks/${webhook}`);
}

describe("a webhook whose receiver fails", () => {
  it("is tried by the clock for 72 hours, flagged meanwhile, given up in the log, and well again with a retry", async () => {
    const start = Date.now();
    own.stand.setNow(start);
    receiver.answerWith(() => 500);
    const { id } = await own.subscribe(receiver.url, ["ticket.created"]);
    await own.newTicket();
    let attempts = 1;
    let [last] = await own.deliveries(id, everyIs("pending", attempts));
    expect(await status(id)).toMatchObject({
      status: "failing",
      failing_since: new Date(start).toISOString(),
      enabled: true,
    });
    expect(own.log.lines().filter(({ msg }) => String(msg).includes("is failing"))).toMatchObject([
      { webhook: id, status: 500 },
    ]);
    while (last?.state === "pending") {
      const due = Date.parse(String(last.next_attempt_at));
      expect(due).toBeGreaterThan(start);
      expect(due).toBeLessThanOrEqual(start + 3 * day);
      own.stand.setNow(due - 1);
      await own.sending.sweep();
      own.stand.setNow(due);
      await own.sending.sweep();
      attempts += 1;
      [last] = await own.deliveries(id, ([one]) => expect(one?.log).toHaveLength(attempts));
    }
    expect(last).toMatchObject({ state: "failed", ended_at: new Date(start + 3 * day).toISOString() });
    expect(receiver.received.length).toBe(attempts);
    expect(new Set(receiver.received.map(({ id: event }) => event)).size).toBe(1);
    expect(attempts).toBeGreaterThan(15);
    expect(own.log.lines().filter(({ msg }) => String(msg).includes("given up"))).toHaveLength(1);
    expect(await status(id)).toMatchObject({ status: "failing", enabled: true });
    receiver.answerWith(() => 200);
    await own.ask("POST", `/v1/webhooks/${id}/deliveries/${String(last?.id)}/retry`);
    await own.deliveries(id, everyIs("delivered", attempts + 1));
    expect(await status(id)).toMatchObject({ status: "active", failing_since: null });
  });

  it("is switched off by 410, and sends what it kept when it is switched on again", async () => {
    receiver.answerWith(() => 410);
    const { id } = await own.subscribe(receiver.url, ["ticket.created"]);
    await own.newTicket();
    await own.deliveries(id, everyIs("pending", 1));
    expect(await status(id)).toMatchObject({ status: "disabled", enabled: false, disabled_reason: "gone" });
    await own.newTicket();
    await own.sending.sweep();
    receiver.answerWith(() => 204);
    await own.ask("PATCH", `/v1/webhooks/${id}`, { enabled: true });
    await receiver.got(3);
    const [first, second, third] = receiver.received.map((one) => one.id);
    expect([second, third]).toEqual([first, expect.not.stringMatching(String(first))]);
    expect(await status(id)).toMatchObject({ enabled: true, disabled_reason: null });
  });

  it("rests as a whole for as long as Retry-After says", async () => {
    const start = Date.now();
    own.stand.setNow(start);
    receiver.answerWith(() => (response) => void response.writeHead(429, { "retry-after": "90" }).end());
    const { id } = await own.subscribe(receiver.url, ["ticket.created"]);
    await own.newTicket();
    const [held] = await own.deliveries(id, everyIs("pending", 1));
    expect(Date.parse(String(held?.next_attempt_at))).toBe(start + 90_000);
    receiver.answerWith(() => 204);
    await own.newTicket();
    own.stand.setNow(start + 89_000);
    await own.sending.sweep();
    await own.ask("POST", `/v1/webhooks/${id}/test`);
    await receiver.got(2);
    expect(receiver.received[1]?.body.type).toBe("webhook.test");
    own.stand.setNow(start + 90_000);
    await own.sending.sweep();
    await receiver.got(4);
  });

  it("that answers late, redirects, or breaks off is tried again; a long answer is cut", async () => {
    const { id } = await own.subscribe(receiver.url, ["ticket.created"], { order: "none" });
    const elsewhere = await openWebhookReceiver();
    const cases: [string, Parameters<WebhookReceiver["answerWith"]>[0], Json][] = [
      ["late", () => () => undefined, { status: null, error: "timeout" }],
      [
        "redirect",
        () => (response) => void response.writeHead(307, { location: elsewhere.url }).end(),
        { status: 307 },
      ],
      ["broken", () => (response) => void response.destroy(), { status: null, error: "ECONNRESET" }],
      [
        "another protocol",
        () => (response) =>
          void response.socket?.end(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
          ),
        { status: null, error: "no_answer" },
      ],
      [
        "long",
        () => (response) => void response.writeHead(400).end("x".repeat(100_000)),
        { status: 400, answer: "x".repeat(4096) },
      ],
    ];
    for (const [what, answer, entry] of cases) {
      receiver.answerWith(answer);
      await own.newTicket(what);
      const [newest] = await own.deliveries(id, ([one]) => expect(one).toMatchObject({ log: [entry] }));
      expect([what, newest?.state]).toEqual([what, "pending"]);
    }
    // The first of them was said in the log, with its reason.
    expect(own.log.lines()).toContainEqual(expect.objectContaining({ webhook: id, reason: "timeout" }));
    expect(elsewhere.received).toEqual([]);
    await elsewhere.close();
  });

  it("in order, holds up what comes after of the same ticket, and nothing else", async () => {
    const bad = await own.newTicket("bad");
    const good = await own.newTicket("good");
    const start = Date.now();
    own.stand.setNow(start);
    receiver.answerWith(({ body }) => (body.ticket_id === bad ? 503 : 204));
    const { id } = await own.subscribe(receiver.url, ["ticket.*"]);
    const rename = (ticket: string, subject: string) =>
      own.ask("PATCH", `/v1/tickets/${ticket}`, { subject });
    for (const subject of ["1", "2", "3"]) {
      await rename(bad, subject);
      await rename(good, subject);
    }
    await own.deliveries(id, (all) => {
      expect(all.filter(({ state }) => state === "delivered").length).toBe(3);
      expect(all.filter(({ state }) => state === "pending").length).toBe(1);
      expect(all.filter(({ state }) => state === "waiting").length).toBe(2);
    });
    expect(receiver.received.filter(({ body }) => body.ticket_id === bad).length).toBe(1);
    expect((await status(id)).status).toBe("failing");
    receiver.answerWith(() => 204);
    own.stand.setNow(start + 10_000);
    await own.sending.sweep();
    await own.deliveries(id, (all) => expect(all.every(({ state }) => state === "delivered")).toBe(true));
    for (const ticket of [bad, good]) {
      const sequences = receiver.received
        .filter(({ body }) => body.ticket_id === ticket)
        .map(({ body }) => body.sequence);
      expect(sequences).toEqual([...sequences].sort());
      expect(new Set(sequences).size).toBe(3);
    }
    expect(await status(id)).toMatchObject({ status: "active", failing_since: null });
  });

  it("without order, holds up nothing", async () => {
    const ticket = await own.newTicket();
    let first = true;
    receiver.answerWith(() => {
      const answer = first ? 500 : 204;
      first = false;
      return answer;
    });
    own.stand.setNow(Date.now());
    const { id } = await own.subscribe(receiver.url, ["ticket.updated"], { order: "none" });
    await own.ask("PATCH", `/v1/tickets/${ticket}`, { subject: "1" });
    await receiver.got(1);
    await own.ask("PATCH", `/v1/tickets/${ticket}`, { subject: "2" });
    await own.deliveries(id, (all) =>
      expect(all.map(({ state }) => state)).toEqual(["delivered", "pending"]),
    );
  });
});
