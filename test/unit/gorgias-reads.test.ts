import { describe, expect, it } from "vitest";
import { integrationBody } from "../../connectors/gorgias/check.ts";
import { triggers } from "../../connectors/gorgias/webhook.ts";
import type { Cursor, EventInput, Page, Source } from "../../src/sdk/index.ts";
import type { GorgiasBench } from "../support/gorgias-bench.ts";
import { openGorgiasBench } from "../support/gorgias-bench.ts";

const hourMs = 3_600_000;

async function readAll(source: Source, cursor?: Cursor, onPage?: (page: Page) => void): Promise<Page[]> {
  const { signal } = new AbortController();
  const pages: Page[] = [];
  for await (const page of source.read({ cursor, signal })) {
    pages.push(page);
    onPage?.(page);
  }
  return pages;
}

const eventsOf = (pages: readonly Page[]): EventInput[] => pages.flatMap(({ events }) => events);

function sourceOf({ connection }: GorgiasBench): Source {
  return connection.sources!["tickets"]!;
}

describe("reading Gorgias's tickets", () => {
  it("hands out a scan of more pages than are kept in order and without a gap", async () => {
    const bench = await openGorgiasBench();
    const { stub, clock } = bench;
    stub.behaviour.pageSize = 3;
    const ids = Array.from(
      { length: 200 },
      (_, index) => stub.addTicket({ at: clock.ms - hourMs + index * 700 }).id,
    );
    const events = eventsOf(await readAll(sourceOf(bench)));
    expect(events.map(({ subject }) => subject)).toEqual(ids.map((id) => `ticket/${id}`));
    // Down once, and the newer pages again on the way up.
    expect(bench.calls().length).toBeLessThan(67 + 2 * 17 + 2);
  });

  it("does not lose a ticket that changes while the list is read", async () => {
    const bench = await openGorgiasBench();
    const { stub, clock } = bench;
    stub.behaviour.pageSize = 2;
    const tickets = Array.from({ length: 10 }, (_, index) =>
      stub.addTicket({ at: clock.ms - hourMs + index * 1000 }),
    );
    const source = sourceOf(bench);
    const moved = tickets[3]!;
    let changed = false;
    const first = await readAll(source, undefined, () => {
      if (!changed) moved.updated_datetime = stub.state.timestamp();
      changed = true;
    });
    clock.ms += 60_000;
    const second = eventsOf(await readAll(source, first.at(-1)?.cursor));
    const told = [...eventsOf(first), ...second].filter(({ subject }) => subject === `ticket/${moved.id}`);
    expect(told.map(({ type }) => type)).toContain("ticket.updated");
    expect(new Set(eventsOf(first).map(({ subject }) => subject)).size).toBeGreaterThanOrEqual(9);
  });

  it("tells what the state of a ticket stands for, and nothing of the trash", async () => {
    const bench = await openGorgiasBench();
    const { stub, clock } = bench;
    const at = clock.ms - hourMs;
    const updated = {
      at,
      created_datetime: "2026-01-01T00:00:00.000001",
      priority: "critical",
      tags: [{ name: "vip" }],
    };
    const closed = stub.addTicket({
      ...updated,
      status: "closed",
      closed_datetime: stub.state.timestamp(at - 1000),
      external_id: "k",
    });
    stub.addTicket({ at, trashed_datetime: stub.state.timestamp(at) });
    const events = eventsOf(await readAll(sourceOf(bench)));
    expect(events.map(({ type }) => type)).toEqual(["ticket.closed", "ticket.updated"]);
    expect(events[0]).toMatchObject({
      id: `ticket/${closed.id}/closed/${closed.closed_datetime}Z`,
      data: { ticket: { key: "k", status: "closed", priority: "urgent", tags: ["vip"] } },
    });
  });

  it("stops with a word at a ticket without a time", async () => {
    const bench = await openGorgiasBench();
    bench.stub.addTicket({ at: bench.clock.ms - hourMs, updated_datetime: "yesterday" });
    await expect(readAll(sourceOf(bench))).rejects.toMatchObject({ code: "target_protocol" });
  });
});

