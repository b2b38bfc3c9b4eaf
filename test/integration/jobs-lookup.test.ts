import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { WriteFault } from "../support/lookup-desk.ts";
import { createLookupDesk } from "../support/lookup-desk.ts";
import type { Flow } from "../../src/flows/flow.ts";
import { startWorker } from "../../src/jobs/worker.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import { createLedgerReader } from "../../src/ledger/reader.ts";
import type { Operation } from "../../src/model/operation.ts";
import type { Ring, RingOutcome } from "../../src/queue/queue.ts";
import type { CrashPointName } from "../../src/telemetry/crash-point.ts";
import { flowOf, testEngine } from "../support/engine.ts";
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
  await ledger.pool.query(
    "truncate event, delivery, attempt, effect, link, lane_lease, target_pause restart identity",
  );
});

function openTicket(key: string): Operation {
  return {
    name: "ticket.open",
    input: {
      key,
      requester: { email: "buyer@example.com" },
      subject: key,
      message: `About ${key}.`,
      visibility: "public",
      tags: [],
      orders: [],
      onClosed: "reopen",
    },
  };
}

interface Stage {
  readonly lookup: ReturnType<typeof createLookupDesk>;
  /** Rings for the orders again and again until every delivery stands as expected. */
  readonly until: (orders: readonly string[], expected: Readonly<Record<string, number>>) => Promise<void>;
}

/** A worker on a desk that can only be asked; `crash` may throw at a crash point, as a process that ends there would. */
async function openStage(
  options: {
    readonly faults?: readonly WriteFault[];
    readonly crash?: (name: CrashPointName) => void;
    readonly flow?: Partial<Flow>;
  } = {},
): Promise<Stage> {
  const lookup = createLookupDesk(0.05, 0.2);
  lookup.faults.push(...(options.faults ?? []));
  let handler: ((ring: Ring, signal: AbortSignal) => Promise<RingOutcome>) | undefined;
  const engine = {
    ...testEngine({
      connections: { desk: { desk: lookup.desk } },
      flows: [flowOf({ map: (event) => [openTicket(event.subject)], ...options.flow })],
      ledger,
      queue: {
        work: async (_target, _concurrency, handle) => {
          handler = handle;
          return { close: async () => undefined };
        },
      },
    }),
    crashPoint: options.crash ?? (() => undefined),
    random: () => 0,
  };
  const worker = await startWorker(engine, "desk", 4);
  const deliveries = async (): Promise<unknown> =>
    (await createLedgerReader(ledger.pool).counts()).deliveries;
  const until: Stage["until"] = async (orders, expected) => {
    const lanes = orders.map((order) => `order/${order}`);
    await vi.waitFor(
      async () => {
        await handler?.({ target: "desk", lanes, priority: "live" }, new AbortController().signal);
        expect(await deliveries()).toMatchObject(expected);
      },
      { timeout: 20_000, interval: 60 },
    );
  };
  onTestFinished(() => worker.close(5000));
  return { lookup, until };
}

async function append(order: string, ...ids: string[]): Promise<void> {
  for (const id of ids) await ledger.append(appendOf(failedFulfillment(id, order)));
}

describe("a worker on a desk that takes no idempotency keys", () => {
  it("makes each write once, although answers are lost", async () => {
    const stage = await openStage({ faults: ["lost", "nonsense", "lost"] });
    await append("1", "a", "b");
    await append("2", "c");
    await stage.until(["1", "2"], { done: 3, pending: 0, dead: 0 });
    const said = stage.lookup.tickets.map(({ key, messages }) => [key, messages.length]);
    expect(said.toSorted()).toEqual([
      ["order/1", 2],
      ["order/2", 1],
    ]);
  });

  it.each(["effect.sent", "effect.answered", "effect.recorded", "effect.looked_up"] as const)(
    "makes each write once, although it breaks off at %s",
    async (point) => {
      let left = 2;
      const stage = await openStage({
        // Only after a loss is anything looked up.
        faults: point === "effect.looked_up" ? ["lost", "lost"] : [],
        crash: (name) => {
          if (name !== point || left === 0) return;
          left -= 1;
          throw new Error(`broken off at ${name}`);
        },
      });
      await append("1", "a", "b", "c");
      await stage.until(["1"], { done: 3, pending: 0, dead: 0 });
      expect(left).toBe(0);
      expect(stage.lookup.tickets.map(({ messages }) => messages.length)).toEqual([3]);
    },
  );

  it("lets two lanes that name the same new ticket make one", async () => {
    const stage = await openStage({ flow: { map: () => [openTicket("customer:7")] }, faults: ["lost"] });
    await append("1", "a");
    await append("2", "b");
    await append("3", "c");
    await stage.until(["1", "2", "3"], { done: 3, pending: 0, dead: 0 });
    expect(stage.lookup.tickets.map(({ messages }) => messages.length)).toEqual([3]);
  });

  it("sends the operations of a corrected mapping, and not again what was done before", async () => {
    let broken = true;
    const stage = await openStage({
      flow: {
        map: (event) => [
          openTicket(event.subject),
          { name: "ticket.note", input: { key: broken ? "nowhere" : event.subject, message: "A note." } },
        ],
      },
    });
    await append("1", "a");
    await stage.until(["1"], { dead: 1 });
    broken = false;
    await ledger.pool.query("update delivery set status = 0, due_at = clock_timestamp() where status = 3");
    await stage.until(["1"], { done: 1, pending: 0, dead: 0 });
    expect(stage.lookup.tickets).toHaveLength(1);
    expect(stage.lookup.tickets[0]?.messages.map(({ text }) => text)).toEqual(["About order/1.", "A note."]);
    expect(stage.lookup.calls.filter((name) => name === "create")).toHaveLength(1);
  });
});
