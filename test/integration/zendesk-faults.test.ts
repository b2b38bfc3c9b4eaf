import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import connector from "../../connectors/zendesk/index.ts";
import { startWorker } from "../../src/jobs/worker.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import { createLedgerReader } from "../../src/ledger/reader.ts";
import type { Ring, RingOutcome } from "../../src/queue/queue.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { flowOf, testEngine } from "../support/engine.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";
import { htmlPage, rateLimited, seededFaults, serverError } from "../support/vendor-faults.ts";
import { opening } from "../support/zendesk-bench.ts";
import { openZendeskStub } from "../support/zendesk-stub.ts";

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

const faults = [
  { kind: "drop", when: "before" },
  { kind: "drop", when: "after" },
  { kind: "truncate" },
  htmlPage("after"),
  htmlPage("before"),
  serverError("after"),
  rateLimited(0),
] as const;

const orders = ["1", "2", "3", "4", "5"];
const perOrder = 6;

describe("a worker on zendesk with a third of the writes going wrong", () => {
  it("opens each ticket once and adds each message once, in order", async () => {
    const stub = await openZendeskStub({ faults: seededFaults("zendesk", 0.35, faults) });
    const context = createTestContext({ connection: "desk" });
    const settings = { subdomain: "acme", accessToken: "good", apiUrl: stub.url, lookupLagSeconds: 0 };
    const opened = await connector.open(connector.config.parse(settings), context);
    // The stub acts at once or not at all: no need to wait as long as for a call that may be under way still.
    const desk = {
      ...opened.desk!,
      idempotency: { kind: "lookup", lagSeconds: 0, callSeconds: 0.1 } as const,
    };
    let handler: ((ring: Ring, signal: AbortSignal) => Promise<RingOutcome>) | undefined;
    const engine = testEngine({
      connections: { desk: { desk } },
      flows: [
        flowOf({
          map: ({ id, subject }) => [
            { name: "ticket.open", input: opening({ key: subject, message: id, tags: ["late"] }) },
          ],
        }),
      ],
      ledger,
      queue: {
        work: async (_target, _concurrency, handle) => {
          handler = handle;
          return { close: async () => undefined };
        },
      },
    });
    const worker = await startWorker({ ...engine, random: () => 0 }, "desk", 4);
    for (let turn = 0; turn < perOrder; turn += 1) {
      for (const order of orders) await ledger.append(appendOf(failedFulfillment(`${order}-${turn}`, order)));
    }
    const lanes = orders.map((order) => `order/${order}`);
    const reader = createLedgerReader(ledger.pool);
    await vi.waitFor(
      async () => {
        await handler?.({ target: "desk", lanes, priority: "live" }, new AbortController().signal);
        const { deliveries } = await reader.counts();
        expect(deliveries).toMatchObject({ done: orders.length * perOrder, pending: 0, dead: 0 });
      },
      { timeout: 60_000, interval: 50 },
    );
    await worker.close(5000);
    context.close();
    await stub.close();
    const said = stub.tickets.map(({ externalId, comments }) => [
      externalId,
      comments.map(({ body }) => body),
    ]);
    const turns = Array.from({ length: perOrder }, (_, turn) => turn);
    expect(said.toSorted()).toEqual(
      orders.map((order) => [`order/${order}`, turns.map((turn) => `${order}-${turn}`)]),
    );
  }, 90_000);
});
