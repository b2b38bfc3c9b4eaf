import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { Engine, OpenConnection } from "../../src/jobs/engine.ts";
import { createIntake } from "../../src/jobs/intake.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import { createLedgerReader } from "../../src/ledger/reader.ts";
import type { EventInput } from "../../src/model/event.ts";
import { backfill } from "../../src/schedule/backfill.ts";
import { poll } from "../../src/schedule/poller.ts";
import type { Page, ReadRequest } from "../../src/sdk/source.ts";
import type { RingCall } from "../support/engine.ts";
import { flowOf, testEngine } from "../support/engine.ts";
import { failedFulfillment } from "../support/events.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";

let database: FreshDatabase;
let ledger: PostgresLedger;
const now = Date.parse("2026-11-22T12:00:00Z");

beforeAll(async () => {
  database = await freshDatabase();
  ledger = await openLedger({ databaseUrl: database.url, maxWaitingAppends: 1000, onError: () => undefined });
});
afterAll(async () => {
  await ledger.close();
  await database.drop();
});
beforeEach(async () => {
  await ledger.pool.query("truncate event, delivery, attempt, source_cursor restart identity");
});

const minute = (n: number): string => `2026-11-22T10:${String(n).padStart(2, "0")}:00.000Z`;

function eventAt(n: number): EventInput {
  const { source: _source, ...event } = failedFulfillment(`e${n}`, String(n), { time: minute(n) });
  return event as EventInput;
}

/** A source with one event a minute, two a page, from the cursor on; `failAt` makes the read fail before that page. */
function minutely(requests: ReadRequest[], facts: { failAt?: number; bad?: number } = {}) {
  return async function* read(request: ReadRequest): AsyncGenerator<Page> {
    requests.push(request);
    const from = request.cursor?.time ?? minute(0);
    const numbers = Array.from({ length: 6 }, (_, n) => n).filter((n) => minute(n) >= from);
    for (let start = 0; start < numbers.length; start += 2) {
      if (facts.failAt !== undefined && start >= facts.failAt)
        throw new AppError("target_unavailable", "down");
      const page = numbers.slice(start, start + 2);
      const events = page.map((n) => (n === facts.bad ? { ...eventAt(n), data: {} } : eventAt(n)));
      yield { events: events as EventInput[], cursor: { time: minute(page.at(-1) ?? 0), seen: [] } };
    }
  };
}

function setUp(
  read: (request: ReadRequest) => AsyncIterable<Page>,
  skipHistory = false,
): { engine: Engine & { rings: RingCall[] }; opened: OpenConnection } {
  const engine = testEngine({
    ledger,
    flows: [flowOf()],
    now: () => now,
    connections: { shop: { sources: { orders: { description: "orders", every: "5m", read } } } },
  });
  const opened = engine.setup().connections.get("shop") as OpenConnection;
  return {
    engine,
    opened: {
      ...opened,
      config: { ...opened.config, poll: { everyMs: 1000, skipHistory, sources: undefined } },
    },
  };
}

const signal = new AbortController().signal;

describe("a poll", () => {
  it("stores every page with its cursor, rings for its lanes, and goes on from there", async () => {
    const requests: ReadRequest[] = [];
    const { engine, opened } = setUp(minutely(requests));
    const result = await poll(engine, createIntake(engine), opened, "orders", signal);
    expect(result).toEqual({ pages: 3, accepted: 6, duplicates: 0 });
    expect(engine.rings.map((ring) => ring.lanes[0])).toEqual([0, 1, 2, 3, 4, 5].map((n) => `order/${n}`));
    const again = await poll(engine, createIntake(engine), opened, "orders", signal);
    expect(requests[1]?.cursor).toEqual({ time: minute(5), seen: [] });
    expect(again).toEqual({ pages: 1, accepted: 0, duplicates: 1 });
  });

  it("that fails half way keeps what it stored, and the next one loses nothing", async () => {
    const requests: ReadRequest[] = [];
    const failing = setUp(minutely(requests, { failAt: 4 }));
    await expect(
      poll(failing.engine, createIntake(failing.engine), failing.opened, "orders", signal),
    ).rejects.toMatchObject({
      code: "target_unavailable",
    });
    expect(await ledger.cursor("shop", "orders")).toEqual({ time: minute(3), seen: [] });
    const { engine, opened } = setUp(minutely(requests));
    expect(await poll(engine, createIntake(engine), opened, "orders", signal)).toMatchObject({
      accepted: 2,
      duplicates: 1,
    });
    expect(await createLedgerReader(ledger.pool).counts()).toMatchObject({ events: 6 });
  });

  it("starts from now the first time when history is to be skipped", async () => {
    const requests: ReadRequest[] = [];
    const { engine, opened } = setUp(minutely(requests), true);
    await poll(engine, createIntake(engine), opened, "orders", signal);
    expect(requests[0]?.cursor).toEqual({ time: "2026-11-22T12:00:00.000Z", seen: [] });
    expect(await ledger.cursor("shop", "orders")).toEqual(requests[0]?.cursor);
  });

  it("keeps a record that is not canonical as a dead letter and goes on behind it", async () => {
    const { engine, opened } = setUp(minutely([], { bad: 2 }));
    expect(await poll(engine, createIntake(engine), opened, "orders", signal)).toMatchObject({ accepted: 6 });
    const dead = await createLedgerReader(ledger.pool).deadLetters({ limit: 10 });
    expect(dead).toMatchObject([{ flow: "(intake)", code: "webhook_malformed", eventId: "e2" }]);
    expect(dead[0]?.reason).toContain("fulfillment");
  });

  it("of a source that the connection does not have names those it has", async () => {
    const { engine, opened } = setUp(minutely([]));
    await expect(poll(engine, createIntake(engine), opened, "refunds", signal)).rejects.toMatchObject({
      code: "capability_missing",
      message: "connection shop has no source refunds; it has orders",
    });
  });
});

describe("a backfill", () => {
  it("waits behind live traffic, reports how far it is, and leaves the live cursor alone", async () => {
    const requests: ReadRequest[] = [];
    const { engine, opened } = setUp(minutely(requests));
    const fractions: number[] = [];
    const result = await backfill(
      engine,
      createIntake(engine),
      {
        connection: opened,
        source: "orders",
        since: minute(2),
        until: minute(6),
        onProgress: (progress) => fractions.push(progress.fraction),
      },
      signal,
    );
    expect(result).toEqual({ accepted: 4, duplicates: 0, fraction: 1 });
    expect(fractions).toEqual([0.25, 0.75, 1]);
    expect(requests[0]).toMatchObject({ until: minute(6), cursor: { time: minute(2) } });
    expect(await ledger.cursor("shop", "orders")).toBeUndefined();
    expect(engine.rings.every((ring) => ring.options.priority === "backfill")).toBe(true);
    const { rows } = await ledger.pool.query("select distinct priority from delivery");
    expect(rows).toEqual([{ priority: 1 }]);
  });
});
