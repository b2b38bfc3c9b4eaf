import { expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { Sink, SinkWriter } from "../../src/sdk/sink.ts";
import { createArraySource } from "../support/array-source.ts";
import { exportConfig, exportStand, rowsIn, ticketRow } from "../support/export-stand.ts";
import { openLedgers } from "../support/ledgers.ts";
import { memorySinkFixture } from "../support/memory-sink.ts";

async function stand(text = "datasets: [tickets], chunk: 3") {
  const [ledger] = (await openLedgers(1)).ledgers;
  const config = await exportConfig(text);
  const source = createArraySource();
  const lake = memorySinkFixture();
  const parts = { exports: [config], ledger, source, sink: lake.sink };
  return { ...exportStand(parts), parts, config, source, lake, ledger: ledger.exports };
}

/** The sink with a hand on each writer that it opens. */
function spied(sink: Sink, change: (writer: SinkWriter, opened: number) => Partial<SinkWriter>): Sink {
  let opened = 0;
  return {
    open: async (request) => {
      const writer = await sink.open(request);
      opened += 1;
      return { ...writer, ...change(writer, opened) };
    },
  };
}

const tickets = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) =>
    ticketRow(`tkt_${String(from + index).padStart(3, "0")}`),
  );

it("the first run brings everything, the next one what changed and what is gone, one after that nothing", async () => {
  const { run, source, lake, config, ledger } = await stand();
  source.put("tickets", ...tickets(1, 10));
  const first = await run();
  expect(first).toMatchObject({ state: "done", rows: 10, watermark: { tickets: "10" } });
  expect(first.tables).toMatchObject([
    { rowsRead: 10, inserted: 10, updated: 0, deleted: 0, watermarkFrom: null },
  ]);
  expect(await rowsIn(lake, config)).toEqual(tickets(1, 10));

  source.put("tickets", ticketRow("tkt_002", { status: "closed" }), ticketRow("tkt_011"));
  source.remove("tickets", ticketRow("tkt_003"));
  const second = await run();
  expect(second.tables).toMatchObject([
    { inserted: 1, updated: 1, deleted: 1, watermarkFrom: "10", watermarkTo: "13" },
  ]);
  expect(await rowsIn(lake, config)).toEqual(
    source.now("tickets").toSorted((a, b) => (String(a["id"]) < String(b["id"]) ? -1 : 1)),
  );

  const third = await run();
  expect(third).toMatchObject({ rows: 0, tables: [{ commits: 0, watermarkFrom: "13", watermarkTo: "13" }] });
  expect(source.reads.map(({ after }) => after)).toEqual([undefined, "10", "13"]);
  const [last] = await ledger.runs({ limit: 1 });
  expect(last).toMatchObject({
    run: third.run,
    state: "done",
    trigger: "hand",
    mode: { kind: "incremental" },
  });
  expect(await ledger.tables("nightly")).toMatchObject([
    { table: "tickets", sink: "lake", schemaVersion: 1, run: third.run },
  ]);
});

it("a commit follows the chunk's end of page, and a run that broke off goes on from the last one", async () => {
  const { parts, source, lake, config, ledger } = await stand();
  source.put("tickets", ...tickets(1, 10));
  const stop = new AbortController();
  let commits = 0;
  const sink = spied(lake.sink, (writer) => ({
    commit: async (request) => {
      commits += 1;
      if (commits === 3) stop.abort(new Error("the process is being stopped"));
      return writer.commit(request);
    },
  }));
  const broken = await exportStand({ ...parts, sink }).run({ signal: stop.signal });
  expect(broken).toMatchObject({
    state: "aborted",
    tables: [{ state: "aborted", commits: 2, watermarkTo: "6" }],
  });
  expect(await rowsIn(lake, config)).toEqual(tickets(1, 6));
  expect(await ledger.runs({ limit: 1 })).toMatchObject([{ state: "aborted", code: null }]);

  const next = await exportStand(parts).run();
  expect(next.tables).toMatchObject([{ watermarkFrom: "6", inserted: 4, watermarkTo: "10" }]);
  expect(await rowsIn(lake, config)).toEqual(tickets(1, 10));
});

