import { join } from "node:path";
import { pino } from "pino";
import { createFileSink } from "../../src/sdk/files/file-sink.ts";
import { createLocalFiles } from "../../src/sdk/files/local-files.ts";
import { createCsvBatch } from "../../src/sdk/row-batch.ts";
import { valuesTable } from "../../src/sdk/testing/sink-table.ts";

// A process that writes many rows of some weeks in one commit, megabytes at a time, and tells the most memory that it had, in mebibytes.
const [root = "", count = "0"] = process.argv.slice(2);
const rowsADay = 5000;
const rowsAtOnce = 10_000;
const sink = createFileSink({
  format: "parquet",
  openTable: (name) => createLocalFiles(join(root, name)),
  logger: pino({ level: "silent" }),
  now: Date.now,
});
let most = 0;
const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 5);
const { signal } = new AbortController();
const table = {
  ...valuesTable,
  columns: valuesTable.columns.filter(({ name }) => ["id", "text", "created_at"].includes(name)),
};
const writer = await sink.open({ table, export: "nightly", run: 1, onSchemaChange: "fail", signal });
for (let from = 0; from < Number(count); from += rowsAtOnce) {
  const lines = Array.from({ length: rowsAtOnce }, (_, index) => {
    const day = new Date(Date.UTC(2026, 0, 1 + Math.floor((from + index) / rowsADay))).toISOString();
    return `row-${from + index},${"some words of a message ".repeat(8)}${index},${day}\n`;
  });
  const batch = createCsvBatch(table.columns, Buffer.from(lines.join("")), rowsAtOnce);
  await writer.write({ kind: "upsert", batch });
}
const { inserted } = await writer.commit({ watermark: "one" });
clearInterval(watch);
await writer.close();
process.stdout.write(JSON.stringify({ inserted, mostMb: Math.round(most / 1024 ** 2) }));
