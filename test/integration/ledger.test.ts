import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AppError } from "../../src/errors.ts";
import type { Claim, LeasedLane, Mail, Settlement } from "../../src/ledger/ledger.ts";
import { createDeadLetters } from "../../src/ledger/dead-letters.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import { createLedgerReader } from "../../src/ledger/reader.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";

let database: FreshDatabase;
let ledger: PostgresLedger;
const errors: Error[] = [];

beforeAll(async () => {
  database = await freshDatabase();
  ledger = await openLedger({
    databaseUrl: database.url,
    maxWaitingAppends: 50,
    onError: (e) => errors.push(e),
  });
});
afterAll(async () => {
  await ledger.close();
  await database.drop();
  expect(errors).toEqual([]);
});
beforeEach(async () => {
  await ledger.pool.query(
    "truncate event, delivery, attempt, intervention, lane_lease, target_pause, source_cursor restart identity",
  );
});

const leaseMs = 60_000;

function settlement(mail: Mail, facts: Partial<Settlement> = {}): Settlement {
  const attempt = { startedAt: Date.now(), durationMs: 1, outcome: "done" as const, receipts: [] };
  return { delivery: mail.delivery, status: "done", counts: true, attempt, ...facts };
}

function only(claim: Claim): LeasedLane {
  if (claim.kind !== "leased" || claim.lanes.length !== 1)
    throw new Error(`one lane expected: ${JSON.stringify(claim)}`);
  return claim.lanes[0] as LeasedLane;
}

describe("append", () => {
  it("stores an event once, however often and however close together it comes", async () => {
    const copies = Array.from({ length: 20 }, () => ledger.append(appendOf(failedFulfillment("e1", "1"))));
    const results = await Promise.all(copies);
    expect(results.filter((one) => !one.duplicate)).toHaveLength(1);
    expect(new Set(results.map((one) => one.sequence))).toEqual(new Set([1]));
    const later = await ledger.append(appendOf(failedFulfillment("e1", "1")));
    expect(later).toEqual({ sequence: 1, duplicate: true });
    const { rows } = await ledger.pool.query("select count(*) as n from delivery");
    expect(rows).toEqual([{ n: 1 }]);
  });

  it("keeps events of two connections apart that use the same id", async () => {
    await ledger.append(appendOf(failedFulfillment("e1", "1")));
    const other = await ledger.append(appendOf(failedFulfillment("e1", "1", { source: "outlet" })));
    expect(other.duplicate).toBe(false);
  });

  it("refuses one more than may wait, and the others are stored all the same", async () => {
    const flood = Array.from({ length: 80 }, (_, n) =>
      ledger.append(appendOf(failedFulfillment(`e${n}`, "1"))),
    );
    const results = await Promise.allSettled(flood);
    const refused = results.filter((one) => one.status === "rejected");
    expect(refused).toHaveLength(30);
    expect(
      refused
        .map((one) => one.reason as AppError)
        .every((fault) => fault.code === "ledger_busy" && fault.retryAfterMs === 1000),
    ).toBe(true);
    const { rows } = await ledger.pool.query("select count(*) as n from event");
    expect(rows).toEqual([{ n: 50 }]);
  });

  it("stores NUL characters, lone surrogates and a value that PostgreSQL refuses does not take its neighbours along", async () => {
    const odd = failedFulfillment("nul\0id", "1", { raw: { text: "a\0b", half: "\ud800" } });
    const bad = failedFulfillment("bad", "2", { time: "not a time" });
    const [stored, refused, neighbour] = await Promise.allSettled([
      ledger.append(appendOf(odd)),
      ledger.append(appendOf(bad)),
      ledger.append(appendOf(failedFulfillment("good", "3"))),
    ]);
    expect(stored).toMatchObject({ status: "fulfilled", value: { duplicate: false } });
    expect(refused).toMatchObject({ status: "rejected", reason: { code: "ledger_rejected" } });
    expect(neighbour).toMatchObject({ status: "fulfilled", value: { duplicate: false } });
    const { mail } = only(await ledger.claim("desk", ["order/1"], leaseMs));
    expect(mail[0]?.event.raw).toEqual({ text: "a\0b", half: "\ud800" });
  });

  it("moves the cursor in the transaction of the page, or neither", async () => {
    const cursor = { time: "2026-11-22T10:00:00Z", seen: ["a"] };
    const move = { connection: "shop", source: "orders", cursor };
    await ledger.appendPage([appendOf(failedFulfillment("p1", "1"))], move);
    expect(await ledger.cursor("shop", "orders")).toEqual(cursor);
    const bad = appendOf(failedFulfillment("p2", "1", { time: "not a time" }));
    const later = { ...move, cursor: { time: "2026-11-22T11:00:00Z", seen: [] } };
    await expect(ledger.appendPage([bad], later)).rejects.toMatchObject({ code: "ledger_rejected" });
    expect(await ledger.cursor("shop", "orders")).toEqual(cursor);
  });
});