it("without a chunk of its own an export is published every minute", async () => {
  const { parts, source, lake, config } = await stand("datasets: [tickets]");
  source.put("tickets", ...tickets(1, 10));
  let time = Date.parse("2026-11-27T06:00:00Z");
  const commits: string[] = [];
  const sink = spied(lake.sink, (writer) => ({
    write: async (change) => {
      time += 20_000;
      await writer.write(change);
    },
    commit: async (request) => {
      const receipt = await writer.commit(request);
      commits.push(`${receipt.inserted} at ${(time - Date.parse("2026-11-27T06:00:00Z")) / 1000} s`);
      return receipt;
    },
  }));
  const result = await exportStand({ ...parts, sink, now: () => time }).run();
  expect(result).toMatchObject({ state: "done", rows: 10 });
  // A minute is over within a page, and the page is finished first; the last commit takes away what was not found.
  expect(commits).toEqual(["6 at 80 s", "4 at 140 s", "0 at 140 s"]);
  expect(await rowsIn(lake, config)).toEqual(tickets(1, 10));
});

it("a fault that may pass is tried again from the last commit; counts tell what was done", async () => {
  const { parts, source, lake, config } = await stand();
  source.put("tickets", ...tickets(1, 10));
  const sink = spied(lake.sink, (writer, opened) => ({
    write: async (change) => {
      if (opened < 3 && change.batch.rows().some((row) => row["id"] === `tkt_00${opened * 4}`)) {
        throw new AppError("target_unavailable", "the warehouse is away");
      }
      await writer.write(change);
    },
  }));
  const result = await exportStand({ ...parts, sink }).run();
  expect(result).toMatchObject({ state: "done", rows: 10 });
  expect(await rowsIn(lake, config)).toEqual(tickets(1, 10));
});

it("a fault that stays fails the run with its code after some tries, and one that cannot pass at once", async () => {
  const { parts, source, lake, ledger } = await stand("datasets: [tickets, contacts]");
  source.put("tickets", ...tickets(1, 2));
  source.put("contacts", {
    id: "con_1",
    custom_fields: {},
    created_at: "2026-11-01T00:00:00Z",
    updated_at: "2026-11-01T00:00:00Z",
  });
  let opened = 0;
  const away: Sink = {
    open: async () => {
      opened += 1;
      throw new AppError("target_unavailable", "the warehouse is away");
    },
  };
  const failed = await exportStand({ ...parts, sink: away }).run();
  expect(failed).toMatchObject({ state: "failed", fault: { code: "target_unavailable" } });
  expect(opened).toBe(8);
  expect(failed.tables.map(({ table }) => table)).toEqual(["tickets"]);
  expect(await ledger.runs({ limit: 1 })).toMatchObject([
    { state: "failed", code: "target_unavailable", tables: [{ table: "tickets", state: "failed" }] },
  ]);

  await lake.stranger?.makeTable?.("tickets");
  const foreign = await exportStand(parts).run();
  expect(foreign).toMatchObject({ state: "failed", fault: { code: "sink_table_foreign" } });
  // What is wrong with one table keeps no other from being exported.
  expect(foreign.tables).toMatchObject([
    { state: "failed" },
    { table: "contacts", state: "done", inserted: 1 },
  ]);
});

it("a full run drops what the source has not any more, and a filter that changes begins anew", async () => {
  const { run, parts, source, lake, config } = await stand();
  source.put("tickets", ...tickets(1, 5));
  await run();
  const lost = createArraySource();
  lost.put("tickets", ...tickets(2, 5));
  const full = await exportStand({ ...parts, source: lost }).run({ mode: { kind: "full" } });
  expect(full.tables).toMatchObject([{ updated: 4, deleted: 1, watermarkFrom: null }]);
  expect(await rowsIn(lake, config)).toEqual(tickets(2, 5));

  const filtered = await exportConfig(
    `datasets: [{ name: tickets, where: 'row.id != "tkt_003"' }], chunk: 2`,
  );
  const next = await exportStand({ ...parts, exports: [filtered], source: lost }).run();
  expect(next.tables).toMatchObject([{ watermarkFrom: null, deleted: 1 }]);
  expect((await rowsIn(lake, config)).map((row) => row["id"])).toEqual(["tkt_002", "tkt_004", "tkt_005"]);
});

it("days are exported again where the watermark stays, and only rows of those days go", async () => {
  const { run, parts, source, lake, config, ledger } = await stand();
  const on = (id: string, day: string, facts = {}) =>
    ticketRow(id, { created_at: `${day}T12:00:00Z`, ...facts });
  source.put("tickets", on("a", "2026-11-01"), on("b", "2026-11-02"), on("c", "2026-11-03"));
  await run();
  const now = createArraySource();
  now.put("tickets", on("b", "2026-11-02", { subject: "new" }), on("c", "2026-11-03", { subject: "new" }));
  const repaired = await exportStand({ ...parts, source: now }).run({
    mode: { kind: "days", from: "2026-11-01", until: "2026-11-03" },
  });
  expect(repaired).toMatchObject({ state: "done", watermark: {}, tables: [{ updated: 1, deleted: 1 }] });
  expect(await rowsIn(lake, config)).toEqual([
    on("b", "2026-11-02", { subject: "new" }),
    on("c", "2026-11-03"),
  ]);
  expect((await ledger.tables("nightly"))[0]?.watermark).toMatch(/:3$/);
  expect((await ledger.runs({ limit: 1 }))[0]?.mode).toEqual({
    kind: "days",
    from: "2026-11-01",
    until: "2026-11-03",
  });
  await run();
  expect(source.reads.at(-1)).toEqual({ dataset: "tickets", after: "3" });
});

