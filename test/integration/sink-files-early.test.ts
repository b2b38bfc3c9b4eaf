import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OpenTableFiles } from "../../src/sdk/files/file-sink.ts";
import { createFileSink } from "../../src/sdk/files/file-sink.ts";
import { createLocalFiles } from "../../src/sdk/files/local-files.ts";
import { openS3Client } from "../../src/sdk/files/s3-client.ts";
import { createS3Files } from "../../src/sdk/files/s3-files.ts";
import type { TableFiles } from "../../src/sdk/files/table-files.ts";
import type { Row } from "../../src/sdk/row-batch.ts";
import type { Sink, SinkTable, SinkWriter } from "../../src/sdk/sink.ts";
import { gone, inOrder, upsert, valuesRow, valuesTable, without } from "../../src/sdk/testing/sink-table.ts";
import { createBucketCopy } from "../support/bucket-copy.ts";
import { readFiles } from "../support/file-sink-fixture.ts";
import type { Life } from "../support/mortal-files.ts";
import { mortal } from "../support/mortal-files.ts";
import { openS3Server } from "../support/s3-server.ts";

let root: string;
/** Names of the files that became part of the table, as they were staged. */
let staged: string[];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "deskbridge-early-"));
  staged = [];
});
afterEach(() => rm(root, { recursive: true, force: true }));

function watched(files: TableFiles): TableFiles {
  return {
    ...files,
    stage: (name) => {
      staged.push(name);
      return files.stage(name);
    },
  };
}

const local: OpenTableFiles = (name) => watched(createLocalFiles(join(root, name)));

/** A sink that takes in a few rows at a time, as it would megabytes of them. */
function createSink(openTable = local): Sink {
  const logger = pino({ level: "silent" });
  return createFileSink({ format: "parquet", openTable, pieceBytes: 8000, logger, now: Date.now });
}

interface Opening {
  readonly sink?: Sink;
  readonly table?: SinkTable;
  readonly signal?: AbortSignal;
}

function openWriter(run: number, opening: Opening = {}): Promise<SinkWriter> {
  const { sink = createSink(), table = valuesTable, signal = new AbortController().signal } = opening;
  return sink.open({ table, export: "nightly", run, onSchemaChange: "evolve", signal });
}

const rowsADay = 4;
const text = "a row of some day ".repeat(25);

/** Rows of days from one on, those of a day together. */
function rowsOf(from: number, until: number, values: Row = {}): Row[] {
  return Array.from({ length: (until - from) * rowsADay }, (_, index) => {
    const day = from + Math.floor(index / rowsADay);
    const createdAt = new Date(Date.UTC(2026, 0, 1 + day, index % rowsADay)).toISOString();
    return valuesRow(`row-${day}-${index % rowsADay}`, {
      text,
      order: 1,
      created_at: createdAt.replace(".000Z", "Z"),
      ...values,
    });
  });
}

async function write(writer: SinkWriter, rows: readonly Row[], table: SinkTable = valuesTable) {
  for (let from = 0; from < rows.length; from += 5)
    await writer.write(upsert(table, ...rows.slice(from, from + 5)));
}

async function seen(): Promise<readonly Row[]> {
  return inOrder(valuesTable, await readFiles("parquet", root, valuesTable));
}

const wanted = (...rows: readonly Row[]): readonly Row[] => inOrder(valuesTable, rows);
const earlyOnes = (): string[] => staged.filter((name) => name.includes("/early/"));
const folder = (): string => join(root, valuesTable.name);

/** The last row of a key. */
function lastOf(...rows: readonly Row[]): readonly Row[] {
  return wanted(...new Map(rows.map((row) => [row["id"], row])).values());
}

async function expectTidy(days: number): Promise<void> {
  const names = await readdir(folder(), { recursive: true });
  expect(names.filter((name) => name.endsWith(".parquet"))).toHaveLength(days);
  expect(names.filter((name) => name.startsWith("_"))).toEqual(["_manifest.json"]);
}

const month = rowsOf(0, 30);

