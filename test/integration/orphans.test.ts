import { afterAll, beforeAll, expect, it } from "vitest";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedger } from "../../src/ledger/postgres.ts";
import { createLedgerReader } from "../../src/ledger/reader.ts";
import { createSweeper } from "../../src/schedule/sweeper.ts";
import { flowOf, testEngine } from "../support/engine.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { freshDatabase } from "../support/postgres.ts";

let database: FreshDatabase;
let ledger: PostgresLedger;

beforeAll(async () => {
  database = await freshDatabase();
  ledger = await openLedger({ databaseUrl: database.url, maxWaitingAppends: 100, onError: () => undefined });
});
afterAll(async () => {
  await ledger.close();
  await database.drop();
});

it("mail for a target that no flow writes to becomes dead letters after ten minutes, and lives again with the target", async () => {
  let now = 0;
  const engine = testEngine({
    ledger,
    flows: [flowOf({ target: "desk" })],
    queue: { depth: async () => ({ waiting: 0, active: 0, delayed: 0 }) },
    now: () => now,
  });
  await ledger.append(appendOf(failedFulfillment("a", "1"), { target: "gone" }));
  await ledger.append(appendOf(failedFulfillment("b", "2"), { target: "gone" }));
  await ledger.append(appendOf(failedFulfillment("c", "3"), { target: "desk" }));
  const sweeper = createSweeper(engine);
  const reader = createLedgerReader(ledger.pool);

  expect(await sweeper.sweep(0)).toBe(1);
  now += 599_000;
  await sweeper.sweep(0);
  expect((await reader.counts()).deliveries).toMatchObject({ pending: 3, dead: 0 });
  expect(engine.rings.every(({ target }) => target === "desk")).toBe(true);

  now += 2000;
  await sweeper.sweep(0);
  expect((await reader.counts()).deliveries).toMatchObject({ pending: 1, dead: 2 });
  const letters = await reader.deadLetters({ limit: 10 });
  expect(letters.map(({ code, target }) => [code, target])).toEqual([
    ["connection_unknown", "gone"],
    ["connection_unknown", "gone"],
  ]);

  // A target that comes back in time starts anew.
  await ledger.append(appendOf(failedFulfillment("d", "4"), { target: "moved" }));
  await sweeper.sweep(0);
  const restored = testEngine({
    ledger,
    flows: [flowOf({ target: "moved" })],
    queue: { depth: async () => ({ waiting: 0, active: 0, delayed: 0 }) },
  });
  await createSweeper(restored).sweep(0);
  expect(restored.rings.map(({ target }) => target)).toEqual(["moved"]);
});

it("a lane that nobody rang for is found within a minute behind a long backlog of a busy target", async () => {
  await ledger.pool.query("truncate event, delivery, attempt restart identity");
  for (let n = 0; n < 12; n += 1)
    await ledger.append(appendOf(failedFulfillment(`b${n}`, `b${n}`), { target: "busy" }));
  await ledger.append(appendOf(failedFulfillment("quiet", "quiet"), { target: "quiet" }));
  const engine = testEngine({
    // The backlog is as long as a sweep looks.
    ledger: { ...ledger, dueLanes: (_limit, options) => ledger.dueLanes(12, options) },
    flows: [flowOf({ name: "one", target: "busy" }), flowOf({ name: "two", target: "quiet" })],
    queue: { depth: async (target) => ({ waiting: target === "busy" ? 100 : 0, active: 0, delayed: 0 }) },
  });
  const sweeper = createSweeper(engine);
  for (let sweeps = 0; sweeps < 12; sweeps += 1) await sweeper.sweep(0);
  expect(engine.rings.map(({ target }) => target)).toEqual(["quiet"]);
});
