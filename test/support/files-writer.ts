import { pino } from "pino";
import { join } from "node:path";
import { createFileSink } from "../../src/sdk/files/file-sink.ts";
import { createLocalFiles } from "../../src/sdk/files/local-files.ts";
import { upsert, valuesRow, valuesTable } from "../../src/sdk/testing/sink-table.ts";

// A process that writes all rows of a table anew, commit after commit, and tells the number of each, until it is killed.
const [root = "", count = "0"] = process.argv.slice(2);
const sink = createFileSink({
  format: "parquet",
  openTable: (name) => createLocalFiles(join(root, name)),
  logger: pino({ level: "silent" }),
  now: Date.now,
});
const { signal } = new AbortController();
const request = { table: valuesTable, export: "nightly", onSchemaChange: "fail", signal } as const;
let writer = await sink.open({ ...request, run: 1 });
const first = Number(writer.position?.watermark ?? 0) + 1;
await writer.close();
writer = await sink.open({ ...request, run: first });
for (let commit = first; ; commit += 1) {
  const rows = Array.from({ length: Number(count) }, (_, index) =>
    valuesRow(`row-${index}`, {
      order: commit,
      created_at: new Date(Date.UTC(2026, 0, 1 + (index % 40))).toISOString().replace(".000Z", "Z"),
    }),
  );
  await writer.write(upsert(valuesTable, ...rows));
  await writer.commit({ watermark: String(commit) });
  process.send?.(commit);
}
