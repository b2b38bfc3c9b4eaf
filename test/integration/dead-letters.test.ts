import { fastify } from "fastify";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createHealth } from "../../src/http/health.ts";
import { createDeadLetters } from "../../src/ledger/dead-letters.ts";
import type { DeadLetters } from "../../src/ledger/dead-letters.ts";
import type { Claim, LeasedLane, Mail, Settlement } from "../../src/ledger/ledger.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import type { LedgerReader } from "../../src/ledger/reader.ts";
import { createLedgerReader } from "../../src/ledger/reader.ts";
import { startDeskWorker } from "../support/desk-worker.ts";
import { flowOf } from "../support/engine.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { createEffectCall } from "../../src/sdk/write-once.ts";
import { freshDatabase } from "../support/postgres.ts";

const leaseMs = 60_000;
const lane = "order/1";
const fault = { code: "target_rejected", message: "the subject is too long" };

let database: FreshDatabase;
/** As many as there would be processes. */
let ledgers: readonly PostgresLedger[];
let ledger: PostgresLedger;
let reader: LedgerReader;
let deadLetters: DeadLetters;

beforeAll(async () => {
  database = await freshDatabase();
  const options = { databaseUrl: database.url, maxWaitingAppends: 50, onError: () => undefined };
  ledgers = await Promise.all([openLedger(options), openLedger(options), openLedger(options)]);
  ledger = ledgers[0] as PostgresLedger;
  reader = createLedgerReader(ledger.pool);
  deadLetters = createDeadLetters(ledger.pool);
});
afterAll(async () => {
  await Promise.all(ledgers.map((one) => one.close()));
  await database.drop();
});
beforeEach(async () => {
  await ledger.pool.query(
    "truncate event, delivery, attempt, intervention, effect, lane_lease, target_pause, source_cursor restart identity",
  );
});

function settlement(mail: Mail, facts: Partial<Settlement> = {}): Settlement {
  const attempt = { startedAt: Date.now(), durationMs: 1, outcome: "done" as const, receipts: [] };
  return { delivery: mail.delivery, status: "done", counts: true, attempt, ...facts };
}

function deadOf(mail: Mail, facts: Partial<Settlement> & { readonly code?: string } = {}): Settlement {
  const { code = fault.code, ...rest } = facts;
  const attempt = { startedAt: Date.now(), durationMs: 1, outcome: "dead" as const, receipts: [] };
  return settlement(mail, {
    status: "dead",
    attempt: {
      ...attempt,
      ...fault,
      code,
      config: "c0ffee",
      operations: [{ name: "ticket.close", input: {} }],
    },
    ...rest,
  });
}

function lanesOf(claim: Claim): readonly LeasedLane[] {
  return claim.kind === "leased" ? claim.lanes : [];
}

/** What all processes together get of the lane. */
async function claimEverywhere(): Promise<readonly LeasedLane[]> {
  const claims = await Promise.all(ledgers.map((one) => one.claim("desk", [lane], leaseMs)));
  return claims.flatMap(lanesOf);
}

async function claimOne(): Promise<LeasedLane> {
  const [leased, second] = await claimEverywhere();
  if (leased === undefined || second !== undefined) throw new Error("one process gets the lane");
  return leased;
}

async function append(...ids: readonly string[]): Promise<void> {
  for (const id of ids) await ledger.append(appendOf(failedFulfillment(id, "1")));
}

/** Events in one lane of which the first has died, holding it or not. */
async function firstDies(hold: boolean, ...ids: readonly string[]): Promise<Mail> {
  await append(...ids);
  const { lease, mail } = await claimOne();
  const first = mail[0] as Mail;
  const settled = await ledger.settle(lease, [deadOf(first, { hold })], leaseMs);
  if (settled.lease !== undefined) await ledger.release(settled.lease);
  return first;
}

const idsOf = (mail: readonly Mail[]): string[] => mail.map((letter) => letter.event.id);

