import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { Engine } from "../../src/jobs/engine.ts";
import type { TargetWorker } from "../../src/jobs/worker.ts";
import { startWorker } from "../../src/jobs/worker.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import { createLedgerReader } from "../../src/ledger/reader.ts";
import type { Ring, RingOutcome } from "../../src/queue/queue.ts";
import { createSweeper } from "../../src/schedule/sweeper.ts";
import type { CallGate } from "../../src/sdk/call-gate.ts";
import type { EffectReceipt } from "../../src/sdk/desk.ts";
import { createHttpClient } from "../../src/sdk/http-client.ts";
import type { RingCall } from "../support/engine.ts";
import { testEngine } from "../support/engine.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";

let database: FreshDatabase;
let ledger: PostgresLedger;

beforeAll(async () => {
  database = await freshDatabase();
  ledger = await openLedger({ databaseUrl: database.url, maxWaitingAppends: 1000, onError: () => undefined });
});
afterAll(async () => {
  await ledger.close();
  await database.drop();
});
beforeEach(async () => {
  await ledger.pool.query("truncate event, delivery, attempt, lane_lease, target_pause restart identity");
});

type Close = (key: string, signal: AbortSignal) => Promise<void>;

interface Bench {
  readonly engine: Engine & { readonly rings: RingCall[] };
  readonly worker: TargetWorker;
  /** Hands a ring for these orders to the worker, as the queue would. */
  readonly ring: (...orders: string[]) => Promise<RingOutcome>;
  readonly statuses: () => Promise<unknown>;
  /** Waits until the deliveries stand as expected, then closes the worker. */
  readonly until: (expected: Readonly<Record<string, number>>) => Promise<void>;
}

async function startBench(
  close: Close,
  concurrency = 4,
  other: Partial<PostgresLedger> = {},
): Promise<Bench> {
  let handler: ((ring: Ring, signal: AbortSignal) => Promise<RingOutcome>) | undefined;
  const run = async (input: unknown, call: { signal: AbortSignal }): Promise<EffectReceipt> => {
    await close((input as { key: string }).key, call.signal);
    return { result: "updated", kind: "ticket" };
  };
  const engine = testEngine({
    connections: {
      desk: {
        desk: { idempotency: { kind: "key", windowSeconds: 60 }, operations: { "ticket.close": run } },
      },
    },
    ledger: { ...ledger, ...other },
    queue: {
      work: async (_target, _concurrency, handle) => {
        handler = handle;
        return { close: async () => undefined };
      },
      depth: async () => ({ waiting: 0, active: 0, delayed: 0 }),
    },
  });
  const worker = await startWorker(engine, "desk", concurrency);
  const ring = (...orders: string[]): Promise<RingOutcome> => {
    if (handler === undefined) throw new Error("the worker took no handler");
    const lanes = orders.map((order) => `order/${order}`);
    return handler({ target: "desk", lanes, priority: "live" }, new AbortController().signal);
  };
  const statuses = async (): Promise<unknown> => (await createLedgerReader(ledger.pool).counts()).deliveries;
  const until = async (expected: Readonly<Record<string, number>>): Promise<void> => {
    await vi.waitFor(async () => expect(await statuses()).toMatchObject(expected), { timeout: 10_000 });
    await worker.close(5000);
  };
  return { engine, worker, ring, statuses, until };
}

async function append(order: string, ...ids: string[]): Promise<void> {
  for (const id of ids) await ledger.append(appendOf(failedFulfillment(id, order)));
}

