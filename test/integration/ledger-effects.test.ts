import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LeasedLane } from "../../src/ledger/ledger.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import type { EffectIntent, EffectLog } from "../../src/sdk/effect-log.ts";
import { createEffectMemory } from "../../src/sdk/testing/index.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";

let database: FreshDatabase;
let ledger: PostgresLedger;

beforeAll(async () => {
  database = await freshDatabase();
  ledger = await openLedger({ databaseUrl: database.url, maxWaitingAppends: 50, onError: () => undefined });
});
afterAll(async () => {
  await ledger.close();
  await database.drop();
});

/** A leased lane with one delivery. */
async function lease(leaseMs = 60_000): Promise<LeasedLane> {
  const order = randomUUID();
  await ledger.append(appendOf(failedFulfillment(order, order)));
  const claim = await ledger.claim("desk", [`order/${order}`], leaseMs);
  if (claim.kind !== "leased" || claim.lanes[0] === undefined) throw new Error("no lane was leased");
  return claim.lanes[0];
}

async function openLog(): Promise<EffectLog> {
  const lane = await lease();
  return ledger.effectLog(lane.lease, lane.mail[0]!.delivery);
}

const holdMs = 60_000;

function intentOf(effectKey: string, key?: string, replaces?: string): EffectIntent {
  const claims =
    key === undefined
      ? {}
      : { claims: { kind: "ticket", key, ...(replaces === undefined ? {} : { replaces }) } };
  return { effectKey, step: "create", claimHoldsMs: holdMs, ...claims };
}

