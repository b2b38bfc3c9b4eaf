import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import csv from "../../connectors/csv/index.ts";
import jsonl from "../../connectors/jsonl/index.ts";
import parquet from "../../connectors/parquet/index.ts";
import { createCsvBatch } from "../../src/sdk/row-batch.ts";
import type { SinkWriter } from "../../src/sdk/sink.ts";
import { valuesTable } from "../../src/sdk/testing/sink-table.ts";
import { openFileSink } from "../support/file-sink-fixture.ts";

let root: string;
beforeEach(async () => void (root = await mkdtemp(join(tmpdir(), "deskbridge-large-"))));
afterEach(() => rm(root, { recursive: true, force: true }));

const table = {
  ...valuesTable,
  columns: valuesTable.columns.filter(({ name }) => ["id", "text", "order", "created_at"].includes(name)),
};
const keys = table.columns.filter(({ name }) => name === "id");
const days = 365;
/** Enough for several files of staged rows, and more than is sorted in memory. */
const rows = 60_000;
const text = "a row of a year ".repeat(60);

const dayOf = (index: number): string =>
  new Date(Date.UTC(2026, 0, 1 + (index % days))).toISOString().replace(".000Z", "Z");

async function openWriter(run: number): Promise<SinkWriter> {
  const { signal } = new AbortController();
  return openFileSink(parquet, { path: root }).open({
    table,
    export: "nightly",
    run,
    onSchemaChange: "fail",
    signal,
  });
}

/** Writes rows with the number `order`, in the order of the indices. */
async function write(writer: SinkWriter, indices: readonly number[], order: number): Promise<void> {
  for (let from = 0; from < indices.length; from += 5000) {
    const part = indices.slice(from, from + 5000);
    const csv = part.map((index) => `row-${index},${text}${index},${order},${dayOf(index)}\n`).join("");
    await writer.write({
      kind: "upsert",
      batch: createCsvBatch(table.columns, Buffer.from(csv), part.length),
    });
  }
}

async function remove(writer: SinkWriter, indices: readonly number[]): Promise<void> {
  const csv = indices.map((index) => `row-${index}\n`).join("");
  await writer.write({ kind: "delete", batch: createCsvBatch(keys, Buffer.from(csv), indices.length) });
}

/** The `order` of each row by its index. */
async function held(): Promise<ReadonlyMap<number, unknown>> {
  const { signal } = new AbortController();
  const found = new Map<number, unknown>();
  for await (const batch of openFileSink(parquet, { path: root }).read?.({
    table,
    export: "nightly",
    signal,
  }) ?? []) {
    for (const row of batch.rows()) {
      const index = Number(String(row["id"]).slice("row-".length));
      expect(found.has(index)).toBe(false);
      expect(row["created_at"]).toBe(dayOf(index));
      expect(row["text"]).toBe(`${text}${index}`);
      found.set(index, row["order"]);
    }
  }
  return found;
}

const all = Array.from({ length: rows }, (_, index) => index);
const byDay = all.toSorted((a, b) => (a % days) - (b % days));

describe("a year in one commit", () => {
  it("comes out whole, a file a day, when the rows come by day", async () => {
    const writer = await openWriter(1);
    await write(writer, byDay, 1);
    const receipt = await writer.commit({ watermark: "one" });
    await writer.close();
    expect(receipt).toMatchObject({ inserted: rows, updated: 0, deleted: 0 });
    const names = await readdir(join(root, table.name), { recursive: true });
    expect(names.filter((name) => name.endsWith(".parquet")).length).toBe(days);
    expect(await held()).toEqual(new Map(all.map((index) => [index, 1])));
  });

  it("comes out whole when rows of all days come mixed, again and again, and go in between", async () => {
    const first = await openWriter(1);
    await write(first, all.slice(0, 10_000), 1);
    await first.commit({ watermark: "one" });
    await first.close();

    const writer = await openWriter(2);
    await write(writer, all, 2);
    await remove(writer, all.slice(0, 5000));
    await write(writer, all.slice(4000, 8000), 3);
    await remove(writer, all.slice(7000, 7500));
    const receipt = await writer.commit({ watermark: "two" });
    await writer.close();

    const expected = new Map(all.map((index) => [index, 2]));
    for (let index = 0; index < 5000; index += 1) expected.delete(index);
    for (let index = 4000; index < 8000; index += 1) expected.set(index, 3);
    for (let index = 7000; index < 7500; index += 1) expected.delete(index);
    expect(await held()).toEqual(expected);
    expect(receipt).toMatchObject({ inserted: rows - 10_000, updated: 10_000 - 4500, deleted: 4500 });
  });
});

