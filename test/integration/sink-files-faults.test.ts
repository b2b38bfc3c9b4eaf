import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import csv from "../../connectors/csv/index.ts";
import duckdb from "../../connectors/duckdb/index.ts";
import parquet from "../../connectors/parquet/index.ts";
import type { Connection } from "../../src/sdk/connector.ts";
import { createRowBatch } from "../../src/sdk/row-batch.ts";
import type { Sink, SinkWriter } from "../../src/sdk/sink.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { gone, inOrder, upsert, valuesRow, valuesTable } from "../../src/sdk/testing/sink-table.ts";
import { createBucketCopy } from "../support/bucket-copy.ts";
import { openFailingProxy } from "../support/failing-proxy.ts";
import { openFileSink, readFiles } from "../support/file-sink-fixture.ts";
import { openS3Server } from "../support/s3-server.ts";
import { inDatabase, openDuckdbSink } from "../support/sink-duckdb.ts";

let root: string;
beforeEach(async () => void (root = await mkdtemp(join(tmpdir(), "deskbridge-faults-"))));
afterEach(() => rm(root, { recursive: true, force: true }));

const rowA = valuesRow("a", { text: "first" });
const rowB = valuesRow("b", { text: "second", created_at: "2026-10-31T12:00:00Z" });

async function openWriter(sink: Sink, run: number): Promise<SinkWriter> {
  const { signal } = new AbortController();
  return sink.open({ table: valuesTable, export: "nightly", run, onSchemaChange: "fail", signal });
}

async function fill(sink: Sink): Promise<void> {
  const writer = await openWriter(sink, 1);
  await writer.write(upsert(valuesTable, rowA, rowB));
  await writer.commit({ watermark: "one" });
  await writer.close();
}

describe("a bucket whose server answers 500", () => {
  it("keeps all of a commit or none, whichever call fails, and is finished by the next run", async () => {
    const server = await openS3Server();
    const proxy = await openFailingProxy(server.bucket.endpoint ?? "");
    const copy = createBucketCopy({ ...server.bucket, prefix: "warehouse/" });
    const s3 = { ...server.bucket, endpoint: proxy.url, prefix: "warehouse/" };
    try {
      const sink = openFileSink(parquet, { s3, workDir: root });
      await fill(sink);
      const changed = { ...rowA, text: "changed" };
      const outcomes: string[] = [];
      for (let calls = 0; outcomes.at(-1) !== "committed"; calls += 3) {
        const writer = await openWriter(sink, 2 + calls);
        await writer.write(upsert(valuesTable, changed));
        await writer.write(gone(valuesTable, rowB));
        proxy.failAfter(calls);
        const outcome = await writer.commit({ watermark: "two" }).then(
          () => "committed",
          (error: { code?: string }) => error.code ?? "no code",
        );
        await writer.close();
        proxy.failAfter(Infinity);
        outcomes.push(outcome);
        const again = await openWriter(sink, 3 + calls);
        const isDone = again.position?.watermark === "two";
        await again.close();
        const seen = await readFiles("parquet", await copy.fetch(), valuesTable);
        expect(inOrder(valuesTable, seen)).toEqual(isDone ? [changed] : [rowA, rowB]);
        if (isDone) break;
      }
      expect(outcomes[0]).toBe("target_unavailable");
    } finally {
      await copy.close();
      await proxy.close();
      await server.close();
    }
  });

  it("is told by a check, as are credentials that are refused", async () => {
    const server = await openS3Server();
    const check = async (settings: object): Promise<readonly boolean[]> => {
      const s3 = { ...server.bucket, ...settings };
      const connection = parquet.open(
        parquet.config.parse({ s3, workDir: root }),
        createTestContext(),
      ) as Connection;
      const results = await connection.check?.(new AbortController().signal);
      await connection.close?.();
      return results?.map(({ ok }) => ok) ?? [];
    };
    try {
      expect(await check({})).toEqual([true, true]);
      expect(await check({ bucket: "another" })).toEqual([false, true]);
      expect(await check({ accessKeyId: "nobody" })).toEqual([false, true]);
    } finally {
      await server.close();
    }
  });
});