describe("lanes", () => {
  it("hand their mail to one worker only, in order", async () => {
    for (const id of ["e1", "e2", "e3"]) await ledger.append(appendOf(failedFulfillment(id, "1")));
    const claims = await Promise.all(
      Array.from({ length: 10 }, () => ledger.claim("desk", ["order/1"], leaseMs)),
    );
    const lanes = claims.flatMap((claim) => (claim.kind === "leased" ? claim.lanes : []));
    expect(lanes).toHaveLength(1);
    expect(lanes[0]?.mail.map((mail) => mail.event.id)).toEqual(["e1", "e2", "e3"]);
  });

  it("find mail that came while they were worked on, and are free once nothing is due", async () => {
    await ledger.append(appendOf(failedFulfillment("e1", "1")));
    const first = only(await ledger.claim("desk", ["order/1"], leaseMs));
    await ledger.append(appendOf(failedFulfillment("e2", "1")));
    const again = await ledger.settle(
      first.lease,
      first.mail.map((mail) => settlement(mail)),
      leaseMs,
    );
    expect(again.more.map((mail) => mail.event.id)).toEqual(["e2"]);
    expect(again.lease?.fence).toBe(first.lease.fence);
    const over = await ledger.settle(
      first.lease,
      again.more.map((mail) => settlement(mail)),
      leaseMs,
    );
    expect(over).toEqual({ more: [], lease: undefined, nextDueInMs: undefined });
    const { rows } = await ledger.pool.query("select count(*) as n from lane_lease");
    expect(rows).toEqual([{ n: 0 }]);
  });

  it("wait behind a delivery that is to be retried", async () => {
    for (const id of ["e1", "e2"]) await ledger.append(appendOf(failedFulfillment(id, "1")));
    const { lease, mail } = only(await ledger.claim("desk", ["order/1"], leaseMs));
    const retried = settlement(mail[0] as Mail, { status: "pending", dueInMs: 30_000 });
    const settled = await ledger.settle(lease, [retried], leaseMs);
    expect(settled.lease).toBeUndefined();
    expect(settled.nextDueInMs).toBeGreaterThan(25_000);
    expect(await ledger.claim("desk", ["order/1"], leaseMs)).toEqual({ kind: "leased", lanes: [] });
    await ledger.pool.query("update delivery set due_at = clock_timestamp()");
    const second = only(await ledger.claim("desk", ["order/1"], leaseMs));
    expect(second.mail.map((one) => [one.event.id, one.attempts])).toEqual([
      ["e1", 1],
      ["e2", 0],
    ]);
  });

  it("refuse the late result of a worker whose lease ran out, and the new holder's counts", async () => {
    await ledger.append(appendOf(failedFulfillment("e1", "1")));
    const stalled = only(await ledger.claim("desk", ["order/1"], 1));
    await ledger.pool.query("select pg_sleep(0.01)");
    const holder = only(await ledger.claim("desk", ["order/1"], leaseMs));
    expect(holder.lease.fence).toBeGreaterThan(stalled.lease.fence);
    const late = settlement(stalled.mail[0] as Mail, { status: "dead" });
    await expect(ledger.settle(stalled.lease, [late], leaseMs)).rejects.toMatchObject({ code: "lease_lost" });
    await expect(ledger.renew(stalled.lease, leaseMs)).rejects.toMatchObject({ code: "lease_lost" });
    await ledger.renew(holder.lease, leaseMs);
    await ledger.settle(holder.lease, [settlement(holder.mail[0] as Mail)], leaseMs);
    const { rows } = await ledger.pool.query("select status, attempts from delivery");
    expect(rows).toEqual([{ status: 1, attempts: 1 }]);
  });

  it("are left alone while their target is paused, and the pause is not cut short", async () => {
    await ledger.append(appendOf(failedFulfillment("e1", "1")));
    await ledger.pauseTarget("desk", 60_000, "429");
    await ledger.pauseTarget("desk", 10, "429");
    const claim = await ledger.claim("desk", ["order/1"], leaseMs);
    expect(claim).toMatchObject({ kind: "paused" });
    expect(claim.kind === "paused" && claim.forMs).toBeGreaterThan(50_000);
    expect(await ledger.dueLanes(10)).toEqual([]);
  });

  it("lose no mail and do none twice under many writers and workers", async () => {
    const done: string[] = [];
    const lanes = ["order/1", "order/2", "order/3"];
    let writing = true;
    const writer = async (name: string): Promise<void> => {
      for (let n = 0; n < 60; n += 1)
        await ledger.append(appendOf(failedFulfillment(`${name}-${n}`, String((n % 3) + 1))));
    };
    const worker = async (): Promise<void> => {
      for (let idle = 0; idle < 3;) {
        const claim = await ledger.claim("desk", lanes, leaseMs);
        const leased = claim.kind === "leased" ? claim.lanes : [];
        idle = leased.length === 0 && !writing ? idle + 1 : 0;
        for (const lane of leased) {
          let { lease, mail }: { lease: LeasedLane["lease"] | undefined; mail: readonly Mail[] } = lane;
          while (lease !== undefined) {
            for (const one of mail) done.push(one.event.id);
            const settled = await ledger.settle(
              lease,
              mail.map((one) => settlement(one)),
              leaseMs,
            );
            ({ lease, more: mail } = settled);
          }
        }
      }
    };
    const workers = Array.from({ length: 4 }, worker);
    await Promise.all(["a", "b", "c"].map(writer));
    writing = false;
    await Promise.all(workers);
    expect(done).toHaveLength(180);
    expect(new Set(done).size).toBe(180);
    for (const name of ["a", "b", "c"]) {
      for (const lane of [0, 1, 2]) {
        const own = done.filter((id) => id.startsWith(`${name}-`)).map((id) => Number(id.slice(2)));
        const inLane = own.filter((n) => n % 3 === lane);
        expect(inLane).toEqual([...inLane].sort((x, y) => x - y));
      }
    }
  });
});