describe("rows that come by day", () => {
  it("are written as they come: most files are done before the commit, every day has one", async () => {
    const writer = await openWriter(1);
    await write(writer, month);
    expect(await seen()).toEqual([]);
    const receipt = await writer.commit({ watermark: "one" });
    await writer.close();
    expect(receipt).toMatchObject({ inserted: month.length, updated: 0, deleted: 0 });
    expect(await seen()).toEqual(wanted(...month));
    expect(earlyOnes().length).toBeGreaterThan(15);
    expect(staged).toHaveLength(30);
    await expectTidy(30);
  });

  it("are so in one commit after the other, and after what was written was given up", async () => {
    const writer = await openWriter(1);
    await write(writer, rowsOf(0, 20));
    await writer.abort();
    await write(writer, rowsOf(0, 20, { order: 2 }));
    await writer.commit({ watermark: "one" });
    const first = earlyOnes().length;
    await write(writer, rowsOf(20, 40));
    const receipt = await writer.commit({ watermark: "two" });
    await writer.close();
    expect(receipt).toMatchObject({ inserted: 20 * rowsADay, updated: 0 });
    expect(first).toBeGreaterThan(8);
    expect(earlyOnes().length).toBeGreaterThan(first + 8);
    expect(await seen()).toEqual(wanted(...rowsOf(0, 20, { order: 2 }), ...rowsOf(20, 40)));
    await expectTidy(40);
  });

  it("may lack columns from some row on, and get new ones in a later run", async () => {
    const table = without(valuesTable, "data");
    const narrow = without(table, "text", "order");
    const writer = await openWriter(1, { table });
    await write(writer, rowsOf(0, 20), table);
    await write(writer, rowsOf(20, 40), narrow);
    await writer.commit({ watermark: "one" });
    await writer.close();
    expect(earlyOnes().length).toBeGreaterThan(8);
    const held = [...rowsOf(0, 20), ...rowsOf(20, 40, { text: null, order: null })];
    expect(await seen()).toEqual(wanted(...held));
    const later = await openWriter(2);
    await write(later, rowsOf(40, 60, { data: { kind: "new" } }));
    await later.commit({ watermark: "two" });
    await later.close();
    expect(await seen()).toEqual(wanted(...held, ...rowsOf(40, 60, { data: { kind: "new" } })));
    await expectTidy(60);
  });

  it("are put together with what is there of their days, and take the place of what an older run wrote", async () => {
    const first = await openWriter(1);
    await write(first, rowsOf(0, 3));
    await write(first, rowsOf(50, 52));
    await first.commit({ watermark: "one" });
    await first.close();
    const writer = await openWriter(2);
    const rows = rowsOf(2, 30, { order: 2 }).filter(({ id }) => id !== "row-2-1");
    await write(writer, rows);
    const receipt = await writer.commit({ watermark: "two", dropOlderThan: 2 });
    await writer.close();
    expect(earlyOnes().length).toBeGreaterThan(15);
    const left = rowsADay * 4 + 1;
    expect(receipt).toMatchObject({ inserted: rows.length - 3, updated: 3, deleted: left });
    expect(await seen()).toEqual(wanted(...rows));
    await expectTidy(28);
  });
});

describe("rows that cannot be written as they come are written all the same", () => {
  const early = rowsOf(0, 15, { order: 3 });
  it.each([
    { what: "a row that comes again at once", rows: [...month.slice(0, 2), ...month] },
    { what: "a row that comes again in a piece", rows: [...month.slice(0, 60), ...month.slice(55)] },
    { what: "rows that come again at the end", rows: [...month, ...early] },
    {
      what: "days that come mixed",
      rows: month.toSorted((a, b) => (String(a["id"]) < String(b["id"]) ? -1 : 1)),
    },
    {
      what: "a row longer than DuckDB is prepared for",
      rows: [
        ...month.slice(0, 61),
        valuesRow("long", { text: "long ".repeat(3_000_000) }),
        ...month.slice(61),
      ],
    },
  ])("$what", async ({ rows }) => {
    const writer = await openWriter(1);
    await write(writer, rows);
    const receipt = await writer.commit({ watermark: "one" });
    await writer.close();
    const expected = lastOf(...rows);
    expect(await seen()).toEqual(expected);
    expect(receipt).toMatchObject({ inserted: expected.length, updated: 0, deleted: 0 });
    await expectTidy(new Set(expected.map((row) => String(row["created_at"]).slice(0, 10))).size);
  });

  it("rows that go in between and come again", async () => {
    const writer = await openWriter(1);
    await write(writer, month);
    await writer.write(gone(valuesTable, ...month.slice(10, 20)));
    await write(writer, month.slice(15, 17));
    const receipt = await writer.commit({ watermark: "one" });
    await writer.close();
    expect(await seen()).toEqual(wanted(...month.slice(0, 10), ...month.slice(15, 17), ...month.slice(20)));
    expect(receipt).toMatchObject({ inserted: month.length - 8, updated: 0 });
    expect(earlyOnes()).toEqual([]);
    await expectTidy(30);
  });

  it("rows of days that are there: nothing is written twice", async () => {
    for (const run of [1, 2]) {
      const writer = await openWriter(run);
      await write(writer, rowsOf(0, 30, { order: run }));
      staged = [];
      const receipt = await writer.commit({ watermark: String(run) });
      expect(receipt.updated).toBe(run === 1 ? 0 : month.length);
      await writer.close();
    }
    expect(earlyOnes()).toEqual([]);
    expect(await seen()).toEqual(wanted(...rowsOf(0, 30, { order: 2 })));
    await expectTidy(30);
  });

  it("rows of one day only", async () => {
    const rows = Array.from({ length: 100 }, (_, index) => valuesRow(`row-${index}`, { text }));
    const writer = await openWriter(1);
    await write(writer, rows);
    await writer.commit({ watermark: "one" });
    await writer.close();
    expect(earlyOnes()).toEqual([]);
    expect(await seen()).toEqual(wanted(...rows));
  });
});

