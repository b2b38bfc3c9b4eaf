import { expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { DatasetSource } from "../../src/sdk/dataset-source.ts";
import type { Sink } from "../../src/sdk/sink.ts";
import { createArraySource } from "../support/array-source.ts";
import { appendOf, failedFulfillment } from "../support/events.ts";
import { exportConfig, exportStand, rowsIn, ticketRow } from "../support/export-stand.ts";
import { openLedgers } from "../support/ledgers.ts";
import { memorySinkFixture } from "../support/memory-sink.ts";

const rows = Array.from({ length: 12 }, (_, index) => ticketRow(`tkt_${100 + index}`));

async function stand(processes = 1) {
  const { ledgers } = await openLedgers(processes);
  const config = await exportConfig("datasets: [tickets], chunk: 3");
  const source = createArraySource();
  source.put("tickets", ...rows);
  const lake = memorySinkFixture();
  return { ledgers, config, source, lake };
}

/** A sink that waits for the test before it commits. */
function heldSink(inner: Sink) {
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const sink: Sink = {
    open: async (request) => {
      const writer = await inner.open(request);
      const commit: typeof writer.commit = async (commitRequest) => {
        reached.resolve();
        await go.promise;
        return writer.commit(commitRequest);
      };
      return { ...writer, commit };
    },
  };
  return { sink, reached: reached.promise, go: go.resolve };
}

it("of two processes that start the same run one does it, and the other hears that it is busy", async () => {
  const { ledgers, config, source, lake } = await stand(2);
  const [one, other] = ledgers;
  const held = heldSink(lake.sink);
  const running = exportStand({ exports: [config], ledger: one, source, sink: held.sink }).run();
  await held.reached;
  const second = exportStand({ exports: [config], ledger: other!, source, sink: lake.sink });
  await expect(second.run()).rejects.toMatchObject({ code: "export_busy" });
  held.go();
  expect(await running).toMatchObject({ state: "done", rows: 12 });
  expect(await rowsIn(lake, config)).toEqual(rows);
  expect(await second.run()).toMatchObject({ state: "done", rows: 0 });
});

it("a run that was overtaken publishes nothing more and says so", async () => {
  const { ledgers, config, source, lake } = await stand(2);
  const [slow, quick] = ledgers;
  const held = heldSink(lake.sink);
  const overtaken = exportStand({ exports: [config], ledger: slow, source, sink: held.sink }).run();
  await held.reached;
  // As when the process stood still for longer than its right lasts.
  await slow.pool.query("update export_lease set until = clock_timestamp() - interval '1 second'");
  const next = await exportStand({ exports: [config], ledger: quick!, source, sink: lake.sink }).run();
  expect(next).toMatchObject({ state: "done", rows: 12 });
  held.go();
  expect(await overtaken).toMatchObject({ state: "failed", fault: { code: "lease_lost" } });
  expect(await rowsIn(lake, config)).toEqual(rows);
  expect(await quick!.exports.runs({ limit: 2 })).toMatchObject([
    { run: next.run, state: "done" },
    { state: "aborted" },
  ]);
});

it("a run that is stopped ends at once, also while its source says nothing", async () => {
  const { ledgers, config, lake } = await stand();
  const asked = Promise.withResolvers<void>();
  const silent: DatasetSource = {
    datasets: ["tickets"],
    read: async function* read({ signal }) {
      asked.resolve();
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
      yield { changes: (async function* none() {})(), watermark: "" };
    },
  };
  const stop = new AbortController();
  const running = exportStand({ exports: [config], ledger: ledgers[0], source: silent, sink: lake.sink }).run(
    {
      signal: stop.signal,
    },
  );
  await asked.promise;
  stop.abort(new Error("the process is being stopped"));
  expect(await running).toMatchObject({ state: "aborted", rows: 0 });
  expect(await ledgers[0].exports.runs({ limit: 1 })).toMatchObject([{ state: "aborted", code: null }]);
});

it("the ledger being away for a moment after a commit costs another try, and no row", async () => {
  const { ledgers, config, source, lake } = await stand();
  const [ledger] = ledgers;
  let cut = 0;
  const cutting: Sink = {
    open: async (request) => {
      const writer = await lake.sink.open(request);
      const commit: typeof writer.commit = async (commitRequest) => {
        const receipt = await writer.commit(commitRequest);
        cut += 1;
        if (cut === 2) {
          await ledger.pool.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'deskbridge' and pid <> pg_backend_pid()",
          );
          await ledger.pool.query("select pg_terminate_backend(pg_backend_pid())").catch(() => undefined);
        }
        return receipt;
      };
      return { ...writer, commit };
    },
  };
  const result = await exportStand({ exports: [config], ledger, source, sink: cutting }).run();
  expect(result).toMatchObject({ state: "done", tables: [{ inserted: 12, updated: 0 }] });
  expect(await rowsIn(lake, config)).toEqual(rows);
});

it("a fault says which of the two connections it is of, and comes with its class", async () => {
  const { ledgers, config, source, lake } = await stand();
  const fault = new AppError("target_unauthorized", "the credential was refused");
  const broken: DatasetSource = {
    ...source,
    read: async function* read() {
      yield { changes: (async function* none() {})(), watermark: "1" };
      throw fault;
    },
  };
  const closed: Sink = { open: () => Promise.reject(fault) };
  const [ledger] = ledgers;
  const ofDesk = await exportStand({ exports: [config], ledger, source: broken, sink: lake.sink }).run();
  const ofLake = await exportStand({ exports: [config], ledger, source, sink: closed }).run();
  expect([ofDesk.fault, ofLake.fault].map((one) => [one?.code, one?.message])).toEqual([
    ["target_unauthorized", "desk: the credential was refused"],
    ["target_unauthorized", "lake: the credential was refused"],
  ]);
});

it("deliveries of the worker are exported whatever the desk gives, and stay when the ledger prunes them", async () => {
  const { ledgers, source, lake } = await stand();
  const [ledger] = ledgers;
  const config = await exportConfig("datasets: [deliveries]");
  const { run } = exportStand({ exports: [config], ledger, source, sink: lake.sink });
  for (const id of ["a", "b", "c"]) {
    await ledger.append({ ...appendOf(failedFulfillment(id, id)), receivedAt: Date.now() - 3_600_000 });
  }
  expect(await run()).toMatchObject({ state: "done", rows: 3 });
  await ledger.pool.query("update delivery set status = 1, finished_at = clock_timestamp() where id < 3");
  expect(await run()).toMatchObject({ tables: [{ rowsRead: 2, updated: 2 }] });
  expect(await ledger.prune(Date.now() - 60_000, 100, new AbortController().signal)).toBe(2);
  expect(await run({ mode: { kind: "full" } })).toMatchObject({
    state: "done",
    tables: [{ rowsRead: 1, deleted: 0 }],
  });
  const today = new Date().toISOString().slice(0, 10);
  const days = { kind: "days", from: today, until: "9999-01-01" } as const;
  expect(await run({ mode: days })).toMatchObject({ tables: [{ deleted: 0 }] });
  expect((await rowsIn(lake, config)).map((row) => [row["id"], row["status"]])).toEqual([
    [1, "done"],
    [2, "done"],
    [3, "pending"],
  ]);
});
