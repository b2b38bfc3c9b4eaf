import { describe, expect, it } from "vitest";
import connector from "../../connectors/zendesk/index.ts";
import type { EventInput } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { openZendeskBench } from "../support/zendesk-bench.ts";
import type { ZendeskBench } from "../support/zendesk-bench.ts";
import { readZendeskContract } from "../support/zendesk-contract.ts";
import { hookBody, hookComment, hookRequest } from "../support/zendesk-webhooks.ts";

const start = Date.parse("2026-11-22T10:00:00Z");

async function receive(body: object): Promise<readonly EventInput[]> {
  const config = connector.config.parse({ subdomain: "acme", accessToken: "good", webhookSecret: "hush" });
  const { webhook } = await connector.open(config, createTestContext());
  const request = hookRequest({ body: Buffer.from(JSON.stringify(body)), secret: "hush", at: start });
  webhook!.verify(request);
  return webhook!.parse(request);
}

async function poll({ connect }: ZendeskBench): Promise<readonly EventInput[]> {
  const { signal } = new AbortController();
  const events: EventInput[] = [];
  const { tickets } = (await connect()).sources!;
  for await (const page of tickets!.read({ cursor: undefined, signal })) events.push(...page.events);
  return events;
}

describe("what zendesk's webhooks say", () => {
  it("of a comment of the customer's is a message, the ticket and its key with it", async () => {
    const [message] = await receive(hookBody("comment_added", hookComment()));
    expect(message).toMatchObject({
      id: "message/9876543210",
      type: "message.created",
      subject: "ticket/5158",
      time: "2026-11-22T09:59:30.312Z",
      data: {
        message: { direction: "inbound", visibility: "public", author: "contact", text: "Where is it?" },
        ticket: { key: "fulfillment:7", status: "open", priority: "high", tags: ["fulfillment-error"] },
        contact: { id: "8447388090490" },
      },
    });
  });

  it("of a note of an agent's is internal and outbound", async () => {
    const comment = hookComment({ is_public: false, author: { id: "1", is_staff: true, name: "Eve" } });
    const [message] = await receive(hookBody("comment_added", comment));
    expect(message?.data).toMatchObject({
      message: { direction: "outbound", visibility: "internal", author: "agent" },
    });
  });

  it("of one action in several requests is one change of the ticket", async () => {
    const bodies = [
      hookBody("priority_changed", { current: "HIGH", previous: null }),
      hookBody("tags_changed", { tags_added: ["late"], tags_removed: [] }),
      hookBody("comment_added", hookComment()),
    ];
    const events = (await Promise.all(bodies.map(receive))).flat();
    const changes = events.filter(({ type }) => type === "ticket.updated").map(({ id }) => id);
    expect(new Set(changes)).toEqual(new Set(["ticket/5158/updated/2026-11-22T09:59:30Z"]));
  });

  it("of a ticket without what the vendor documents is refused with the place", async () => {
    await expect(receive(hookBody("created", {}, { id: null }))).rejects.toMatchObject({
      code: "webhook_malformed",
      message: expect.stringContaining("detail.id") as string,
    });
    await expect(receive(hookBody("comment_added", {}))).rejects.toMatchObject({ code: "webhook_malformed" });
  });
});

describe("what zendesk's export says", () => {
  it("has the same identities as the webhooks about the same things", async () => {
    const bench = await openZendeskBench({}, readZendeskContract());
    const { stub, wait } = bench;
    const ticket = stub.agent.opens({ subject: "Help", external_id: "k" }, start);
    const createdAt = "2026-11-22T10:00:00Z";
    wait(600);
    stub.agent.sets(ticket, { status: "solved" });
    wait(600);
    const detail = {
      id: String(ticket.id),
      created_at: createdAt,
      updated_at: "2026-11-22T10:10:00Z",
      status: "SOLVED",
    };
    const told = [
      ...(await receive(hookBody("created", {}, { ...detail, updated_at: createdAt }))),
      ...(await receive(hookBody("status_changed", { current: "SOLVED", previous: "NEW" }, detail))),
    ];
    const polled = await poll(bench);
    expect(polled.map(({ id }) => id).toSorted()).toEqual(told.map(({ id }) => id).toSorted());
    expect(polled.map(({ type }) => type)).toEqual(["ticket.created", "ticket.closed", "ticket.updated"]);
    await bench.close();
  });

  it("does not tell again of what happened long before, nor of tickets that are gone", async () => {
    const bench = await openZendeskBench();
    const { stub, wait } = bench;
    const [old, gone] = [
      stub.agent.opens({ subject: "Old" }, start),
      stub.agent.opens({ subject: "Gone" }, start),
    ];
    wait(30 * 24 * 3600);
    stub.agent.sets(old, { tags: ["late"] });
    stub.agent.deletes(gone);
    wait(600);
    expect((await poll(bench)).map(({ type, subject }) => `${type} ${subject}`)).toEqual([
      `ticket.updated ticket/${old.id}`,
    ]);
    await bench.close();
  });

  it("is waited for when the vendor asks for a pause, and asked no more than it takes", async () => {
    const bench = await openZendeskBench();
    const { stub, wait } = bench;
    stub.agent.opens({ subject: "Help" }, start);
    wait(600);
    stub.answerNext("GET", /cursor/, { status: 429, body: {}, headers: { "retry-after": "0" } });
    expect(await poll(bench)).toHaveLength(1);
    stub.answerNext("GET", /cursor/, { status: 429, body: {}, headers: { "retry-after": "600" } });
    await expect(poll(bench)).rejects.toMatchObject({ code: "target_rate_limited", retryAfterMs: 600_000 });
    await bench.close();
  });
});