describe("credentials for Gorgias", () => {
  const auth = { method: "refresh", clientId: "app", clientSecret: "hush", refreshToken: "r1" };

  it("are fetched with a refresh token once for calls at the same time, and renewed before they end", async () => {
    const { stub, clock, run, calls } = await openGorgiasBench({ auth, agent: "agent@acme.example" });
    stub.behaviour.credential = "Bearer none";
    const upsert = (email: string) => run("contact.upsert", { email }, email);
    await Promise.all(["a@example.com", "b@example.com"].map(upsert));
    expect(calls().filter((call) => call === "POST /oauth/token")).toHaveLength(1);
    expect(stub.behaviour.credential).toBe("Bearer access-r1");
    clock.ms += 3600 * 1000;
    await upsert("c@example.com");
    // The refresh token that came with the last answer is the one that is used next.
    expect(stub.behaviour.credential).toBe("Bearer access-r1+");
  });

  it("are renewed when a token is refused, and the call is made again", async () => {
    const { stub, run } = await openGorgiasBench({ auth, agent: "agent@acme.example" });
    await run("contact.upsert", { email: "a@example.com" }, "a");
    stub.behaviour.credential = "Bearer another";
    expect(await run("contact.upsert", { email: "b@example.com" }, "b")).toMatchObject({ result: "created" });
  });

  it("that are refused for good are target_unauthorized", async () => {
    const { stub, run } = await openGorgiasBench();
    stub.behaviour.credential = "Basic other";
    const upsert = run("contact.upsert", { email: "a@example.com" }, "a");
    await expect(upsert).rejects.toMatchObject({ code: "target_unauthorized" });
  });

  it("by OAuth have twice the budget, and an Enterprise account half the time", async () => {
    const limits = await Promise.all(
      [{}, { auth, agent: "agent@acme.example" }, { enterprise: true }].map(
        async (settings) => (await openGorgiasBench(settings)).connection.rateLimit,
      ),
    );
    expect(limits).toMatchObject([
      { calls: 40, perSeconds: 20 },
      { calls: 80, perSeconds: 20 },
      { calls: 40, perSeconds: 10 },
    ]);
  });
});

describe("check of a Gorgias account", () => {
  const { signal } = new AbortController();

  it("tells a good credential from a wrong one, and how much of the limit is used", async () => {
    const { stub, connection } = await openGorgiasBench();
    stub.behaviour.limit = { calls: 40, perMs: 20_000 };
    expect(await connection.check!(signal)).toEqual([
      { name: "credential", ok: true, detail: "accepted by acme; 1/40 calls of the limit are used" },
    ]);
    stub.behaviour.credential = "Basic other";
    const [refused] = await connection.check!(signal);
    expect(refused?.ok).toBe(false);
    expect(refused?.detail).toContain("check account and auth");
  });

  it("names the triggers without an integration, and what makes one", async () => {
    const { stub, connection } = await openGorgiasBench({ webhook: { secrets: "s3cret" } });
    const made = triggers.map((trigger) => {
      const { http } = integrationBody(trigger, "desk") as { http: object };
      return { id: stub.state.newId(), http: { ...http, url: "https://bridge.example/hooks/desk" } };
    });
    stub.state.integrations.push(made[0], { ...made[1], deactivated_datetime: "2026-11-01T00:00:00" });
    const [, missing] = await connection.check!(signal);
    expect(missing?.ok).toBe(false);
    expect(missing?.detail).toContain("no active HTTP integration for ticket-updated, ticket-status-updated");
    expect(missing?.detail).toContain('"trigger":"ticket-updated"');
    expect(missing?.detail).not.toContain("s3cret");
    stub.state.integrations.push(...made);
    expect(await connection.check!(signal)).toMatchObject([{ ok: true }, { ok: true }]);
  });
});
