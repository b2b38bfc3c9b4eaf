import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { Flow } from "../../src/flows/flow.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import type { LedgerReader } from "../../src/ledger/reader.ts";
import { createLedgerReader } from "../../src/ledger/reader.ts";
import type { Replays } from "../../src/ledger/replay.ts";
import { createReplays } from "../../src/ledger/replay.ts";
import { planReplay } from "../../src/schedule/replay-plan.ts";
import type { EventPlan } from "../../src/schedule/replay-plan.ts";
import type { ReplayCounts, ReplayRequest } from "../../src/schedule/replay.ts";
import { replay } from "../../src/schedule/replay.ts";
import type { DeskWorker } from "../support/desk-worker.ts";
import { startDeskWorker } from "../support/desk-worker.ts";
import { flowOf } from "../support/engine.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";

let database: FreshDatabase;
let ledger: PostgresLedger;
let reader: LedgerReader;
let replays: Replays;

beforeAll(async () => {
  database = await freshDatabase();
  ledger = await openLedger({ databaseUrl: database.url, maxWaitingAppends: 1000, onError: () => undefined });
  reader = createLedgerReader(ledger.pool);
  replays = createReplays(ledger.pool);
});
afterAll(async () => {
  await ledger.close();
  await database.drop();
});
beforeEach(async () => {
  await ledger.pool.query(
    "truncate event, delivery, attempt, intervention, effect, lane_lease, target_pause restart identity",
  );
});

/** Two operations for each event. */
const twoSteps: Flow = flowOf({
  map: (event) => [
    { name: "ticket.close", input: { key: event.subject } },
    { name: "ticket.note", input: { key: event.subject, message: `about ${event.id}` } },
  ],
});
const { signal } = new AbortController();

interface ReplayingDesk extends DeskWorker {
  readonly replay: (facts?: Partial<ReplayRequest>) => Promise<ReplayCounts>;
}

async function startDesk(flow: Flow, refuses?: (call: string) => boolean): Promise<ReplayingDesk> {
  const desk = await startDeskWorker(ledger, flow, refuses);
  const run = (facts: Partial<ReplayRequest> = {}): Promise<ReplayCounts> =>
    replay(
      { flow, since: "2026-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z", ...facts },
      { replays, queue: desk.engine.queue, onProgress: () => undefined },
      signal,
    );
  return { ...desk, replay: run };
}

async function append(order: string, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) await ledger.append(appendOf(failedFulfillment(id, order)));
}

async function planned(flow: Flow): Promise<readonly EventPlan[]> {
  const request = { flow, since: "2026-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z" };
  const plans: EventPlan[] = [];
  for await (const plan of planReplay(request, { replays, ledger }, signal)) plans.push(plan);
  return plans;
}

