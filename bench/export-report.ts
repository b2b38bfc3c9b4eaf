import Table from "cli-table3";
import type { DeskReport } from "./desk-report.ts";
import type { ExportExactFigures } from "./measure-export-exact.ts";
import type { ExportSpeedFigures } from "./measure-export-speed.ts";
import { significant } from "./statistics.ts";

/** What of the speed of the bare copy an export has to reach. */
const leastRatio = 0.5;
const mostMb = 400;
const mostEmptyMs = 100;

const plain = { style: { head: [], border: [] } };

/** Every table of every sink; one that is not exact is a failure. */
export function exportExactReport(
  figures: ExportExactFigures,
): DeskReport & Pick<ExportExactFigures, "seed" | "crashes" | "changes" | "tables" | "runs"> {
  const { seed, crashes, changes, tables, runs, rounds, sinks } = figures;
  const table = new Table({
    head: ["sink", "dataset", "filled", "held against", "rows", "missing", "too many", "twice", "other"],
    ...plain,
  });
  for (const { sink, dataset, way, against, rows, missing, unexpected, doubled, different } of tables) {
    table.push([sink, dataset, way, against, rows, missing, unexpected, doubled, different]);
  }
  const bySink = new Table({
    head: ["sink", "runs", "of them killed", "rows compared", "differences"],
    ...plain,
  });
  for (const { sink, done, killed } of runs) {
    const own = tables.filter((one) => one.sink === sink);
    const sum = (of: (one: (typeof own)[number]) => number): number =>
      own.reduce((total, one) => total + of(one), 0);
    const differences = sum((one) => one.missing + one.unexpected + one.doubled + one.different);
    bySink.push([sink, done + killed, killed, sum(({ rows }) => rows), differences]);
  }
  const facts = `seed ${seed}: ${changes} changes in ${rounds} runs to ${sinks.join(", ")}, ${crashes} processes killed`;
  return {
    seed,
    crashes,
    changes,
    tables,
    runs,
    table: `${table.toString()}\n${bySink.toString()}\n${facts}`,
    failures: tables
      .filter(({ exact }) => !exact)
      .map(({ sink, dataset, way, examples }) => `${sink} ${dataset}, ${way}: ${examples.join("; ")}`),
  };
}

interface FloorRatio {
  readonly floor: string;
  readonly rowsPerSecond: number;
  readonly ratio: number;
}

interface Speed {
  readonly sink: string;
  readonly rowsPerSecond: number;
  /** Beside the first of the floors, which is what the target is held against. */
  readonly ratio: number;
  readonly floors: readonly FloorRatio[];
  readonly peakMb: number;
}

/** Speeds beside those of bare copies, memory, and what a run costs that finds nothing. */
export function exportSpeedReport({ speeds, empty }: ExportSpeedFigures): DeskReport & {
  readonly speeds: readonly Speed[];
  readonly empty: ExportSpeedFigures["empty"];
} {
  const summaries = speeds.map(({ sink, rows, seconds, floors, peakMb }): Speed => {
    const ratios = floors.map((floor): FloorRatio => {
      const rowsPerSecond = Math.round(rows / floor.seconds);
      return { floor: floor.name, rowsPerSecond, ratio: significant(floor.seconds / seconds) };
    });
    return {
      sink,
      rowsPerSecond: Math.round(rows / seconds),
      ratio: ratios[0]?.ratio ?? NaN,
      floors: ratios,
      peakMb: Math.round(peakMb),
    };
  });
  const table = new Table({ head: ["to", "rows/s", "peak MB", "beside", "its rows/s", "ratio"], ...plain });
  for (const { sink, rowsPerSecond, peakMb, floors } of summaries) {
    for (const [index, one] of floors.entries()) {
      const own = index === 0 ? [sink, rowsPerSecond, peakMb] : ["", "", ""];
      table.push([...own, one.floor, one.rowsPerSecond, one.ratio]);
    }
  }
  const nothing = new Table({ head: ["nothing new, to", "tables", "ms", "statements"], ...plain });
  const rounded = empty.map((run) => ({ ...run, ms: significant(run.ms) }));
  for (const { sink, tables, ms, queries } of rounded) nothing.push([sink, tables, ms, queries]);
  return {
    speeds: summaries,
    empty: rounded,
    table: `${table.toString()}\n${nothing.toString()}`,
    failures: [
      ...summaries
        .filter(({ ratio }) => !(ratio >= leastRatio))
        .map((one) => `${one.sink}: ${one.ratio} of the bare copy is less than ${leastRatio}`),
      ...summaries
        .filter(({ peakMb }) => peakMb >= mostMb)
        .map((one) => `${one.sink}: ${one.peakMb} MB are not under ${mostMb}`),
      ...rounded
        .filter(({ ms }) => ms >= mostEmptyMs)
        .map((one) => `${one.sink}: a run that finds nothing takes ${one.ms} ms`),
    ],
  };
}