describe.each([
  { where: "in PostgreSQL", open: openLog },
  { where: "in memory", open: async () => createEffectMemory() },
])("the record of effects $where", ({ open }) => {
  it("knows nothing of an effect that was never noted", async () => {
    const log = await open();
    expect(await log.read(randomUUID())).toEqual([]);
    expect(await log.link("ticket", randomUUID())).toBeUndefined();
  });

  it("goes from sent to done with the object, and numbers the tries", async () => {
    const log = await open();
    const effect = randomUUID();
    expect(await log.sent(intentOf(effect))).toEqual({ kind: "noted", tries: 1 });
    const [sent] = await log.read(effect);
    expect(sent).toMatchObject({ step: "create", state: "sent", tries: 1 });
    expect(sent?.sentAgoMs).toBeGreaterThanOrEqual(0);
    expect(sent?.sentAgoMs).toBeLessThan(60_000);
    expect(sent).not.toHaveProperty("endedAgoMs");
    await log.ended({ effectKey: effect, step: "create", tries: 1 });
    expect((await log.read(effect))[0]?.endedAgoMs).toBeGreaterThanOrEqual(0);
    expect(await log.sent(intentOf(effect))).toEqual({ kind: "noted", tries: 2 });
    expect((await log.read(effect))[0]).not.toHaveProperty("endedAgoMs");
    await log.done({ effectKey: effect, step: "create", tries: 2 }, { id: "7", number: "#7" });
    expect(await log.read(effect)).toMatchObject([
      { state: "done", tries: 2, object: { id: "7", number: "#7" } },
    ]);
  });

  it("does not listen to a worker that was overtaken by a later try", async () => {
    const log = await open();
    const effect = randomUUID();
    const step = { effectKey: effect, step: "create" };
    await log.sent(intentOf(effect));
    await log.sent(intentOf(effect));
    await log.planned({ ...step, tries: 1 });
    await log.ended({ ...step, tries: 1 });
    await log.done({ ...step, tries: 1 }, { id: "late" });
    const [record] = await log.read(effect);
    expect(record).toMatchObject({ state: "sent", tries: 2 });
    expect(record).not.toHaveProperty("object");
    expect(record).not.toHaveProperty("endedAgoMs");
  });

  it("keeps the steps of an effect apart", async () => {
    const log = await open();
    const effect = randomUUID();
    await log.sent(intentOf(effect));
    await log.sent({ ...intentOf(effect), step: "message", place: { id: "t" } });
    await log.done({ effectKey: effect, step: "message", tries: 1 }, { id: "m" });
    const records = await log.read(effect);
    expect(records.find(({ step }) => step === "message")?.place).toEqual({ id: "t" });
    const states = records.map(({ step, state }) => [step, state]);
    expect(states.toSorted()).toEqual([
      ["create", "sent"],
      ["message", "done"],
    ]);
  });

  it("lets one effect claim a key; another waits, then gets the object", async () => {
    const log = await open();
    const [first, second, key] = [randomUUID(), randomUUID(), randomUUID()];
    expect(await log.sent(intentOf(first, key))).toMatchObject({ kind: "noted" });
    expect(await log.sent(intentOf(second, key))).toEqual({ kind: "busy" });
    // The same effect tries again.
    expect(await log.sent(intentOf(first, key))).toEqual({ kind: "noted", tries: 2 });
    await log.done({ effectKey: first, step: "create", tries: 2 }, { id: "7" });
    expect(await log.link("ticket", key)).toEqual({ id: "7" });
    expect(await log.sent(intentOf(second, key))).toEqual({ kind: "taken", object: { id: "7" } });
    expect(await log.read(second)).toEqual([]);
  });

  it("frees a key when its write was certainly not made", async () => {
    const log = await open();
    const [first, second, key] = [randomUUID(), randomUUID(), randomUUID()];
    await log.sent(intentOf(first, key));
    await log.planned({ effectKey: first, step: "create", tries: 1 });
    expect(await log.read(first)).toMatchObject([{ state: "planned", sentAgoMs: 0 }]);
    expect(await log.link("ticket", key)).toBeUndefined();
    expect(await log.sent(intentOf(second, key))).toMatchObject({ kind: "noted" });
  });

  it("names the old object until the one that replaces it is made", async () => {
    const log = await open();
    const [effect, key] = [randomUUID(), randomUUID()];
    await log.setLink("ticket", key, { id: "old" }, undefined);
    expect(await log.sent(intentOf(randomUUID(), key))).toMatchObject({
      kind: "taken",
      object: { id: "old" },
    });
    expect(await log.sent(intentOf(effect, key, "old"))).toMatchObject({ kind: "noted" });
    expect(await log.link("ticket", key)).toEqual({ id: "old" });
    await log.planned({ effectKey: effect, step: "create", tries: 1 });
    expect(await log.link("ticket", key)).toEqual({ id: "old" });
    await log.sent(intentOf(effect, key, "old"));
    await log.done({ effectKey: effect, step: "create", tries: 2 }, { id: "new" });
    expect(await log.link("ticket", key)).toEqual({ id: "new" });
  });

  it("lets a claim go when its effect has another key by now", async () => {
    const log = await open();
    const [effect, wrong, right] = [randomUUID(), randomUUID(), randomUUID()];
    await log.sent(intentOf(effect, wrong));
    expect(await log.sent(intentOf(effect, right))).toEqual({ kind: "noted", tries: 2 });
    expect(await log.sent(intentOf(randomUUID(), wrong))).toMatchObject({ kind: "noted" });
    await log.done({ effectKey: effect, step: "create", tries: 2 }, { id: "7" });
    expect(await log.link("ticket", wrong)).toBeUndefined();
    expect(await log.link("ticket", right)).toEqual({ id: "7" });
  });

  it("names an object that was found unless the key came to name another one meanwhile", async () => {
    const log = await open();
    const key = randomUUID();
    await log.setLink("ticket", key, { id: "first" }, undefined);
    await log.setLink("ticket", key, { id: "survivor" }, "first");
    await log.setLink("ticket", key, { id: "late" }, "first");
    await log.setLink("ticket", key, { id: "late" }, undefined);
    expect(await log.link("ticket", key)).toEqual({ id: "survivor" });
    expect(await log.sent(intentOf(randomUUID(), key, "first"))).toMatchObject({ kind: "taken" });
  });

  it("gives an effect the object that its key was found to name, and lets go of the claim", async () => {
    const log = await open();
    const [effect, key] = [randomUUID(), randomUUID()];
    await log.sent(intentOf(effect, key));
    await log.setLink("ticket", key, { id: "found" }, undefined);
    const taken = { kind: "taken", object: { id: "found" } };
    expect(await log.sent(intentOf(effect, key))).toEqual(taken);
    expect(await log.sent(intentOf(randomUUID(), key, "found"))).toMatchObject({ kind: "noted" });
  });

  it("hands a claim on that was held for too long", async () => {
    const log = await open();
    const key = randomUUID();
    await log.sent(intentOf(randomUUID(), key));
    expect(await log.sent({ ...intentOf(randomUUID(), key), claimHoldsMs: -1 })).toMatchObject({
      kind: "noted",
    });
  });
});

