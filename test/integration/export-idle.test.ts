import { expect, it } from "vitest";
import type { DatasetSource } from "../../src/sdk/dataset-source.ts";
import { AppError } from "../../src/errors.ts";
import type { Sink, SinkPosition, SinkRequest } from "../../src/sdk/sink.ts";
import { createArraySource } from "../support/array-source.ts";
import { exportConfig, exportStand, rowsIn, ticketRow } from "../support/export-stand.ts";
import { openLedgers } from "../support/ledgers.ts";
import { memorySinkFixture } from "../support/memory-sink.ts";

/** An export of two tables, with what was opened and looked at on record. */
async function stand() {
  const [ledger] = (await openLedgers(1)).ledgers;
  const config = await exportConfig("datasets: [tickets, contacts]");
  const array = createArraySource();
  const lake = memorySinkFixture();
  const seen = { opened: [] as string[], looks: [] as string[] };
  const source: DatasetSource = {
    ...array,
    unchanged: async ({ dataset, after }) => {
      seen.looks.push(`${dataset} behind ${after}`);
      return after === String(historyLength(dataset)) ? { asOf: "2026-11-27T06:00:00Z" } : undefined;
    },
  };
  const lengths = new Map<string, number>();
  const historyLength = (dataset: string): number => lengths.get(dataset) ?? 0;
  const put: typeof array.put = (dataset, ...rows) => {
    array.put(dataset, ...rows);
    lengths.set(dataset, historyLength(dataset) + rows.length);
  };
  const positionOf = async (request: SinkRequest): Promise<SinkPosition | undefined> => {
    const writer = await lake.sink.open(request);
    await writer.close();
    return writer.position;
  };
  const sink: Sink = {
    ...lake.sink,
    open: (request) => {
      seen.opened.push(request.table.name);
      return lake.sink.open(request);
    },
    standings: (requests) => Promise.all(requests.map(positionOf)),
  };
  const parts = { exports: [config], ledger, source, sink };
  put("tickets", ticketRow("tkt_1"), ticketRow("tkt_2"));
  put("contacts", contact("con_1"));
  await exportStand(parts).run();
  seen.opened.length = 0;
  return { parts, seen, put, lake, config, ledger: ledger.exports, run: exportStand(parts).run };
}

const contact = (id: string) => ({
  id,
  custom_fields: {},
  created_at: "2026-11-01T00:00:00Z",
  updated_at: "2026-11-01T00:00:00Z",
});

it("a run that finds nothing opens no table, and is on record like any other", async () => {
  const { run, seen, ledger } = await stand();
  const result = await run();
  expect(seen).toEqual({ opened: [], looks: ["tickets behind 2", "contacts behind 1"] });
  expect(result).toMatchObject({
    state: "done",
    rows: 0,
    watermark: { tickets: "2", contacts: "1" },
    tables: [
      { table: "tickets", state: "done", commits: 0, watermarkFrom: "2", watermarkTo: "2" },
      { table: "contacts", state: "done", commits: 0, asOf: "2026-11-27T06:00:00Z" },
    ],
  });
  const [last] = await ledger.runs({ limit: 1 });
  expect(last).toMatchObject({
    run: result.run,
    state: "done",
    tables: [{ state: "done" }, { state: "done" }],
  });
  expect(await ledger.tables("nightly")).toMatchObject([{ run: result.run }, { run: result.run }]);
});

it("of tables of which one changed only that one is opened", async () => {
  const { run, seen, put, lake, config } = await stand();
  put("contacts", contact("con_2"));
  const result = await run();
  expect(seen.opened).toEqual(["contacts"]);
  expect(result).toMatchObject({
    rows: 1,
    tables: [{ table: "tickets" }, { table: "contacts", inserted: 1 }],
  });
  expect(await rowsIn(lake, config, 1)).toHaveLength(2);
});

it("a table that somebody changed is opened, and what is wrong with it is found", async () => {
  const { parts, seen, lake, config } = await stand();
  const [tickets] = config.tables;
  if (tickets === undefined) throw new Error("there is no table");
  await lake.stranger?.retypeColumn(tickets.table, "subject");
  // A look that cannot tell what is the matter leaves it to the opening.
  const standings: Sink["standings"] = async (requests) => requests.map(() => undefined);
  const result = await exportStand({ ...parts, sink: { ...parts.sink, standings } }).run();
  expect(seen.opened).toEqual(["tickets", "contacts"]);
  expect(result).toMatchObject({ state: "failed", fault: { code: "sink_schema_changed" } });
});

it("a look that fails is made up for by opening", async () => {
  const { parts, seen } = await stand();
  const standings: Sink["standings"] = async () => {
    throw new AppError("target_unavailable", "the warehouse is away");
  };
  const result = await exportStand({ ...parts, sink: { ...parts.sink, standings } }).run();
  expect([result.state, seen.opened]).toEqual(["done", ["tickets", "contacts"]]);
});

it("a full run, another selection, and a warehouse that knows of later runs are never taken for nothing to do", async () => {
  const { parts, seen, run, ledger } = await stand();
  expect(await run({ mode: { kind: "full" } })).toMatchObject({ state: "done" });
  expect(seen.opened).toEqual(["tickets", "contacts"]);

  seen.opened.length = 0;
  const other = await exportConfig("datasets: [tickets, { name: contacts, where: row.id != 'con_9' }]");
  expect(await exportStand({ ...parts, exports: [other] }).run()).toMatchObject({ state: "done" });
  expect(seen.opened).toEqual(["contacts"]);

  seen.opened.length = 0;
  const standings: Sink["standings"] = async (requests) =>
    (await parts.sink.standings?.(requests))?.map((one) => one && { ...one, run: 1_000_000 }) ?? [];
  const result = await exportStand({ ...parts, sink: { ...parts.sink, standings } }).run();
  expect(seen.opened).toEqual(["tickets", "contacts"]);
  expect((await ledger.runs({ limit: 1 }))[0]).toMatchObject({ run: result.run, state: "done" });
});

it("a warehouse is not asked where a desk cannot tell whether anything happened", async () => {
  const { parts, seen } = await stand();
  const { unchanged, ...source } = parts.source;
  expect(unchanged).toBeDefined();
  let looks = 0;
  const standings: Sink["standings"] = async () => {
    looks += 1;
    return [];
  };
  const result = await exportStand({ ...parts, source, sink: { ...parts.sink, standings } }).run();
  expect([result.state, looks, seen.opened]).toEqual(["done", 0, ["tickets", "contacts"]]);
});
