import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import postgres from "../../connectors/postgres/index.ts";
import type { SinkRequest, SinkWriter } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { asCsv, dailyTable, gone, upsert, valuesRow, valuesTable } from "../../src/sdk/testing/sink-table.ts";
import { emptyDatabase } from "../support/postgres.ts";
import type { FreshDatabase } from "../support/postgres.ts";

let database: FreshDatabase;
let client: pg.Client;
let writers: SinkWriter[] = [];

beforeEach(async () => {
  database = await emptyDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterEach(async () => {
  for (const writer of writers) await writer.close();
  writers = [];
  await client.end();
  await database.drop();
});

async function openWriter(request: Partial<SinkRequest> = {}): Promise<SinkWriter> {
  const settings = postgres.config.parse({ url: database.url, lockTimeoutSeconds: 5 });
  const { sink } = await postgres.open(settings, createTestContext());
  const { signal } = new AbortController();
  const defaults = { table: valuesTable, export: "nightly", run: 3, onSchemaChange: "fail", signal } as const;
  const writer = await sink!.open({ ...defaults, ...request });
  writers.push(writer);
  return writer;
}

const tables = async (): Promise<string[]> =>
  (
    await client.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
    )
  ).rows.map(({ name }) => name);

const texts = async (): Promise<unknown[]> =>
  (
    await client.query<{ id: string; text: string | null; _deskbridge_run: string }>(
      `SELECT id, text, _deskbridge_run FROM ${valuesTable.name} ORDER BY id`,
    )
  ).rows.map(({ id, text, _deskbridge_run }) => [id, text, _deskbridge_run]);

const indexes = async (table: string): Promise<string[]> =>
  (
    await client.query<{ text: string }>(
      "SELECT pg_get_indexdef(indexrelid) || CASE WHEN indisprimary THEN ' (key)' ELSE '' END AS text FROM pg_index WHERE indrelid = $1::regclass ORDER BY 1",
      [table],
    )
  ).rows.map(({ text }) => text.replace(/^CREATE /, ""));

describe("the table of a first load", () => {
  it("is there with its first commit, with its rows, its key and its index; not before", async () => {
    const writer = await openWriter();
    await writer.write(upsert(valuesTable, valuesRow("a"), valuesRow("b", { text: "b" })));
    await writer.write(asCsv(upsert(valuesTable, valuesRow("c"))));
    expect(await tables()).toEqual(["_deskbridge_exports"]);
    expect(await writer.commit({ watermark: "1", dropOlderThan: 3 })).toMatchObject({
      inserted: 3,
      updated: 0,
      deleted: 0,
    });
    expect(await tables()).toEqual(["_deskbridge_exports", valuesTable.name]);
    expect(await indexes(valuesTable.name)).toEqual([
      "INDEX conformance_values_created_at_idx ON public.conformance_values USING btree (created_at)",
      "UNIQUE INDEX conformance_values_pkey ON public.conformance_values USING btree (id) (key)",
    ]);
    expect(await texts()).toEqual([
      ["a", null, "3"],
      ["b", "b", "3"],
      ["c", null, "3"],
    ]);
    // What is written from now on has the number of its own run.
    await writer.write(upsert(valuesTable, valuesRow("d")));
    await writer.commit({ watermark: "2" });
    await writer.close();
    const next = await openWriter({ run: 4 });
    expect(next.position).toEqual({ run: 3, watermark: "2" });
    await next.write(upsert(valuesTable, valuesRow("a", { text: "2nd" })));
    expect(await next.commit({ watermark: "3", dropOlderThan: 4 })).toMatchObject({ updated: 1, deleted: 3 });
    expect(await texts()).toEqual([["a", "2nd", "4"]]);
  });

  it("is as any other where its first commit has no rows, or deletions only", async () => {
    const daily = await openWriter({ table: dailyTable });
    await daily.commit({ watermark: "1" });
    expect(await indexes(dailyTable.name)).toEqual([
      "UNIQUE INDEX conformance_daily_pkey ON public.conformance_daily USING btree (day, group_by, group_key) (key)",
    ]);
    const writer = await openWriter();
    await writer.write(gone(valuesTable, { id: "a" }));
    await writer.write(upsert(valuesTable, valuesRow("a"), valuesRow("a", { text: "2nd" })));
    expect(await writer.commit({ watermark: "1" })).toMatchObject({ inserted: 1, deleted: 0 });
    expect(await indexes(valuesTable.name)).toHaveLength(2);
    expect(await texts()).toEqual([["a", "2nd", "3"]]);
  });

  it("leaves nothing behind when it is aborted, and can be loaded again", async () => {
    const writer = await openWriter();
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await writer.write(upsert(valuesTable, valuesRow("b")));
    await writer.abort();
    await writer.write(upsert(valuesTable, valuesRow("c")));
    await writer.commit({ watermark: "1" });
    expect(await tables()).toEqual(["_deskbridge_exports", valuesTable.name]);
    expect(await texts()).toEqual([["c", null, "3"]]);
  });
});

describe("a key that comes twice in a first load", () => {
  it("keeps its last row, however far apart and in whatever batch the rows came", async () => {
    // Rows of many widths, more of them than go on a few pages.
    const count = 6000;
    const row = (index: number, turn: number) =>
      valuesRow(`row-${index}`, { order: turn, text: "x".repeat((index * 7919) % 900) });
    const all = Array.from({ length: count }, (_, index) => index);
    const third = all.filter((index) => index % 3 === 0);
    const writer = await openWriter();
    await writer.write(upsert(valuesTable, ...all.map((index) => row(index, 1))));
    await writer.write(
      asCsv(
        upsert(
          valuesTable,
          ...third.map((index) => row(index, 2)),
          ...third.toReversed().map((index) => row(index, 3)),
        ),
      ),
    );
    await writer.write(upsert(valuesTable, row(0, 4), row(1, 4), row(1, 5)));
    expect(await writer.commit({ watermark: "1" })).toMatchObject({
      inserted: count,
      updated: 0,
      deleted: 0,
    });
    const { rows } = await client.query<{ turn: string; count: string }>(
      `SELECT "order" AS turn, count(*) AS count FROM ${valuesTable.name} GROUP BY 1 ORDER BY 1`,
    );
    expect(rows.map(({ turn, count }) => [Number(turn), Number(count)])).toEqual([
      [1, count - third.length - 1],
      [3, third.length - 1],
      [4, 1],
      [5, 1],
    ]);
    expect(await indexes(valuesTable.name)).toHaveLength(2);
  });

  it("may be taken away and put back in the same commit", async () => {
    const writer = await openWriter();
    await writer.write(upsert(valuesTable, valuesRow("a"), valuesRow("b"), valuesRow("b", { text: "2nd" })));
    await writer.write(gone(valuesTable, { id: "a" }, { id: "b" }));
    await writer.write(upsert(valuesTable, valuesRow("b", { text: "3rd" })));
    await writer.commit({ watermark: "1" });
    expect(await texts()).toEqual([["b", "3rd", "3"]]);
  });

  it("keeps its last row also over the commits of a load", async () => {
    const writer = await openWriter();
    await writer.write(upsert(valuesTable, valuesRow("a"), valuesRow("b")));
    await writer.commit({ watermark: "1" });
    await writer.write(upsert(valuesTable, valuesRow("c"), valuesRow("d", { text: "1st" })));
    await writer.write(upsert(valuesTable, valuesRow("b", { text: "2nd" }), valuesRow("d")));
    await writer.write(upsert(valuesTable, valuesRow("d", { text: "3rd" })));
    expect(await writer.commit({ watermark: "2" })).toMatchObject({ inserted: 2, updated: 2 });
    expect(await texts()).toEqual([
      ["a", null, "3"],
      ["b", "2nd", "3"],
      ["c", null, "3"],
      ["d", "3rd", "3"],
    ]);
  });
});

describe("somebody else at the name of a first load", () => {
  it("a run that loaded it meanwhile: this one is tried again, and finds it", async () => {
    const writer = await openWriter();
    await writer.write(upsert(valuesTable, valuesRow("a")));
    const other = await openWriter({ run: 2 });
    await other.write(upsert(valuesTable, valuesRow("b")));
    await other.commit({ watermark: "b" });
    await expect(writer.commit({ watermark: "a" })).rejects.toMatchObject({
      code: "target_conflict",
      retry: "retry",
    });
    await writer.close();
    expect(await texts()).toEqual([["b", null, "2"]]);
    const again = await openWriter();
    expect(again.position).toEqual({ run: 2, watermark: "b" });
  });

  it("a table of theirs: it stays as it is, and is refused as foreign", async () => {
    const writer = await openWriter();
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await client.query(`CREATE TABLE ${valuesTable.name} (id text)`);
    await expect(writer.commit({ watermark: "a" })).rejects.toMatchObject({ code: "target_conflict" });
    await expect(openWriter()).rejects.toMatchObject({ code: "sink_table_foreign" });
    expect((await client.query(`SELECT * FROM ${valuesTable.name}`)).rows).toEqual([]);
  });
});

it("a database that publishes its tables has the table under its own name from the start, and the later row wins all the same", async () => {
  await client.query("CREATE PUBLICATION everything FOR ALL TABLES");
  const writer = await openWriter();
  expect(await tables()).toEqual(["_deskbridge_exports", valuesTable.name]);
  await writer.write(upsert(valuesTable, valuesRow("a"), valuesRow("b")));
  await writer.write(upsert(valuesTable, valuesRow("b", { text: "2nd" }), valuesRow("c", { text: "1st" })));
  await writer.write(upsert(valuesTable, valuesRow("c", { text: "2nd" }), valuesRow("d")));
  expect(await writer.commit({ watermark: "1" })).toMatchObject({ inserted: 4, updated: 1, deleted: 0 });
  expect(await texts()).toEqual([
    ["a", null, "3"],
    ["b", "2nd", "3"],
    ["c", "2nd", "3"],
    ["d", null, "3"],
  ]);
});
