import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFileSink } from "../../src/sdk/files/file-sink.ts";
import { createLocalFiles } from "../../src/sdk/files/local-files.ts";
import type { Row } from "../../src/sdk/row-batch.ts";
import type { Sink, SinkWriter } from "../../src/sdk/sink.ts";
import { gone, inOrder, upsert, valuesRow, valuesTable } from "../../src/sdk/testing/sink-table.ts";
import { readFiles } from "../support/file-sink-fixture.ts";
import type { Life } from "../support/mortal-files.ts";
import { mortal } from "../support/mortal-files.ts";

let root: string;
beforeEach(async () => void (root = await mkdtemp(join(tmpdir(), "deskbridge-crash-"))));
afterEach(() => rm(root, { recursive: true, force: true }));

function createSink(life: Life = { left: Infinity }): Sink {
  return createFileSink({
    format: "parquet",
    openTable: (name) => mortal(createLocalFiles(join(root, name)), life),
    logger: pino({ level: "silent" }),
    now: Date.now,
  });
}

async function openWriter(sink: Sink, run: number): Promise<SinkWriter> {
  const { signal } = new AbortController();
  return sink.open({ table: valuesTable, export: "nightly", run, onSchemaChange: "fail", signal });
}

const before = ["a", "b", "c"].map((id, index) =>
  valuesRow(id, { text: "before", created_at: `2026-11-0${index + 1}T08:00:00Z` }),
);
const changed = { ...before[0], text: "after" };
const added = valuesRow("d", { text: "after", created_at: "2026-11-04T08:00:00Z" });
const after = [changed, before[1] ?? {}, added];

async function commitChanges(writer: SinkWriter): Promise<void> {
  await writer.write(upsert(valuesTable, changed, added));
  await writer.write(gone(valuesTable, before[2] ?? {}));
  await writer.commit({ watermark: "two" });
}

const folder = (): string => join(root, valuesTable.name);

const seen = async (): Promise<readonly Row[]> =>
  inOrder(valuesTable, await readFiles("parquet", root, valuesTable));

async function fill(): Promise<void> {
  const writer = await openWriter(createSink(), 1);
  await writer.write(upsert(valuesTable, ...before));
  await writer.commit({ watermark: "one" });
  await writer.close();
}

describe("a process that dies while it publishes files", () => {
  it("leaves all of a commit or none, whichever deed is its last", async () => {
    const outcomes: string[] = [];
    for (let deeds = 1, lived = false; !lived; deeds += 1) {
      await rm(root, { recursive: true, force: true });
      await fill();
      const life = { left: Infinity };
      const dying = await openWriter(createSink(life), 2);
      life.left = deeds;
      lived = await commitChanges(dying).then(
        () => true,
        () => false,
      );
      const again = await openWriter(createSink(), 3);
      const watermark = again.position?.watermark ?? "none";
      await again.close();
      expect(await seen()).toEqual(inOrder(valuesTable, watermark === "two" ? after : before));
      expect(await readdir(folder())).not.toContain("_staging");
      outcomes.push(watermark);
      await dying.close();
    }
    expect(outcomes).toContain("one");
    expect(outcomes.filter((watermark) => watermark === "two").length).toBeGreaterThan(5);
    expect(outcomes).toEqual(outcomes.toSorted());
  });

  it("is finished by a process that dies as well", async () => {
    await fill();
    const life = { left: Infinity };
    const dying = await openWriter(createSink(life), 2);
    // The record is written by then, and a file or two are in their places.
    life.left = 14;
    await expect(commitChanges(dying)).rejects.toThrow("died");
    for (let deeds = 1; deeds < 8; deeds += 1) {
      await openWriter(createSink({ left: deeds }), 3).then(
        (writer) => writer.close(),
        () => undefined,
      );
    }
    const again = await openWriter(createSink(), 4);
    expect(again.position).toEqual({ run: 2, watermark: "two" });
    await again.close();
    expect(await seen()).toEqual(inOrder(valuesTable, after));
    await dying.close();
  });
});

/** Rows over as many days; a commit gives all of them its number. */
const rows = 400;

describe("a process that is killed while it writes, with readers of its files", () => {
  it("never shows a row twice, and leaves a whole commit behind", async () => {
    let commits = 0;
    for (const committed of [1, 2, 4]) {
      const child = fork(join(import.meta.dirname, "../support/files-writer.ts"), [root, String(rows)]);
      const closed = once(child, "close");
      const enough = commits + committed;
      let last = 0;
      child.on("message", (commit: number) => (last = commit));
      for (;;) {
        await Promise.race([once(child, "message"), closed]);
        expect(child.exitCode).toBeNull();
        const found = await readFiles("parquet", root, valuesTable);
        expect(new Set(found.map((row) => row["id"])).size).toBe(found.length);
        if (last >= enough) break;
      }
      child.kill("SIGKILL");
      await closed;
      const writer = await openWriter(createSink(), 1_000_000);
      commits = Number(writer.position?.watermark);
      await writer.close();
      expect(commits).toBeGreaterThanOrEqual(last);
      const found = await readFiles("parquet", root, valuesTable);
      expect(found.length).toBe(rows);
      expect(new Set(found.map((row) => row["order"]))).toEqual(new Set([commits]));
      expect((await readdir(folder())).filter((name) => name.startsWith("_"))).toEqual(["_manifest.json"]);
    }
  });
});

describe("a table's folder that is not as it was left", () => {
  it("stops at a manifest that is damaged, and touches nothing", async () => {
    await fill();
    const path = join(folder(), "_manifest.json");
    const text = await readFile(path, "utf8");
    for (const damaged of [
      text.slice(0, text.length / 2),
      "",
      text.replace('"rows": 3', '"rows": "three"'),
    ]) {
      await writeFile(path, damaged);
      await expect(openWriter(createSink(), 2)).rejects.toMatchObject({ code: "target_rejected" });
      expect(await readFile(path, "utf8")).toBe(damaged);
    }
    await writeFile(path, text);
    expect(await seen()).toEqual(before);
    const writer = await openWriter(createSink(), 2);
    expect(writer.position).toEqual({ run: 1, watermark: "one" });
    await writer.close();
  });

  it("refuses a folder with another file that readers would take for one of ours", async () => {
    await fill();
    await writeFile(join(folder(), "day=2026-11-01", "copy.parquet"), "theirs");
    await expect(openWriter(createSink(), 2)).rejects.toMatchObject({ code: "sink_table_foreign" });
  });

  it("takes files that somebody took away for meant", async () => {
    await fill();
    await rm(join(folder(), "day=2026-11-02"), { recursive: true });
    const writer = await openWriter(createSink(), 2);
    expect(writer.position).toEqual({ run: 1, watermark: "one" });
    await commitChanges(writer);
    await writer.close();
    expect(await seen()).toEqual([changed, added]);
  });
});

describe("a day without rows", () => {
  it("loses its file and its folder", async () => {
    await fill();
    const writer = await openWriter(createSink(), 2);
    await writer.write(gone(valuesTable, before[1] ?? {}));
    await writer.commit({ watermark: "two" });
    await writer.close();
    expect((await readdir(folder())).toSorted()).toEqual([
      "_manifest.json",
      "day=2026-11-01",
      "day=2026-11-03",
    ]);
  });
});