it("a column that is new in the configuration is filled in for every row", async () => {
  const { parts, source, lake, ledger } = await stand();
  source.put("tickets", ...tickets(1, 4));
  const narrow = await exportConfig("datasets: [{ name: tickets, columns: [status] }]");
  await exportStand({ ...parts, exports: [narrow] }).run();
  expect((await ledger.tables("nightly"))[0]?.schemaVersion).toBe(1);
  const wide = await exportConfig("datasets: [{ name: tickets, columns: [status, subject] }]");
  await exportStand({ ...parts, exports: [wide] }).run();
  expect((await rowsIn(lake, wide)).map((row) => row["subject"])).toEqual(
    tickets(1, 4).map((row) => row["subject"]),
  );
  expect((await ledger.tables("nightly"))[0]?.schemaVersion).toBe(2);
});

it("a warehouse that keeps no position gets what the ledger says it lacks", async () => {
  const { parts, source, lake, config } = await stand();
  const sink = spied(lake.sink, () => ({ keepsPosition: false, position: undefined }));
  const { run } = exportStand({ ...parts, sink });
  source.put("tickets", ...tickets(1, 4));
  await run();
  source.put("tickets", ...tickets(5, 5));
  expect(await run()).toMatchObject({ rows: 1 });
  // Another warehouse has nothing yet.
  const moved = await exportConfig("datasets: [tickets], to: other".replace("to: other", "chunk: 9"));
  expect(await exportStand({ ...parts, sink, exports: [{ ...moved, to: "other" }] }).run()).toMatchObject({
    tables: [{ rowsRead: 5, watermarkFrom: null }],
  });
  expect(await rowsIn(lake, config)).toEqual(tickets(1, 5));
});

it("a ledger that is younger than the warehouse numbers its runs above those that the warehouse knows", async () => {
  const { run, parts, source, lake, config } = await stand();
  source.put("tickets", ...tickets(1, 2));
  for (let times = 0; times < 4; times += 1) {
    source.put("tickets", ticketRow("tkt_001", { number: String(times) }));
    await run();
  }
  const [young] = (await openLedgers(1)).ledgers;
  source.put("tickets", ...tickets(3, 3));
  const result = await exportStand({ ...parts, ledger: young }).run();
  expect(result).toMatchObject({ state: "done", rows: 1, run: 5 });
  expect(await rowsIn(lake, config)).toHaveLength(3);
  expect(await young.exports.runs({ limit: 5 })).toMatchObject([{ run: 5, tables: [{ inserted: 1 }] }]);
});

it("personal data is hashed before it leaves, and rows that stop passing the filter go", async () => {
  const { parts, source } = await stand();
  const config = await exportConfig(
    `datasets: [{ name: contacts, where: 'row.custom_fields.spam != true' }], personal: { contact: hash, identity: drop, hashKey: "\${KEY}" }`,
  );
  const lake = memorySinkFixture();
  const { run } = exportStand({ ...parts, sink: lake.sink, exports: [config] });
  const contact = (id: string, facts = {}) => ({
    id,
    name: "Ada Lovelace",
    email: "ada@example.com",
    phone: null,
    custom_fields: { spam: false },
    merged_into: null,
    created_at: "2026-11-01T00:00:00Z",
    updated_at: "2026-11-01T00:00:00Z",
    ...facts,
  });
  source.put("contacts", contact("con_1"), contact("con_2"), contact("con_3", { custom_fields: {} }));
  await run();
  const rows = await rowsIn(lake, config);
  expect(rows.map((row) => row["id"])).toEqual(["con_1", "con_2"]);
  expect(rows[0]?.["email"]).toMatch(/^[0-9a-f]{64}$/);
  expect(rows[0]?.["email"]).toBe(rows[1]?.["email"]);
  expect(rows[0]).toMatchObject({ phone: null });
  expect(JSON.stringify(rows)).not.toMatch(/Ada|ada@/);
  source.put("contacts", contact("con_1", { custom_fields: { spam: true } }));
  expect(await run()).toMatchObject({ tables: [{ deleted: 1 }] });
  expect((await rowsIn(lake, config)).map((row) => row["id"])).toEqual(["con_2"]);
});
