import { expect, it } from "vitest";
import type { ExportConfig } from "../../src/config/config.ts";
import { watchExports } from "../../src/export/gauges.ts";
import { startExportTimetables } from "../../src/export/timetables.ts";
import type { Engine } from "../../src/jobs/engine.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import type { Queue, TickHandler, Timetable } from "../../src/queue/queue.ts";
import { createArraySource } from "../support/array-source.ts";
import { exportConfig, exportStand, ticketRow } from "../support/export-stand.ts";
import { openLedgers } from "../support/ledgers.ts";
import { memorySinkFixture } from "../support/memory-sink.ts";

/** A queue whose ticks the test gives. */
function manualQueue() {
  const set = new Map<string, { readonly timetable: Timetable; readonly handler: TickHandler }>();
  const left = new Set<string>();
  const queue: Partial<Queue> = {
    schedule: async (name, timetable, handler) => {
      set.set(name, { timetable, handler });
      left.add(name);
      return { close: async () => void set.delete(name) };
    },
    unschedule: async (name) => void left.delete(name),
    scheduled: async () => [...left],
  };
  return {
    queue,
    left,
    timetables: () => Object.fromEntries([...set].map(([name, { timetable }]) => [name, timetable])),
    tick: (name: string, dueAt: number, signal = new AbortController().signal) =>
      set.get(name)?.handler(signal, dueAt),
  };
}

async function process(ledger: PostgresLedger, exports: ExportConfig[], now: () => number) {
  const source = createArraySource();
  source.put("tickets", ticketRow("tkt_1"));
  const manual = manualQueue();
  const { engine } = exportStand({ exports, ledger, source, sink: memorySinkFixture().sink });
  const own: Engine = { ...engine, queue: manual.queue as Queue, now };
  return { ...manual, engine: own, source, start: () => startExportTimetables(own) };
}

const nightly = () =>
  exportConfig(`datasets: [tickets], schedule: { cron: "15 2 * * *", timezone: Europe/Berlin }`);
const triggersOf = async (ledger: PostgresLedger) =>
  (await ledger.exports.runs({ limit: 20 })).map(({ trigger, state }) => `${trigger} ${state}`);

/** Puts the ledger's record of an export's timetable back in time. */
const since = (ledger: PostgresLedger, time: string) =>
  ledger.pool.query("update export_schedule set since = $1", [time]);

it("an export that is new waits for its time; a tick runs it, and the same tick again does nothing", async () => {
  const { ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  const one = await process(ledger, [await nightly()], Date.now);
  const timetables = await one.start();
  expect(one.timetables()).toEqual({ "export:nightly": { cron: "15 2 * * *", timezone: "Europe/Berlin" } });
  await timetables.close(1000);
  expect(await triggersOf(ledger)).toEqual([]);
  const again = await one.start();
  const dueAt = Date.now();
  await one.tick("export:nightly", dueAt);
  await one.tick("export:nightly", dueAt);
  expect(await triggersOf(ledger)).toEqual(["schedule done"]);
  await again.close(1000);
});

it("what was missed while everything was down is run once, by one process of several", async () => {
  const { ledgers } = await openLedgers(3);
  const exports = [await nightly()];
  const now = Date.parse("2026-11-27T09:00:00Z");
  const first = await process(ledgers[0], exports, () => now);
  await (await first.start()).close(1000);
  // Three nights have gone by since.
  await since(ledgers[0], "2026-11-24T12:00:00Z");
  const started = await Promise.all(
    ledgers.map(async (ledger) => (await process(ledger, exports, () => now)).start()),
  );
  await expect.poll(() => triggersOf(ledgers[0])).toEqual(["catch-up done"]);
  await Promise.all(started.map((one) => one.close(1000)));
  const later = await first.start();
  await later.close(1000);
  expect(await triggersOf(ledgers[0])).toEqual(["catch-up done"]);
  expect((await ledgers[0].exports.standings())[0]?.doneUntil).toBeGreaterThanOrEqual(
    Date.parse("2026-11-27T01:15:00Z"),
  );
});

it("a run that was broken off by a shutdown is caught up at the next start, one that failed is not", async () => {
  const { ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  // The evening before: the first start has nothing to catch up on.
  let now = Date.parse("2026-11-26T20:00:00Z");
  const one = await process(ledger, [await nightly()], () => now);
  const timetables = await one.start();
  await since(ledger, "2026-11-26T12:00:00Z");
  const stop = new AbortController();
  stop.abort(new Error("stopped"));
  const dueAt = Date.parse("2026-11-27T01:15:00Z");
  await one.tick("export:nightly", dueAt, stop.signal);
  expect(await triggersOf(ledger)).toEqual(["schedule aborted"]);
  await timetables.close(1000);
  now = Date.parse("2026-11-27T09:00:00Z");
  const next = await one.start();
  await expect.poll(() => triggersOf(ledger)).toEqual(["catch-up done", "schedule aborted"]);
  await next.close(1000);
});

it("a timetable that changes has missed nothing, and one that is configured no more is gone", async () => {
  const { ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  const exports = [await nightly()];
  const one = await process(ledger, exports, Date.now);
  const timetables = await one.start();
  await since(ledger, "2026-11-01T00:00:00Z");
  exports[0] = await exportConfig(`datasets: [tickets], schedule: { cron: "0 5 * * *" }`);
  await timetables.refresh();
  expect(one.timetables()).toEqual({ "export:nightly": { cron: "0 5 * * *", timezone: "UTC" } });
  expect((await ledger.exports.standings())[0]?.scheduledSince).toBeGreaterThan(Date.now() - 60_000);
  exports[0] = await exportConfig("datasets: [tickets]");
  await timetables.refresh();
  expect([one.timetables(), [...one.left]]).toEqual([{}, []]);
  await timetables.close(1000);
});

it("a run that is under way elsewhere leaves a tick out; that, and how fresh the export is, can be read", async () => {
  const { ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  let now = Date.now();
  const one = await process(ledger, [await nightly()], () => now);
  watchExports(one.engine);
  const timetables = await one.start();
  const right = await ledger.exports.begin({
    export: "nightly",
    trigger: "hand",
    mode: { kind: "incremental" },
    config: "",
  });
  await one.tick("export:nightly", now);
  await right?.end({ state: "done" });
  await one.tick("export:nightly", now + 60_000);
  now += 3 * 86_400_000;
  const text = await one.engine.metrics.render();
  expect(text).toContain('deskbridge_export_runs_total{export="nightly",outcome="busy"} 1');
  expect(text).toContain('deskbridge_export_runs_total{export="nightly",outcome="done"} 1');
  expect(text).toContain(
    'deskbridge_export_rows_total{export="nightly",dataset="tickets",change="inserted"} 1',
  );
  expect(text).toMatch(/deskbridge_export_last_success_timestamp_seconds\{export="nightly"\} 1[78]\d{8}/);
  const overdue = Number(/export_overdue_seconds\{export="nightly"\} ([\d.]+)/.exec(text)?.[1]);
  // Due the first night after the run, and not since.
  expect(overdue).toBeGreaterThan(2 * 86_400 - 60);
  expect(overdue).toBeLessThanOrEqual(3 * 86_400);
  expect(text).toMatch(/deskbridge_export_lag_seconds\{export="nightly",table="tickets"\} \d+/);
  await timetables.close(1000);
});
