import { afterEach, expect, it } from "vitest";
import connector from "../../connectors/zendesk/index.ts";
import type { DatasetName, Row } from "../../src/sdk/index.ts";
import { datasetCatalogue } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { openZendeskStub } from "../support/zendesk-stub.ts";

const start = Date.parse("2026-11-22T10:00:00Z");
const minute = 60_000;
const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function open(settings: object = {}) {
  const clock = { now: start };
  const now = (): number => clock.now;
  const stub = await openZendeskStub({ now, exportPage: 4, exportsPerMinute: 1000 });
  const context = createTestContext({ now });
  const given = { subdomain: "acme", accessToken: "good", apiUrl: stub.url, ...settings };
  const { datasets } = await connector.open(connector.config.parse(given), context);
  closers.push(context.close, stub.close);
  const read = async (dataset: DatasetName, after?: string) => {
    const rows: Row[] = [];
    let watermark = "";
    const { signal } = new AbortController();
    const columns = datasetCatalogue[dataset].columns.map(({ name }) => name);
    for await (const page of datasets?.read({ dataset, columns, after, signal }) ?? []) {
      for await (const { batch } of page.changes) rows.push(...batch.rows());
      ({ watermark } = page);
    }
    return { rows, watermark };
  };
  return { stub, clock, read };
}

it("a ticket and what is measured of it have the columns that every desk's have", async () => {
  const { stub, clock, read } = await open({ customFields: { reason: 360_001 } });
  const source = stub.agent.opens({ subject: "First" }, start);
  const ticket = Object.assign(stub.agent.opens({ subject: "Help", external_id: "order:1" }, start), {
    followUpOf: source.id,
    assigneeId: 1,
    rating: { score: "bad", comment: "Late" },
  });
  clock.now += 5 * minute;
  stub.agent.sets(ticket, { tags: ["late"], comment: { body: "On its way", public: true } });
  clock.now += 5 * minute;
  stub.agent.sets(ticket, { status: "solved", custom_fields: [{ id: 360_001, value: "damage" }] });
  clock.now += 2 * minute;
  const id = String(ticket.id);
  const tickets = await read("tickets");
  expect(tickets.rows.find((row) => row["id"] === id)).toMatchObject({
    status: "solved",
    channel: "api",
    assignee: "1",
    tags: ["late"],
    custom_fields: { reason: "damage" },
    refs: [{ source: "external_id", external_id: "order:1" }],
    reason: "damage",
    csat_score: 1,
    csat_comment: "Late",
    follow_up_of: String(source.id),
    created_at: "2026-11-22T10:00:00Z",
    closed_at: "2026-11-22T10:10:00Z",
  });
  const metrics = await read("ticket_metrics");
  expect(metrics.rows.find((row) => row["ticket_id"] === id)).toMatchObject({
    first_reply_seconds: 300,
    full_resolution_business_seconds: 600,
    resolved_at: "2026-11-22T10:10:00Z",
    replies: 1,
    reopens: 0,
    one_touch: true,
    csat_score: 1,
  });
});

it("a comment says who wrote it: an end user, an agent, or somebody who is gone", async () => {
  const { stub, clock, read } = await open();
  const customer = stub.setUser({ email: "ada@example.com", name: "Ada" }, start);
  const agent = stub.setUser({ email: "kim@example.com", name: "Kim", role: "agent" }, start);
  const ticket = stub.agent.opens({ subject: "Help" }, start);
  for (const [author_id, isPublic] of [
    [customer.id, true],
    [agent.id, false],
    [999_999, true],
  ] as const) {
    stub.agent.sets(ticket, { comment: { body: "Said", public: isPublic, author_id } });
  }
  clock.now += 2 * minute;
  const { rows } = await read("messages");
  expect(rows).toMatchObject([
    { direction: "inbound", author_type: "contact", author_name: "Ada", visibility: "public" },
    { direction: "outbound", author_type: "agent", author_name: "Kim", visibility: "internal" },
    { direction: "inbound", author_type: "contact", author_name: null, author_id: "999999" },
  ]);
  expect(stub.calls.filter(({ path }) => path.endsWith("/show_many"))).toHaveLength(1);
});

it("an end user who becomes an agent is no contact any more", async () => {
  const { stub, clock, read } = await open();
  const user = stub.setUser({ email: "ada@example.com", name: "Ada" }, start);
  clock.now += 2 * minute;
  const { rows, watermark } = await read("contacts");
  expect(rows).toMatchObject([{ id: String(user.id), email: "ada@example.com" }]);
  stub.setUser({ email: "ada@example.com", role: "agent" }, clock.now);
  clock.now += 2 * minute;
  expect((await read("contacts", watermark)).rows).toEqual([{ id: String(user.id) }]);
});

it("a pause that the export asks for is waited out, a longer one is told", async () => {
  const { stub, read, clock } = await open();
  stub.agent.opens({ subject: "Help" }, start);
  clock.now += 2 * minute;
  const path = /incremental/;
  stub.answerNext("GET", path, { status: 429, body: {}, headers: { "retry-after": "0" } });
  expect((await read("tickets")).rows).toHaveLength(1);
  stub.answerNext("GET", path, { status: 429, body: {}, headers: { "retry-after": "900" } });
  await expect(read("tickets")).rejects.toMatchObject({ code: "target_rate_limited", retryAfterMs: 900_000 });
});

it("a watermark of something else is refused", async () => {
  const { read } = await open();
  await expect(read("contacts", "{}]")).rejects.toMatchObject({ code: "target_rejected" });
});
