import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { temporaryDataDir } from "../test/support/data-dir.ts";
import { startChild } from "./calls.ts";
import type { FilesHandlers, FilesRun } from "./child-files.ts";
import { CountError } from "./count-check.ts";

export interface ExportFilesOptions {
  /** Messages, of a year. */
  readonly rows: number;
  readonly rounds: number;
  readonly note: (line: string) => void;
}

/** The Parquet sink alone, fed with rows that are ready, beside DuckDB's own `COPY`. */
export interface ExportFilesFigures {
  readonly rows: number;
  /** Round by round. */
  readonly sink: readonly FilesRun[];
  readonly copy: readonly FilesRun[];
}

/** Texts of about 220 letters, twenty of them again and again in another order; ids that are all different. */
function messages(rows: number): string {
  return `SELECT 'msg_' || lpad(to_base(i, 36), 12, '0') AS id, 'tkt_' || lpad(to_base(i // 5, 36), 12, '0') AS ticket_id,
    if(i % 2 = 0, 'inbound', 'outbound') AS direction, 'public' AS visibility, if(i % 2 = 0, 'contact', 'agent') AS author_type,
    'con_' || substr(md5((i // 7)::VARCHAR), 1, 22) AS author_id, 'Customer ' || (i % 9000) AS author_name,
    concat_ws(' ', s[(1 + hash(i * 3) % 4000)::BIGINT], s[(1 + hash(i * 3 + 1) % 4000)::BIGINT], s[(1 + hash(i * 3 + 2) % 4000)::BIGINT]) AS text, i % 10 = 0 AS has_attachments,
    TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_microseconds(i * ${Math.floor((365 * 86_400e6) / rows)}) AS created_at
  FROM range(${rows}) r(i), (SELECT list(sentence) AS s FROM (SELECT string_agg(word, ' ') AS sentence FROM
    (SELECT g, substr(md5((g * 12 + w)::VARCHAR), 1, 2 + (hash(g * 12 + w) % 9)::INTEGER) AS word FROM range(4000) t(g), range(12) u(w)) GROUP BY g))`;
}

export async function measureExportFiles({
  rows,
  rounds,
  note,
}: ExportFilesOptions): Promise<ExportFilesFigures> {
  const { path: root, remove } = await temporaryDataDir();
  const [database, csv] = [join(root, "messages.duckdb"), join(root, "messages.csv")];
  try {
    note(`making ${rows} messages`);
    await makeMessages(database, csv, rows);
    const figures = { rows, sink: [] as FilesRun[], copy: [] as FilesRun[] };
    const pieces = await inChild((child) => child.call("cut", csv));
    for (let round = 0; round < rounds; round += 1) {
      const folder = join(root, "files");
      const copy = await inChild((child) => child.call("copy", { database, folder }));
      await rm(folder, { recursive: true });
      const sink = await inChild((child) => child.call("sink", { csv, folder, pieces }));
      await rm(folder, { recursive: true });
      for (const run of [copy, sink]) {
        if (run.rows !== rows) throw new CountError(`${run.rows} rows of ${rows} were written`);
      }
      figures.copy.push(copy);
      figures.sink.push(sink);
      note(
        `round ${round + 1}: sink ${sink.seconds.toFixed(1)} s (CPU ${sink.cpuSeconds.toFixed(1)} s, ${Math.round(sink.peakMb)} MB), COPY ${copy.seconds.toFixed(1)} s (CPU ${copy.cpuSeconds.toFixed(1)} s)`,
      );
    }
    return figures;
  } finally {
    await remove();
  }
}

async function inChild<T>(
  work: (child: ReturnType<typeof startChild<FilesHandlers>>) => Promise<T>,
): Promise<T> {
  const child = startChild<FilesHandlers>("./child-files.ts");
  try {
    return await work(child);
  } finally {
    await child.stop();
  }
}

async function makeMessages(database: string, csv: string, rows: number): Promise<void> {
  const instance = await DuckDBInstance.create(database);
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run(`CREATE TABLE messages AS ${messages(rows)}`);
  await connection.run("CHECKPOINT");
  await connection.run(`COPY messages TO '${csv}' (FORMAT csv, HEADER false)`);
  connection.closeSync();
  instance.closeSync();
}