describe("a dead delivery that holds its lane", () => {
  it("keeps everything behind it from every process, also what comes later, until it is retried; then all goes in order", async () => {
    await append("e1", "e2", "e3");
    const { lease, mail } = await claimOne();
    const settled = await ledger.settle(
      lease,
      [settlement(mail[0] as Mail), deadOf(mail[1] as Mail, { hold: true })],
      leaseMs,
    );
    expect(settled).toEqual({ more: [], lease: undefined, nextDueInMs: undefined });
    await append("e4");
    await ledger.pool.query(
      "update delivery set due_at = due_at - interval '1 minute' where isfinite(due_at)",
    );
    expect(await claimEverywhere()).toEqual([]);
    expect(await ledger.dueLanes(10)).toEqual([]);
    const held = (mail[1] as Mail).delivery;
    expect(await deadLetters.retry({ ids: [held] })).toEqual([{ delivery: held, target: "desk", lane }]);
    expect(await ledger.dueLanes(10)).toMatchObject([{ target: "desk", lane }]);
    const again = await claimOne();
    expect(idsOf(again.mail)).toEqual(["e2", "e3", "e4"]);
    expect(again.mail.map((letter) => letter.again)).toEqual([true, false, false]);
    expect(again.mail[0]?.attempts).toBe(1);
  });

  it("is a dead letter for everybody who looks, with those that wait behind it", async () => {
    const first = await firstDies(true, "e1", "e2", "e3");
    await ledger.append(appendOf(failedFulfillment("e9", "9")));
    expect(await ledger.heldLanes()).toEqual([{ target: "desk", lanes: 1 }]);
    expect(await reader.deadLetters({ limit: 10 })).toMatchObject([
      { id: first.delivery, status: "dead", holds: true, waiting: 2, dueAt: null, code: fault.code },
    ]);
    expect(await reader.counts()).toMatchObject({
      deliveries: { pending: 3, done: 0, skipped: 0, dead: 1 },
      targets: [{ target: "desk", pending: 3, due: 1, dead: 1, heldLanes: 1, heldWaiting: 2 }],
    });
    const letter = await reader.deadLetter(first.delivery);
    expect(letter?.finishedAt).not.toBeNull();
    expect(letter?.way.deliveries[0]?.history).toMatchObject([
      { outcome: "dead", config: "c0ffee", operations: [{ name: "ticket.close", input: {} }] },
    ]);
  });

  it("lets its lane go on when it is discarded, and ends as skipped with the reason", async () => {
    const first = await firstDies(true, "e1", "e2");
    const discarded = await deadLetters.discard({ ids: [first.delivery] }, "the order was a test");
    expect(discarded).toEqual([{ delivery: first.delivery, target: "desk", lane }]);
    expect(idsOf((await claimOne()).mail)).toEqual(["e2"]);
    expect(await reader.deadLetters({ limit: 10 })).toEqual([]);
    const [way] = await reader.wayOf("e1");
    expect(way?.deliveries[0]).toMatchObject({
      status: "skipped",
      holds: false,
      reason: "discarded: the order was a test",
      history: [{ outcome: "dead" }],
      interventions: [{ kind: "discarded", details: { reason: "the order was a test" } }],
    });
    expect(await deadLetters.discard({ ids: [first.delivery] }, "again")).toEqual([]);
  });

  it("is passed by older mail of its lane that was retried, and holds what is younger", async () => {
    const older = await firstDies(false, "e1", "e2", "e3");
    const { lease, mail } = await claimOne();
    await ledger.settle(lease, [deadOf(mail[0] as Mail, { hold: true })], leaseMs);
    await deadLetters.retry({ ids: [older.delivery] });
    await ledger.pool.query(
      "update delivery set due_at = due_at - interval '1 minute' where isfinite(due_at)",
    );
    expect(await ledger.dueLanes(10)).toMatchObject([{ lane }]);
    expect(idsOf((await claimOne()).mail)).toEqual(["e1"]);
  });

  it("stays when old events are pruned, and goes with its interventions once it is over", async () => {
    const first = await firstDies(true, "e1");
    const later = Date.now() + 60_000;
    const { signal } = new AbortController();
    expect(await ledger.prune(later, 10, signal)).toBe(0);
    await deadLetters.discard({ ids: [first.delivery] }, "old");
    expect(await ledger.prune(later, 10, signal)).toBe(1);
    const { rows } = await ledger.pool.query("select count(*)::int as n from intervention");
    expect(rows).toEqual([{ n: 0 }]);
  });
});