describe("a worker", () => {
  it("works a lane off in order and several lanes side by side, up to its concurrency", async () => {
    const order: string[] = [];
    let now = 0;
    let most = 0;
    const bench = await startBench(async (key) => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(key);
      now -= 1;
    }, 3);
    for (const lane of ["1", "2", "3", "4", "5", "6"]) await append(lane, `${lane}-a`, `${lane}-b`);
    expect(await bench.ring("1", "2", "3", "4", "5", "6")).toEqual({ kind: "done" });
    await bench.until({ pending: 0, done: 12, skipped: 0, dead: 0 });
    expect(most).toBe(3);
    expect(order).toHaveLength(12);
  });

  it("calls the target for the next lane while the results of the last one are on their way to the disk", async () => {
    const disk = Promise.withResolvers<void>();
    const seen: string[] = [];
    const settle: PostgresLedger["settle"] = async (...args) => {
      await disk.promise;
      return ledger.settle(...args);
    };
    const bench = await startBench(async (key) => void seen.push(key), 1, { settle });
    for (const lane of ["1", "2", "3"]) await append(lane, lane);
    await bench.ring("1", "2", "3");
    await vi.waitFor(() => expect(seen).toHaveLength(3));
    expect(await bench.statuses()).toMatchObject({ pending: 3 });
    disk.resolve();
    await bench.until({ done: 3, pending: 0 });
  });

  it("leases no more than a few lanes for each call that it may make at a time", async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const bench = await startBench(async () => {
      started.resolve();
      await finish.promise;
    }, 1);
    const lanes = ["1", "2", "3", "4", "5", "6", "7"];
    for (const lane of lanes) await append(lane, lane);
    const first = bench.ring("1");
    await started.promise;
    const others = lanes.slice(1).map((lane) => bench.ring(lane));
    await Promise.all(others.slice(0, 5));
    const { rows } = await ledger.pool.query("select lane from lane_lease");
    expect(rows).toHaveLength(6);
    finish.resolve();
    expect(await Promise.all([first, ...others])).toEqual(lanes.map(() => ({ kind: "done" })));
    await bench.until({ done: 7, pending: 0 });
  });

  it("hands a ring that waits to be handled back when it is closed", async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const bench = await startBench(async () => {
      started.resolve();
      await finish.promise;
    }, 1);
    for (const lane of ["1", "2", "3", "4", "5", "6", "7"]) await append(lane, lane);
    await bench.ring("1");
    await started.promise;
    await bench.ring("2", "3", "4", "5", "6");
    const waiting = bench.ring("7");
    const closed = bench.worker.close(5000);
    expect(await waiting).toMatchObject({ kind: "snooze" });
    finish.resolve();
    await closed;
    expect(await bench.statuses()).toMatchObject({ done: 1, pending: 6 });
  });

  it("stops a lane at a delivery that must be tried again, and has it rung for when it is due", async () => {
    const seen: string[] = [];
    let failures = 1;
    const bench = await startBench(async (key) => {
      seen.push(key);
      if (failures > 0) {
        failures -= 1;
        throw new AppError("target_unavailable", "down");
      }
    });
    await append("1", "e1", "e2", "e3");
    const before = Date.now();
    await bench.ring("1");
    await vi.waitFor(() => expect(bench.engine.rings).toHaveLength(1));
    await bench.until({ pending: 3 });
    expect(seen).toHaveLength(1);
    expect(bench.engine.rings[0]).toMatchObject({ target: "desk", lanes: ["order/1"] });
    expect(bench.engine.rings[0]?.options.at).toBeGreaterThan(before + 300);
    const again = await startBench(async (key) => void seen.push(key));
    await ledger.pool.query("update delivery set due_at = clock_timestamp()");
    await again.ring("1");
    await again.until({ done: 3, pending: 0 });
  });

  it("lets a lane go on behind a dead delivery", async () => {
    let calls = 0;
    const bench = await startBench(async () => {
      calls += 1;
      if (calls === 1) throw new AppError("target_rejected", "no such field");
    });
    await append("1", "e1", "e2");
    await bench.ring("1");
    await bench.until({ dead: 1, done: 1, pending: 0 });
    expect(calls).toBe(2);
  });

  it("leaves a target alone that asked for it: lanes stop, rings come back later, no attempt is spent", async () => {
    let calls = 0;
    const bench = await startBench(async () => {
      calls += 1;
      throw new AppError("target_rate_limited", "slow down", { retryAfterMs: 60_000 });
    }, 1);
    await append("1", "e1", "e2");
    await append("2", "e3");
    await bench.ring("1", "2");
    await vi.waitFor(() => expect(bench.engine.rings).toHaveLength(2));
    const outcome = await bench.ring("2");
    await bench.worker.close(5000);
    expect(calls).toBe(1);
    expect(outcome.kind === "snooze" && outcome.until).toBeGreaterThan(Date.now() + 50_000);
    const { rows } = await ledger.pool.query("select distinct status, attempts from delivery");
    expect(rows).toEqual([{ status: 0, attempts: 0 }]);
    expect(bench.engine.rings.every((ring) => (ring.options.at ?? 0) > Date.now() + 50_000)).toBe(true);
  });

  it("finds mail that comes while it works, without another ring", async () => {
    const bench = await startBench(async (key) => {
      if (key === "order/1") await append("1", "late").catch(() => undefined);
    });
    await append("1", "e1");
    await bench.ring("1");
    // The two copies of `late` are the same event.
    await bench.until({ done: 2, pending: 0 });
    expect(bench.engine.rings).toEqual([]);
  });

  it("finishes what is under way when it is closed and begins nothing more", async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const bench = await startBench(async () => {
      started.resolve();
      await finish.promise;
    });
    await append("1", "e1", "e2");
    await bench.ring("1");
    await started.promise;
    const closed = bench.worker.close(5000);
    finish.resolve();
    await closed;
    expect(await bench.statuses()).toMatchObject({ done: 1, pending: 1 });
    expect((await ledger.claim("desk", ["order/1"], 1000)).kind).toBe("leased");
  });

  it("does not wait for a call that waits for its turn when it is closed; the delivery is due again at once", async () => {
    const waiting = Promise.withResolvers<void>();
    const gate: CallGate = {
      take: (_weight, _priority, signal) =>
        new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(new Error("aborted")));
          waiting.resolve();
        }),
      giveBack: () => undefined,
      learn: () => undefined,
    };
    const client = createHttpClient({ baseUrl: "http://127.0.0.1:9" }, { now: Date.now, gate: () => gate });
    const bench = await startBench(
      async (_key, signal) => void (await client.request({ method: "POST", path: "/", signal })),
    );
    await append("1", "a");
    await bench.ring("1");
    await waiting.promise;
    const closedFrom = performance.now();
    await bench.worker.close(20_000);
    client.close();
    expect(performance.now() - closedFrom).toBeLessThan(5000);
    const { rows } = await ledger.pool.query("select status, attempts, due_at <= now() as due from delivery");
    expect(rows).toEqual([{ status: 0, attempts: 0, due: true }]);
  });

  it("cuts off a call that outlasts the shutdown; the delivery is due again at once", async () => {
    const bench = await startBench(
      (_key, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new Error("cut off"))),
        ),
    );
    await append("1", "e1");
    await bench.ring("1");
    await bench.worker.close(20);
    const { rows } = await ledger.pool.query(
      "select status, attempts, due_at <= clock_timestamp() as due from delivery",
    );
    expect(rows).toEqual([{ status: 0, attempts: 0, due: true }]);
  });

  it("keeps the result of a call until the database is back", async () => {
    let refusals = 3;
    let calls = 0;
    const settle: PostgresLedger["settle"] = async (...args) => {
      if (refusals > 0) {
        refusals -= 1;
        throw new AppError("ledger_unavailable", "away");
      }
      return ledger.settle(...args);
    };
    const bench = await startBench(async () => void (calls += 1), 1, { settle });
    await append("1", "e1");
    await bench.ring("1");
    await bench.until({ done: 1 });
    expect(calls).toBe(1);
  });

  it("hands a ring back for a moment while the database is away", async () => {
    const claim: PostgresLedger["claim"] = async () => {
      throw new AppError("ledger_unavailable", "away");
    };
    const bench = await startBench(async () => undefined, 1, { claim });
    expect(await bench.ring("1")).toMatchObject({ kind: "snooze" });
    await bench.worker.close(1000);
  });
});

describe("the sweeper", () => {
  it("rings for lanes whose ring was lost, in rings of fifty at most, unless plenty of rings are waiting", async () => {
    const bench = await startBench(async () => undefined);
    for (let n = 0; n < 120; n += 1) await append(String(n), `e${n}`);
    await ledger.pool.query("update delivery set due_at = clock_timestamp() - interval '1 minute'");
    expect(await createSweeper(bench.engine).sweep()).toBe(120);
    expect(bench.engine.rings.map((ring) => ring.lanes.length)).toEqual([50, 50, 20]);
    const busy = testEngine({
      connections: { desk: {} },
      ledger,
      queue: { depth: async () => ({ waiting: 100, active: 0, delayed: 0 }) },
    });
    expect(await createSweeper(busy).sweep()).toBe(0);
    await bench.worker.close(0);
  });
});
