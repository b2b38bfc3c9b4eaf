import { expect, it } from "vitest";
import { toAppError } from "../../src/errors.ts";
import type { BeginExport, ExportRight, ExportTableRecord } from "../../src/ledger/exports.ts";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { openLedgers } from "../support/ledgers.ts";

const nightly: BeginExport = {
  export: "nightly",
  trigger: "hand",
  mode: { kind: "incremental" },
  config: "abc",
};

const record: ExportTableRecord = {
  table: "tickets",
  dataset: "tickets",
  state: "running",
  rowsRead: 5,
  inserted: 3,
  updated: 2,
  deleted: 0,
  bytes: 100,
  commits: 1,
  seconds: 0.5,
  watermarkFrom: null,
  watermarkTo: "5",
  asOf: "2026-11-27T10:00:00.123456Z",
  schemaVersion: 1,
  leftOut: [{ column: "reason", reason: "the table does not have it" }],
  code: null,
  message: null,
};
const move = {
  sink: "lake",
  watermark: "deskbridge:1:abc::5",
  columns: [{ name: "id", type: "string" as const }],
};

async function begin(ledger: PostgresLedger, request: Partial<BeginExport> = {}): Promise<ExportRight> {
  const right = await ledger.exports.begin({ ...nightly, ...request });
  if (right === undefined) throw new Error("nothing was begun");
  return right;
}

/** Ends the session that vouches for a ledger's leases, as the death of its process does. */
async function killHolders(by: PostgresLedger, except: PostgresLedger): Promise<void> {
  const own = await begin(except, { export: "other" });
  const { rows } = await by.pool.query<{ number: string }>(
    "select split_part(owner, ':', 1) as number from export_lease where export = 'other'",
  );
  await own.end({ state: "done" });
  const others = `from pg_locks where locktype = 'advisory' and objsubid = 2 and granted and objid::text <> $1
     and database = (select oid from pg_database where datname = current_database())`;
  const terminated = await by.pool.query<{ pid: number }>(`select pid, pg_terminate_backend(pid) ${others}`, [
    rows[0]?.number,
  ]);
  const pids = terminated.rows.map(({ pid }) => pid);
  // They are told to end, and end a moment later.
  const left = async () =>
    (await by.pool.query("select 1 from pg_stat_activity where pid = any ($1)", [pids])).rowCount;
  await expect.poll(left).toBe(0);
}

it("an export is run by one process at a time, another one beside it", async () => {
  const { ledgers } = await openLedgers(2);
  const [one, other] = ledgers;
  const right = await begin(one);
  await expect(begin(other!)).rejects.toMatchObject({ code: "export_busy" });
  await expect(begin(one)).rejects.toMatchObject({ code: "export_busy" });
  const beside = await begin(other!, { export: "hourly" });
  expect(beside.run()).toBeGreaterThan(right.run());
  await right.end({ state: "done" });
  const next = await begin(other!);
  expect(next.run()).toBeGreaterThan(beside.run());
});

it("of many that begin at once one does", async () => {
  const { ledgers } = await openLedgers(4);
  const begun = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => begin(ledgers[index % 4]!)),
  );
  const outcomes = begun.map((one) => (one.status === "fulfilled" ? "begun" : toAppError(one.reason).code));
  expect(outcomes.toSorted()).toEqual(["begun", ...Array.from({ length: 19 }, () => "export_busy")]);
});

it("the right of a process that died is free at once; its run is put down as aborted, and what it writes late is refused", async () => {
  const { ledgers } = await openLedgers(2);
  const [dead, alive] = ledgers;
  const lost = await begin(dead);
  await lost.record(record, move);
  await killHolders(alive!, alive!);
  // Seen from outside it does not run any more, before anybody has taken it over.
  expect(await alive!.exports.runs({ limit: 1, export: "nightly" })).toMatchObject([
    { state: "aborted", finishedAt: null },
  ]);
  const right = await begin(alive!);
  await expect(
    lost.record({ ...record, rowsRead: 99 }, { ...move, watermark: "late" }),
  ).rejects.toMatchObject({
    code: "lease_lost",
  });
  expect(lost.signal.aborted).toBe(true);
  await expect(lost.ensure()).rejects.toMatchObject({ code: "lease_lost" });
  await lost.end({ state: "done" });
  expect(await alive!.exports.runs({ limit: 5, export: "nightly" })).toMatchObject([
    { run: right.run(), state: "running" },
    {
      run: lost.run(),
      state: "aborted",
      message: "its process ended before it did",
      tables: [{ rowsRead: 5, state: "aborted" }],
    },
  ]);
  expect(await alive!.exports.tables("nightly")).toMatchObject([{ watermark: move.watermark }]);
});

it("a process that lives but lost its session keeps the right when nobody took it", async () => {
  const { ledgers } = await openLedgers(2);
  const [one, other] = ledgers;
  const right = await begin(one);
  await killHolders(other!, other!);
  await right.ensure();
  await right.record(record, move);
  expect(right.signal.aborted).toBe(false);
  await expect(begin(other!)).rejects.toMatchObject({ code: "export_busy" });
});

it("the record of a run tells all of it, and where its tables stand", async () => {
  const { ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  const right = await begin(ledger, {
    trigger: "schedule",
    mode: { kind: "days", from: "2026-11-01", until: "2026-11-03" },
  });
  await right.record(record, move);
  await right.record({ ...record, rowsRead: 7, state: "done" });
  await right.end({ state: "failed", code: "sink_full", message: "no room" });
  expect(await ledger.exports.runs({ limit: 5 })).toMatchObject([
    {
      run: right.run(),
      export: "nightly",
      trigger: "schedule",
      mode: { kind: "days", from: "2026-11-01", until: "2026-11-03" },
      config: "abc",
      state: "failed",
      code: "sink_full",
      message: "no room",
      tables: [{ ...record, rowsRead: 7, state: "done", asOf: "2026-11-27T10:00:00.123Z" }],
    },
  ]);
  expect(await ledger.exports.tables("nightly")).toMatchObject([
    { table: "tickets", schemaVersion: 1, run: right.run(), ...move },
  ]);
});

it("a run for a time that was served is not begun; one for a time whose run broke off is", async () => {
  const { ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  // Ahead of the database's clock, as a timetable's time may be on a process whose clock is.
  const dueAt = Date.now() + 5000;
  const aborted = await begin(ledger, { dueAt });
  await aborted.end({ state: "aborted" });
  const right = await begin(ledger, { dueAt });
  await right.end({ state: "failed", code: "sink_full", message: "no room" });
  expect(await ledger.exports.begin({ ...nightly, dueAt })).toBeUndefined();
  expect(await ledger.exports.begin({ ...nightly, dueAt: dueAt - 1 })).toBeUndefined();
  expect(await ledger.exports.standings()).toMatchObject([
    { export: "nightly", servedUntil: dueAt, doneUntil: undefined, lastDoneAt: undefined },
  ]);
  const later = await begin(ledger, { dueAt: dueAt + 1 });
  await later.end({ state: "done" });
  expect(await ledger.exports.standings()).toMatchObject([{ servedUntil: dueAt + 1, doneUntil: dueAt + 1 }]);
});

it("old runs go, but for the last one and the last good one of each export", async () => {
  const { ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  for (const state of ["done", "done", "failed", "failed"] as const)
    await (await begin(ledger)).end({ state });
  expect(await ledger.exports.prune(Date.now() - 60_000)).toBe(0);
  expect(await ledger.exports.prune(Date.now() + 60_000)).toBe(2);
  expect((await ledger.exports.runs({ limit: 9 })).map(({ state }) => state)).toEqual(["failed", "done"]);
});