describe("workers of several processes", () => {
  const flow = flowOf({
    onDead: "hold",
    map: (event) => [{ name: "ticket.note", input: { key: event.subject, message: event.id } }],
  });
  const workAll = async (
    left: number,
    refuses?: (call: string) => boolean,
  ): Promise<readonly (readonly string[])[]> => {
    const workers = await Promise.all(ledgers.map((one) => startDeskWorker(one, flow, refuses)));
    await Promise.all(workers.map((worker) => worker.work(["1", "2"], left)));
    return workers.map((worker) => worker.calls);
  };

  it("leave a held lane alone, work the others off, and go on in order once it was decided", async () => {
    await append("e1", "e2", "e3");
    await ledger.append(appendOf(failedFulfillment("e9", "2")));
    const first = await workAll(2, (call) => call.endsWith("e1"));
    expect(first.flat()).toEqual(["note order/2 e9"]);
    const [letter] = await reader.deadLetters({ limit: 10 });
    expect(letter).toMatchObject({ eventId: "e1", holds: true, waiting: 2 });
    const way = (await reader.deadLetter(letter?.id ?? 0))?.way.deliveries[0];
    expect(way?.history[0]?.operations).toEqual([
      { name: "ticket.note", input: { key: "order/1", message: "e1" } },
    ]);
    expect((await workAll(2)).flat()).toEqual([]);
    await deadLetters.retry({ all: true });
    const after = await workAll(0);
    expect(after.filter((calls) => calls.length > 0)).toEqual([
      ["note order/1 e1", "note order/1 e2", "note order/1 e3"],
    ]);
  });
});

it("held lanes are a gauge of the metrics, and 0 where there is none", async () => {
  await firstDies(true, "e1", "e2");
  const { engine } = await startDeskWorker(ledger, flowOf());
  const server = fastify();
  await server.register(createHealth({ engine, isReady: () => true }));
  const { body } = await server.inject("/metrics");
  expect(body).toContain('deskbridge_lanes_held{target="desk"} 1\n');
  await deadLetters.discard({ all: true }, "seen");
  expect((await server.inject("/metrics")).body).toContain('deskbridge_lanes_held{target="desk"} 0\n');
  await server.close();
});

