import { randomBytes } from "node:crypto";
import { AppError } from "../../src/errors.ts";
import parquet from "../../connectors/parquet/index.ts";
import type { Connection } from "../../src/sdk/connector.ts";
import { createTestContext } from "../../src/sdk/testing/context.ts";
import { upsert, valuesRow, valuesTable } from "../../src/sdk/testing/sink-table.ts";

// A process whose files may not grow over a limit writes rows that need more, and tells what came of it. What goes over the limit is an error, not its end.
process.on("SIGXFSZ", () => undefined);
const [root = "", count = "0", each = "at once"] = process.argv.slice(2);
const { sink } = parquet.open(parquet.config.parse({ path: root }), createTestContext()) as Connection;
const { signal } = new AbortController();
const request = { table: valuesTable, export: "nightly", run: 2, onSchemaChange: "fail", signal } as const;
const writer = await sink?.open(request);
if (writer === undefined) throw new Error("the connector offers no sink");
try {
  for (let batch = 0; batch < Number(count); batch += 1) {
    const rows = Array.from({ length: 100 }, (_, index) =>
      valuesRow(`row-${batch}-${index}`, { text: randomBytes(2000).toString("hex") }),
    );
    await writer.write(upsert(valuesTable, ...rows));
    if (each === "each") await writer.commit({ watermark: `batch ${batch}` });
  }
  await writer.commit({ watermark: "two" });
  process.stdout.write("committed");
} catch (error) {
  process.stdout.write(error instanceof AppError ? error.code : String(error));
} finally {
  await writer.close();
}