describe("a month whose rows all change", () => {
  it.each([
    { connector: parquet, name: "parquet" },
    { connector: csv, name: "csv" },
    { connector: jsonl, name: "jsonl" },
  ])("is put together anew by $name within its memory", async ({ connector }) => {
    const sink = openFileSink(connector, { path: root });
    const { signal } = new AbortController();
    const month = all.filter((index) => index % days < 30);
    for (const run of [1, 2]) {
      const writer = await sink.open({ table, export: "nightly", run, onSchemaChange: "fail", signal });
      await write(writer, run === 1 ? month : month.filter((index) => index % 2 === 0), run);
      const receipt = await writer.commit({ watermark: String(run) });
      await writer.close();
      expect(receipt.inserted + receipt.updated).toBe(run === 1 ? month.length : month.length / 2);
    }
    const orders: unknown[] = [];
    for await (const batch of sink.read?.({ table, export: "nightly", signal }) ?? [])
      orders.push(...batch.rows().map(({ order }) => order));
    expect(orders).toHaveLength(month.length);
    expect(orders.filter((order) => order === 2)).toHaveLength(month.length / 2);
  });
});

describe("a process that writes many rows", () => {
  it("needs no more memory for many than for few", async () => {
    const program = join(import.meta.dirname, "../support/files-memory.ts");
    const mostMb: number[] = [];
    for (const count of [200_000, 600_000]) {
      const folder = join(root, String(count));
      const { stdout } = await promisify(execFile)(process.execPath, [program, folder, String(count)]);
      const told = JSON.parse(stdout) as { readonly inserted: number; readonly mostMb: number };
      expect(told.inserted).toBe(count);
      mostMb.push(told.mostMb);
    }
    const [few = 0, many = 0] = mostMb;
    expect(many).toBeLessThan(few + 60);
    expect(many).toBeLessThan(320);
  });
});

describe("a row of megabytes", () => {
  it.each([
    { connector: parquet, name: "parquet", most: 16 },
    { connector: csv, name: "csv", most: 4 },
    { connector: jsonl, name: "jsonl", most: 4 },
  ])("is taken by $name up to $most MB", async ({ connector, most }) => {
    const sink = openFileSink(connector, { path: root });
    const { signal } = new AbortController();
    const writer = await sink.open({ table, export: "nightly", run: 1, onSchemaChange: "fail", signal });
    const row = (id: string, length: number) => {
      const line = `${id},"${'a ""word""\n'.repeat(Math.floor(length / 11))}",1,${dayOf(0)}\n`;
      return { kind: "upsert", batch: createCsvBatch(table.columns, Buffer.from(line), 1) } as const;
    };
    await writer.write(row("large", (most - 1) * 1024 ** 2));
    await writer.commit({ watermark: "one" });
    await writer.write(row("small", 100));
    await writer.commit({ watermark: "two" });
    const tooLarge = async (): Promise<void> => {
      await writer.write(row("too-large", (most + 1) * 1024 ** 2));
      await writer.commit({ watermark: "three" });
    };
    await expect(tooLarge()).rejects.toMatchObject({
      code: "target_rejected",
      message: expect.stringContaining(String(most * 1024 ** 2)) as string,
    });
    await writer.close();
    const ids: unknown[] = [];
    for await (const batch of sink.read?.({ table, export: "nightly", signal }) ?? []) {
      ids.push(...batch.rows().map(({ id }) => id));
    }
    expect(ids.toSorted()).toEqual(["large", "small"]);
  });
});
