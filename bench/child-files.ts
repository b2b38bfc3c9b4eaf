import { createReadStream, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import parquet from "../connectors/parquet/index.ts";
import { datasetCatalogue } from "../src/model/dataset-catalogue.ts";
import { cutCsv } from "../src/sdk/csv.ts";
import { createCsvBatch } from "../src/sdk/row-batch.ts";
import { createTestContext } from "../src/sdk/testing/context.ts";
import { serveCalls } from "./calls.ts";

interface Piece {
  readonly from: number;
  readonly bytes: number;
  readonly count: number;
}

interface SinkCall {
  readonly csv: string;
  readonly folder: string;
  readonly pieces: readonly Piece[];
}

interface CopyCall {
  readonly database: string;
  readonly folder: string;
}

/** What a run took. */
export interface FilesRun {
  readonly rows: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** The most memory that the process ever had, in mebibytes. */
  readonly peakMb: number;
}

async function timed(work: () => Promise<number>): Promise<FilesRun> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const rows = await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { rows, seconds, cpuSeconds: (user + system) / 1e6, peakMb: peakMb() };
}

/** What the process itself had. What `getrusage` tells begins with what its parent had when it made it. */
function peakMb(): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0) / 1024;
}

async function fill({ csv, folder, pieces }: SinkCall): Promise<number> {
  const { sink } = await parquet.open(parquet.config.parse({ path: folder }), createTestContext());
  const { columns, key, day, name } = datasetCatalogue.messages;
  const table = { name, dataset: name, columns, key, day };
  const { signal } = new AbortController();
  const writer = await sink?.open({ table, export: "bench", run: 1, onSchemaChange: "fail", signal });
  if (writer === undefined) throw new Error("the connector has no sink");
  const file = await open(csv);
  // One for all, as the sink is done with a batch when it is ready for more: what the rows come in is not the sink's.
  const room = Buffer.allocUnsafe(Math.max(...pieces.map(({ bytes }) => bytes)));
  try {
    for (const { from, bytes, count } of pieces) {
      await file.read(room, 0, bytes, from);
      const buffer = room.subarray(0, bytes);
      await writer.write({ kind: "upsert", batch: createCsvBatch(columns, buffer, count) });
    }
    const { inserted } = await writer.commit({ watermark: "all" });
    return inserted;
  } finally {
    await file.close();
    await writer.close();
  }
}

const handlers = {
  /** Where batches of whole rows begin in a file. */
  cut: async (csv: string): Promise<readonly Piece[]> => {
    const pieces: Piece[] = [];
    let from = 0;
    for await (const { csv: rows, count } of cutCsv(createReadStream(csv, { highWaterMark: 1024 ** 2 }))) {
      const bytes = rows.reduce((sum, { length }) => sum + length, 0);
      pieces.push({ from, bytes, count });
      from += bytes;
    }
    return pieces;
  },
  /** Hands batches to the sink and commits them. */
  sink: (call: SinkCall): Promise<FilesRun> => timed(() => fill(call)),
  /** DuckDB's own `COPY` of the same rows from a table of its own, to a file a day. */
  copy: async ({ database, folder }: CopyCall): Promise<FilesRun> => {
    const instance = await DuckDBInstance.create(database, { access_mode: "READ_ONLY" });
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    const run = await timed(async () => {
      const result = await connection.runAndReadAll(
        `COPY (SELECT *, created_at::DATE AS day FROM messages) TO '${folder}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (day))`,
      );
      return Number(result.getRows()[0]?.[0]);
    });
    connection.closeSync();
    instance.closeSync();
    return run;
  },
};
export type FilesHandlers = typeof handlers;

serveCalls(handlers, async () => undefined);