describe("a replay", () => {
  it("sends what was not carried out, in the order of the events, and nothing that was", async () => {
    await append("1", "e1", "e2");
    await append("2", "e3");
    const before = await startDesk(twoSteps, (call) => call === "note order/1 about e1");
    await before.work(["1", "2"]);
    expect(before.calls).toEqual(
      expect.arrayContaining(["close order/1", "close order/1", "note order/1 about e2", "close order/2"]),
    );
    const after = await startDesk(twoSteps);
    const counts = await after.replay();
    expect(counts).toEqual({ replayed: 3, pending: 0, failed: 0, fraction: 1 });
    expect(after.rings.map(({ lanes, options }) => [lanes, options.priority])).toEqual([
      [["order/1", "order/2"], "backfill"],
    ]);
    await after.work(["1", "2"]);
    expect(after.calls).toEqual(["note order/1 about e1"]);
    const [way] = await reader.wayOf("e1");
    expect(way?.deliveries).toMatchObject([
      {
        status: "skipped",
        reason: `replayed as delivery ${way?.deliveries[1]?.id}`,
        interventions: [{ kind: "replayed" }],
      },
      { status: "done", priority: "backfill", replayedAt: expect.any(String) as string },
    ]);
    expect(await reader.deadLetters({ limit: 10 })).toEqual([]);
  });

  it("runs an event that the flow did not take when it came", async () => {
    await ledger.append({ ...appendOf(failedFulfillment("e1", "1")), deliveries: [] });
    const desk = await startDesk(twoSteps);
    expect(await desk.replay()).toMatchObject({ replayed: 1 });
    await desk.work(["1"]);
    expect(desk.calls).toEqual(["close order/1", "note order/1 about e1"]);
  });

  it("leaves out what is pending, so two at the same time make one delivery each event", async () => {
    await append("1", "e1");
    const first = await startDesk(twoSteps);
    expect(await first.replay()).toMatchObject({ replayed: 0, pending: 1 });
    await first.work(["1"]);
    const both = await Promise.all([first.replay(), first.replay()]);
    expect(both.map(({ replayed }) => replayed).sort()).toEqual([0, 1]);
  });

  it("takes events of the time, the types and the number that it is told, over many pages", async () => {
    const receivedAt = Date.parse("2026-11-01T00:00:00Z");
    for (let n = 0; n < 450; n += 50) {
      const batch = Array.from({ length: 50 }, (_, i) => failedFulfillment(`e${n + i}`, String((n + i) % 7)));
      await ledger.appendPage(
        batch.map((event, i) => ({ ...appendOf(event), receivedAt: receivedAt + n + i, deliveries: [] })),
        { connection: "shop", source: "orders", cursor: { time: "2026-11-01T00:00:00Z", seen: [] } },
      );
    }
    const desk = await startDesk(twoSteps);
    const at = (ms: number): string => new Date(receivedAt + ms).toISOString();
    expect(await desk.replay({ since: at(10), until: at(40), limit: 5 })).toMatchObject({ replayed: 5 });
    expect(await desk.replay({ since: at(10), until: at(40) })).toMatchObject({ replayed: 25, pending: 5 });
    expect(await desk.replay({ types: ["order.created"] })).toMatchObject({ replayed: 0, pending: 0 });
    expect(await desk.replay()).toMatchObject({ replayed: 420, pending: 30, fraction: 1 });
    const { rows } = await ledger.pool.query<{ sorted: boolean }>(
      `select bool_and(ok) as sorted from (
         select sequence >= lag(sequence, 1, 0::bigint) over (partition by lane order by id) as ok from delivery where id > 30
       ) o`,
    );
    expect(rows).toEqual([{ sorted: true }]);
  });

  it("counts events whose lane fails, and makes no delivery of them", async () => {
    await append("1", "e1");
    await ledger.pool.query("update delivery set status = 1");
    const lane = (): string => {
      throw new AppError("mapping_failed", "the lane maps to nothing");
    };
    const desk = await startDesk(flowOf({ lane }));
    expect(await desk.replay()).toMatchObject({ replayed: 0, failed: 1 });
  });

  it("can be planned: what would be sent, what is on record, what would be skipped or fail", async () => {
    await append("1", "e1", "e2");
    await append("9", "e3");
    const desk = await startDesk(twoSteps, (call) => call === "note order/1 about e1");
    await desk.work(["1", "9"]);
    await append("9", "e4");
    const [first, second, third, fourth] = await planned({
      ...twoSteps,
      when: (event) => (event.id === "e3" ? { pass: false, reason: "not this one" } : { pass: true }),
    });
    expect(first).toMatchObject({
      kind: "deliver",
      operations: [
        { operation: "ticket.close", onRecord: { result: "updated", id: "order/1" } },
        { operation: "ticket.note", onRecord: undefined },
      ],
    });
    expect(second).toMatchObject({ kind: "deliver", operations: [{}, { onRecord: { id: "order/1" } }] });
    expect(third).toMatchObject({ kind: "skip", reason: "not this one" });
    expect(fourth).toMatchObject({ kind: "pending", id: "e4" });
    const fails = (): never => {
      throw new AppError("mapping_failed", "no such field");
    };
    expect((await planned({ ...twoSteps, map: fails }))[0]).toMatchObject({ kind: "fail" });
    expect((await reader.counts()).deliveries.pending).toBe(1);
  });
});