describe("the record of effects in PostgreSQL", () => {
  it("takes no intent from a worker whose lane was leased by another, or given back", async () => {
    const lane = await lease(1);
    const log = ledger.effectLog(lane.lease, lane.mail[0]!.delivery);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const again = await ledger.claim("desk", [lane.lease.lane], 60_000);
    expect(again).toMatchObject({
      kind: "leased",
      lanes: [{ mail: [{ delivery: lane.mail[0]!.delivery }] }],
    });
    const effect = randomUUID();
    expect(await log.sent(intentOf(effect, effect))).toEqual({ kind: "lost" });
    expect(await log.read(effect)).toEqual([]);
    expect(await log.link("ticket", effect)).toBeUndefined();
  });

  it("knows an effect on one target from the same effect on another", async () => {
    const lane = await lease();
    const delivery = lane.mail[0]!.delivery;
    const effect = randomUUID();
    const log = ledger.effectLog(lane.lease, delivery);
    await log.sent(intentOf(effect));
    await log.done({ effectKey: effect, step: "create", tries: 1 }, { id: "7" });
    const order = randomUUID();
    await ledger.append(appendOf(failedFulfillment(order, order), { target: "other" }));
    const claim = await ledger.claim("other", [`order/${order}`], 60_000);
    if (claim.kind !== "leased" || claim.lanes[0] === undefined) throw new Error("no lane was leased");
    const other = ledger.effectLog(claim.lanes[0].lease, delivery);
    expect(await other.read(effect)).toEqual([]);
    expect(await other.sent(intentOf(effect))).toEqual({ kind: "noted", tries: 1 });
    expect(await log.read(effect)).toMatchObject([{ state: "done", object: { id: "7" } }]);
  });

  it("keeps no key as it is", async () => {
    const log = await openLog();
    const key = `customer:${randomUUID()}@example.com`;
    await log.sent(intentOf(randomUUID(), key));
    const { rows } = await ledger.pool.query(
      "select 1 from link l, effect e where l.key like 'customer:%' or e.link_key like 'customer:%'",
    );
    expect(rows).toEqual([]);
  });

  it("claims a key that another effect lets go of at the same moment", async () => {
    // Between its two looks at the row, a claim of this key waits for us.
    const { pool } = ledger;
    const [first, second, key] = [randomUUID(), randomUUID(), randomUUID()];
    const [one, other] = [await openLog(), await openLog()];
    await one.sent(intentOf(first, key));
    await pool.query(`create function wait_here() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock(4711); return null; end $$`);
    await pool.query("create trigger wait after insert on link execute function wait_here()");
    const gate = await pool.connect();
    await gate.query("select pg_advisory_lock(4711)");
    const claimed = other.sent(intentOf(second, key));
    await expect
      .poll(
        async () => (await pool.query("select 1 from pg_locks where objid = 4711 and not granted")).rowCount,
      )
      .toBe(1);
    await one.planned({ effectKey: first, step: "create", tries: 1 });
    await gate.query("select pg_advisory_unlock(4711)");
    gate.release();
    expect(await claimed).toMatchObject({ kind: "noted" });
    await pool.query("drop trigger wait on link");
    expect(await one.sent(intentOf(first, key))).toEqual({ kind: "busy" });
  });

  it("settles many claims to the same keys from several lanes at once, one object a key", async () => {
    const logs = await Promise.all(Array.from({ length: 12 }, openLog));
    const keys = Array.from({ length: 5 }, () => randomUUID());
    const made = await Promise.all(
      logs.map(async (log) => {
        const answers = await Promise.all(
          keys.toSorted(() => Math.random() - 0.5).map((key) => log.sent(intentOf(randomUUID(), key))),
        );
        return answers.filter(({ kind }) => kind === "noted").length;
      }),
    );
    expect(made.reduce((sum, count) => sum + count, 0)).toBe(keys.length);
  });

  it("forgets effects with their deliveries", async () => {
    const lane = await lease();
    const delivery = lane.mail[0]!.delivery;
    const effect = randomUUID();
    const log = ledger.effectLog(lane.lease, delivery);
    await log.sent(intentOf(effect));
    await log.done({ effectKey: effect, step: "create", tries: 1 }, { id: "1" });
    const attempt = { startedAt: Date.now(), durationMs: 1, outcome: "done" as const, receipts: [] };
    await ledger.settle(lane.lease, [{ delivery, status: "done", counts: true, attempt }], 60_000);
    expect(await log.read(effect)).toHaveLength(1);
    await ledger.prune(Date.now() + 60_000, 1000, new AbortController().signal);
    expect(await log.read(effect)).toEqual([]);
  });
});