describe("decisions about dead letters", () => {
  it("skip lets the lane go on", async () => {
    await firstDies(false, "e1", "e2");
    expect(idsOf((await claimOne()).mail)).toEqual(["e2"]);
    expect(await ledger.heldLanes()).toEqual([]);
  });

  it("are made once: of two at the same time one finds the letter", async () => {
    const { delivery } = await firstDies(true, "e1");
    const both = await Promise.all([
      deadLetters.retry({ ids: [delivery] }),
      deadLetters.discard({ all: true }, "no"),
    ]);
    expect(both.flat()).toHaveLength(1);
  });

  it("choose by flow, and never touch what no flow has seen by a retry", async () => {
    await firstDies(false, "e1");
    const unseen = {
      flow: "(intake)",
      target: "(intake)",
      dead: { code: "webhook_malformed", message: "no" },
    };
    await ledger.append(appendOf(failedFulfillment("e2", "2"), unseen));
    expect(await deadLetters.retry({ flow: "others" })).toEqual([]);
    expect(await deadLetters.retry({ all: true })).toHaveLength(1);
    expect(await deadLetters.discard({ flow: "(intake)" }, "unusable")).toHaveLength(1);
  });

  it("an edit is what the next attempt maps; the event stays, and what was changed is on record", async () => {
    const first = await firstDies(true, "e1", "e2");
    const data = { ...first.event.data, fulfillment: { id: "f-1", status: "failure", message: "edited" } };
    const changes = [{ path: "fulfillment.message", from: "address not found", to: "edited" }];
    const kept = await deadLetters.edit(first.delivery, { data, changes }, { retry: false });
    expect(kept?.delivery).toBe(first.delivery);
    expect(await claimEverywhere()).toEqual([]);
    await deadLetters.edit(first.delivery, { data, changes: [] }, { retry: true });
    const { mail } = await claimOne();
    expect(mail[0]?.event.data).toEqual(data);
    expect(mail[0]?.again).toBe(true);
    expect(mail[1]?.event.data).toEqual(failedFulfillment("e2", "1").data);
    const [way] = await reader.wayOf("e1");
    expect(way?.event.data).toEqual(first.event.data);
    expect(way?.deliveries[0]).toMatchObject({
      editedData: data,
      interventions: [{ kind: "edited", details: { changes } }, { kind: "edited" }],
    });
    expect(await deadLetters.edit(first.delivery, { data, changes }, { retry: true })).toBeUndefined();
  });

  it("an unknown write is put on record as done or as never sent, and its delivery goes on", async () => {
    for (const [as, state] of [
      ["done", 3],
      ["unsent", 1],
    ] as const) {
      await append(`${as}-1`);
      const { lease, mail } = await claimOne();
      const letter = mail[0] as Mail;
      await ledger.settle(lease, [deadOf(letter, { code: "effect_unknown" })], leaseMs);
      await ledger.pool.query(
        `insert into effect (effect_key, step, connection, state, delivery, sent_at)
         values ($1, 'create', 'desk', 2, $2, now()), ($1, 'tags', 'desk', 3, $2, now()), ($1, 'x', 'desk', 2, 999, now())`,
        [`key-${as}`, letter.delivery],
      );
      expect(await deadLetters.resolve(letter.delivery, as)).toMatchObject({ delivery: letter.delivery });
      const { rows } = await ledger.pool.query(
        "select step, state from effect where effect_key = $1 order by step",
        [`key-${as}`],
      );
      expect(rows).toEqual([
        { step: "create", state },
        { step: "tags", state: 3 },
        { step: "x", state: 2 },
      ]);
      const again = await claimOne();
      expect(again.mail[0]).toMatchObject({ delivery: letter.delivery, again: true });
      await ledger.settle(again.lease, [settlement(again.mail[0] as Mail)], leaseMs);
      expect(await deadLetters.resolve(letter.delivery, as)).toBeUndefined();
    }
    const other = await firstDies(false, "e1");
    expect(await deadLetters.resolve(other.delivery, "done")).toBeUndefined();
  });

  it("a write that somebody says was done is not sent again", async () => {
    await append("vouched");
    const { lease, mail } = await claimOne();
    const letter = mail[0] as Mail;
    const intent = { effectKey: "vouched", step: "create", claimHoldsMs: 0 };
    await ledger.effectLog(lease, letter.delivery).sent(intent);
    await ledger.settle(lease, [deadOf(letter, { code: "effect_unknown" })], leaseMs);
    await deadLetters.resolve(letter.delivery, "done");
    const again = await claimOne();
    const call = await createEffectCall({
      effectKey: "vouched",
      signal: new AbortController().signal,
      idempotency: { kind: "none" },
      log: () => ledger.effectLog(again.lease, letter.delivery),
    });
    const send = async () => expect.unreachable("sent again");
    expect(await call.once({ step: "create", send })).toMatchObject({ how: "recorded" });
    await ledger.settle(again.lease, [settlement(again.mail[0] as Mail)], leaseMs);
  });
});

describe("receipts", () => {
  it("tell what earlier attempts carried out, with each operation's place, for one flow and target", async () => {
    await append("e1");
    const { lease, mail } = await claimOne();
    const first = mail[0] as Mail;
    expect(first.again).toBe(false);
    const receipt = { operation: "ticket.open", result: "created", id: "8" };
    const attempt = { startedAt: 1, durationMs: 1, outcome: "retry" as const, receipts: [receipt] };
    const settled = await ledger.settle(
      lease,
      [settlement(first, { status: "pending", dueInMs: 0, counts: false, attempt })],
      leaseMs,
    );
    expect(settled.more).toMatchObject([{ delivery: first.delivery, attempts: 0, again: true }]);
    const second = { index: 1, operation: "ticket.tag", result: "updated", id: "8" };
    await ledger.settle(
      lease,
      [settlement(first, { attempt: { ...attempt, outcome: "done", receipts: [second] } })],
      leaseMs,
    );
    expect(await ledger.receipts(first.sequence, "errors", "desk")).toEqual([
      { index: 0, ...receipt },
      second,
    ]);
    expect(await ledger.receipts(first.sequence, "errors", "other")).toEqual([]);
    expect(await ledger.receipts(first.sequence, "others", "desk")).toEqual([]);
  });
});