describe("rows that are refused, or given up", () => {
  it.each([
    { what: "a row without a day", row: valuesRow("bad", { created_at: null }), says: "has no created_at" },
    {
      what: "a row that is too long",
      row: valuesRow("bad", { text: "x".repeat(17 * 1024 ** 2) }),
      says: "are the most",
    },
  ])("$what stops the commit, wherever it stands, and leaves nothing", async ({ row, says }) => {
    for (const place of [0, 60, month.length]) {
      await rm(root, { recursive: true, force: true });
      const writer = await openWriter(1);
      const attempt = async (): Promise<void> => {
        await write(writer, [...month.slice(0, place), row, ...month.slice(place)]);
        await writer.commit({ watermark: "one" });
      };
      const refusal = { code: "target_rejected", message: expect.stringContaining(says) as string };
      await expect(attempt()).rejects.toMatchObject(refusal);
      await writer.abort();
      expect(await readdir(folder())).not.toContain("_staging");
      await write(writer, month);
      await writer.commit({ watermark: "two" });
      await writer.close();
      expect(await seen()).toEqual(wanted(...month));
      await expectTidy(30);
    }
  });

  it("a run that is stopped leaves nothing behind", async () => {
    const stop = new AbortController();
    const writer = await openWriter(1, { signal: stop.signal });
    await write(writer, month);
    stop.abort(new Error("enough"));
    await expect(writer.commit({ watermark: "one" })).rejects.toThrow("enough");
    await writer.close();
    expect(await readdir(folder())).toEqual(["_manifest.json"]);
  });
});

describe("rows for a bucket", () => {
  it("are written on this machine as they come and brought there by the commit, whatever was given up before", async () => {
    const server = await openS3Server();
    const bucket = { ...server.bucket, prefix: "warehouse/" };
    const copy = createBucketCopy(bucket);
    const work = join(root, "work");
    const client = await openS3Client(bucket);
    const sink = createSink((name, { signal }) => {
      const request = { client: async () => client, bucket, table: name, workFolder: work, signal };
      return watched(createS3Files(request));
    });
    try {
      const writer = await openWriter(1, { sink });
      await write(writer, month);
      await writer.abort();
      await write(writer, rowsOf(0, 30, { order: 2 }));
      await writer.commit({ watermark: "one" });
      const stop = new AbortController();
      const stopped = await openWriter(2, { sink, signal: stop.signal });
      await write(stopped, rowsOf(40, 60));
      stop.abort(new Error("enough"));
      await expect(stopped.commit({ watermark: "two" })).rejects.toThrow("enough");
      await stopped.close();
      await writer.close();
      expect(earlyOnes().length).toBeGreaterThan(15);
      const rows = await readFiles("parquet", await copy.fetch(), valuesTable);
      expect(inOrder(valuesTable, rows)).toEqual(wanted(...rowsOf(0, 30, { order: 2 })));
      expect(existsSync(work) ? await readdir(work, { recursive: true }) : []).toEqual([]);
    } finally {
      client.destroy();
      await copy.close();
      await server.close();
    }
  });
});

describe("a process that dies while it writes rows as they come", () => {
  it("leaves all of a commit or none, whichever deed is its last", async () => {
    const before = rowsOf(-2, 1);
    const outcomes: string[] = [];
    for (let deeds = 1, lived = false; !lived; deeds += 7) {
      await rm(root, { recursive: true, force: true });
      const first = await openWriter(1);
      await write(first, before);
      await first.commit({ watermark: "one" });
      await first.close();
      const life: Life = { left: Infinity };
      const sink = createSink((name) => mortal(createLocalFiles(join(root, name)), life));
      const dying = await openWriter(2, { sink });
      life.left = deeds;
      lived = await write(dying, month)
        .then(() => dying.commit({ watermark: "two" }))
        .then(
          () => true,
          () => false,
        );
      const again = await openWriter(3);
      const watermark = again.position?.watermark ?? "none";
      await again.close();
      expect(await seen()).toEqual(watermark === "two" ? lastOf(...before, ...month) : wanted(...before));
      expect(await readdir(folder())).not.toContain("_staging");
      outcomes.push(watermark);
      await dying.close();
    }
    expect(outcomes.filter((watermark) => watermark === "one").length).toBeGreaterThan(5);
    expect(outcomes.filter((watermark) => watermark === "two").length).toBeGreaterThan(3);
    expect(outcomes).toEqual(outcomes.toSorted());
  });
});