describe("a folder that cannot be written to", () => {
  it.each([parquet, csv])("is told by a check and when a table of $name is opened", async (connector) => {
    // No folder can be made below a device.
    const path = "/dev/null/warehouse";
    const connection = connector.open(connector.config.parse({ path }), createTestContext()) as Connection;
    const [result] = (await connection.check?.(new AbortController().signal)) ?? [];
    expect(result).toMatchObject({ ok: false, detail: expect.stringContaining(path) as string });
    await expect(openWriter(openFileSink(connector, { path }), 1)).rejects.toMatchObject({
      code: "sink_path_blocked",
      message: expect.stringContaining(path) as string,
    });
  });
});

describe("a disk that is full", () => {
  // As many batches as are staged at once, or as are committed one by one until the day's file is too large.
  it.each(["at once", "each"])("stops the export and leaves what was committed (%s)", async (each) => {
    const sink = openFileSink(parquet, { path: root });
    await fill(sink);
    const filler = join(import.meta.dirname, "../support/files-filler.ts");
    const { stdout } = await promisify(execFile)("bash", [
      "-c",
      `ulimit -f 1024 && exec "${process.execPath}" "${filler}" "${root}" 30 "${each}"`,
    ]);
    expect(stdout).toBe("sink_full");
    const folder = join(root, valuesTable.name);
    expect((await readdir(folder)).filter((name) => name.startsWith("_"))).toEqual(["_manifest.json"]);
    const writer = await openWriter(sink, 3);
    const batches = Number(/^batch (\d+)$/.exec(writer.position?.watermark ?? "")?.[1] ?? -1) + 1;
    expect(batches > 0).toBe(each === "each");
    const seen = await readFiles("parquet", root, valuesTable);
    expect(seen.length).toBe(2 + batches * 100);
    await writer.write(upsert(valuesTable, { ...rowA, text: "room again" }));
    await writer.commit({ watermark: "three" });
    await writer.close();
  });
});

describe("rows that do not fit", () => {
  it("are refused without a word of what is in them", async () => {
    const sink = openFileSink(parquet, { path: root });
    await fill(sink);
    const writer = await openWriter(sink, 2);
    const columns = valuesTable.columns.map((column) =>
      column.name === "order" ? { ...column, type: "string" as const } : column,
    );
    const rows = [{ ...valuesRow("c"), order: "ada@example.com" }];
    const batch = createRowBatch(columns, rows);
    const asOrdered = { ...batch, columns: valuesTable.columns };
    const outcome = async (): Promise<void> => {
      await writer.write({ kind: "upsert", batch: asOrdered });
      await writer.commit({ watermark: "two" });
    };
    const error = await outcome().then(
      () => undefined,
      (fault: Error) => fault,
    );
    expect(error).toMatchObject({ code: "target_rejected" });
    expect(`${error?.message} ${error?.stack} ${JSON.stringify(error)}`).not.toContain("ada@example.com");
    await writer.abort();
    await writer.commit({ watermark: "three" });
    await writer.close();
    expect(inOrder(valuesTable, await readFiles("parquet", root, valuesTable))).toEqual([rowA, rowB]);
  });
});

describe("a database file", () => {
  it("can be opened by others while a run has rows staged, and is refused in plain words while they hold it", async () => {
    const path = join(root, "warehouse.duckdb");
    const writer = await openWriter(openDuckdbSink(path), 1);
    await writer.write(upsert(valuesTable, rowA));
    const [count] = await inDatabase(path, "SELECT count(*)::DOUBLE AS rows FROM support.conformance_values");
    expect(count).toEqual({ rows: 0 });
    await writer.commit({ watermark: "one" });
    await writer.close();
    expect(await readdir(root)).toEqual(["warehouse.duckdb"]);
  });

  it("with a folder in its place is refused for good", async () => {
    await expect(openWriter(openDuckdbSink(root), 1)).rejects.toMatchObject({ code: "sink_path_blocked" });
  });

  it("that is none is told by a check and when a table is opened", async () => {
    const path = join(import.meta.dirname, "sink-files-faults.test.ts");
    const connection = duckdb.open(
      duckdb.config.parse({ path, workDir: root }),
      createTestContext(),
    ) as Connection;
    const results = (await connection.check?.(new AbortController().signal)) ?? [];
    expect(results.map(({ ok }) => ok)).toEqual([true, false]);
    await expect(openWriter(openDuckdbSink(path), 1)).rejects.toMatchObject({
      code: "target_unavailable",
      message: expect.stringContaining("no DuckDB database") as string,
    });
  });
});
