import Table from "cli-table3";
import type { DeskReport } from "./desk-report.ts";
import type { ExportFilesFigures } from "./measure-export-files.ts";
import { median, significant } from "./statistics.ts";

/** What of the speed of DuckDB's own `COPY` the sink has to reach, and the memory that it may take. */
const leastRatio = 0.5;
const mostMb = 400;

/** The sink's speed beside that of a bare `COPY`: medians of the rounds. */
export function exportFilesReport({ rows, sink, copy }: ExportFilesFigures): DeskReport & {
  readonly rowsPerSecond: number;
  readonly copyRowsPerSecond: number;
  readonly ratio: number;
  readonly cpuRatio: number;
  readonly peakMb: number;
} {
  const ratio = significant(
    median(sink.map(({ seconds }, round) => (copy[round]?.seconds ?? NaN) / seconds)),
  );
  const cpuRatio = significant(
    median(sink.map(({ cpuSeconds }, round) => (copy[round]?.cpuSeconds ?? NaN) / cpuSeconds)),
  );
  const peakMb = Math.round(Math.max(...sink.map((run) => run.peakMb)));
  const rate = (runs: ExportFilesFigures["sink"]): number =>
    Math.round(rows / median(runs.map(({ seconds }) => seconds)));
  const table = new Table({
    head: ["to Parquet", "rows/s", "DuckDB's COPY, rows/s", "ratio", "ratio of CPU", "peak MB"],
    style: { head: [], border: [] },
  });
  table.push([rows, rate(sink), rate(copy), ratio, cpuRatio, peakMb]);
  return {
    rowsPerSecond: rate(sink),
    copyRowsPerSecond: rate(copy),
    ratio,
    cpuRatio,
    peakMb,
    table: table.toString(),
    failures: [
      ...(ratio >= leastRatio ? [] : [`${ratio} of DuckDB's COPY is less than ${leastRatio}`]),
      ...(peakMb < mostMb ? [] : [`${peakMb} MB are not under ${mostMb}`]),
    ],
  };
}