describe("upkeep", () => {
  it("finds lanes whose mail has waited, but not those that somebody works on", async () => {
    await ledger.append(appendOf(failedFulfillment("e1", "1")));
    await ledger.append(appendOf(failedFulfillment("e2", "2"), { priority: "backfill" }));
    await ledger.append(appendOf(failedFulfillment("e3", "3")));
    await ledger.pool.query("update delivery set due_at = clock_timestamp() - interval '1 minute'");
    await ledger.claim("desk", ["order/3"], leaseMs);
    expect(await ledger.dueLanes(10)).toEqual([
      { target: "desk", lane: "order/1", priority: "live" },
      { target: "desk", lane: "order/2", priority: "backfill" },
    ]);
    expect(await ledger.dueLanes(1)).toHaveLength(1);
  });

  it("finds a lane behind a large backlog of a target that is paused", async () => {
    await ledger.append(appendOf(failedFulfillment("e1", "1"), { target: "other" }));
    await ledger.pool.query(
      `insert into delivery (sequence, flow, target, lane, priority, status, due_at)
       select sequence, 'errors', 'desk', 'order/' || n % 30000, 0, 0, clock_timestamp() - interval '1 hour'
       from event, generate_series(1, 110000) n`,
    );
    await ledger.pauseTarget("desk", 60_000, "target_unauthorized");
    expect(await ledger.dueLanes(10, { dueForMs: 0 })).toEqual([
      { target: "other", lane: "order/1", priority: "live" },
    ]);
  });

  it("prunes what is over and old, batch by batch, and keeps what is pending or dead", async () => {
    for (let n = 0; n < 25; n += 1) await ledger.append(appendOf(failedFulfillment(`e${n}`, String(n))));
    await ledger.pool.query(
      `update delivery set status = case when id = 5 then 0 when id = 6 then 3 else 1 end`,
    );
    await ledger.pool.query(
      "update event set received_at = received_at - interval '40 days' where sequence <= 20",
    );
    const gone = await ledger.prune(Date.now() - 30 * 86_400_000, 7, new AbortController().signal);
    expect(gone).toBe(18);
    const { rows } = await ledger.pool.query("select count(*) as n from delivery");
    expect(rows).toEqual([{ n: 7 }]);
  });

  it("shows the way of an event, dead letters, and makes them pending again", async () => {
    await ledger.append(appendOf(failedFulfillment("e1", "1")));
    const { lease, mail } = only(await ledger.claim("desk", ["order/1"], leaseMs));
    const attempt = {
      startedAt: Date.now(),
      durationMs: 7,
      outcome: "dead" as const,
      code: "target_rejected",
      message: "no such field",
      receipts: [],
    };
    await ledger.settle(lease, [settlement(mail[0] as Mail, { status: "dead", attempt })], leaseMs);
    const reader = createLedgerReader(ledger.pool);
    const [way] = await reader.wayOf("e1");
    expect(way?.event).toMatchObject({ connection: "shop", type: "fulfillment.failed", subject: "order/1" });
    expect(way?.deliveries[0]).toMatchObject({ status: "dead", attempts: 1, code: "target_rejected" });
    expect(way?.deliveries[0]?.history).toMatchObject([{ number: 1, durationMs: 7, outcome: "dead" }]);
    expect(await reader.deadLetters({ limit: 10 })).toMatchObject([
      { eventId: "e1", reason: "no such field" },
    ]);
    expect(await reader.deadLetters({ flow: "other", limit: 10 })).toEqual([]);
    expect(await reader.counts()).toMatchObject({ events: 1, deliveries: { dead: 1, pending: 0 } });
    expect(await createDeadLetters(ledger.pool).retry({ ids: [way?.deliveries[0]?.id ?? 0] })).toMatchObject([
      { target: "desk", lane: "order/1" },
    ]);
    expect(only(await ledger.claim("desk", ["order/1"], leaseMs)).mail[0]?.attempts).toBe(1);
  });
});

describe("an unreachable database", () => {
  it("answers ledger_unavailable and stores nothing", async () => {
    const fresh = await freshDatabase();
    const onError = () => undefined;
    const away = await openLedger({ databaseUrl: fresh.url, maxWaitingAppends: 10, onError });
    await fresh.drop();
    await expect(away.append(appendOf(failedFulfillment("e1", "1")))).rejects.toMatchObject({
      code: "ledger_unavailable",
    });
    await expect(away.ping()).rejects.toMatchObject({ code: "ledger_unavailable" });
    await away.close();
  });
});
