import type { RunResult } from "./run.ts";

/** One run, with what it was a run of. */
export interface Outcome extends RunResult {
  readonly kind: "point" | "scenario";
  readonly name: string;
  readonly target: string;
  readonly queue: string;
  readonly seed: string;
}

interface Sums {
  readonly runs: number;
  readonly events: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  /** Faults that did not happen. */
  readonly missed: number;
  readonly unsettled: number;
}

/** The runs of one point or scenario in one setting. */
export interface Row extends Sums {
  readonly point: string;
  readonly target: string;
  readonly queue: string;
}

export interface Report extends Sums {
  readonly points: number;
  readonly scenarios: number;
  readonly seed: string;
  readonly seconds: number;
  readonly byPoint: readonly Row[];
}

function sumsOf(outcomes: readonly Outcome[]): Sums {
  const sum = (name: keyof Omit<Sums, "runs">): number =>
    outcomes.reduce((total, one) => total + one[name], 0);
  return {
    runs: outcomes.length,
    events: sum("events"),
    lost: sum("lost"),
    duplicated: sum("duplicated"),
    outOfOrder: sum("outOfOrder"),
    missed: sum("missed"),
    unsettled: sum("unsettled"),
  };
}

/** Whether something went wrong, or whether nothing was shown: a run without events counts for nothing. */
export function hasFailed({ events, ...wrong }: Omit<Sums, "runs">): boolean {
  const { lost, duplicated, outOfOrder, missed, unsettled } = wrong;
  return events === 0 || lost + duplicated + outOfOrder + missed + unsettled > 0;
}

export function reportOf(outcomes: readonly Outcome[], seed: string, seconds: number): Report {
  const countOf = (kind: Outcome["kind"]): number =>
    new Set(outcomes.filter((one) => one.kind === kind).map(({ name }) => name)).size;
  // Points before scenarios, each in the order in which they were asked for.
  const ordered = outcomes.toSorted((a, b) => a.kind.localeCompare(b.kind));
  const groups = Map.groupBy(ordered, ({ name, target, queue }) => `${name}\n${target}\n${queue}`);
  const byPoint = [...groups.values()].map((group): Row => {
    const { name, target, queue } = group[0] as Outcome;
    return { point: name, target, queue, ...sumsOf(group) };
  });
  return {
    points: countOf("point"),
    scenarios: countOf("scenario"),
    ...sumsOf(outcomes),
    seed,
    seconds: Math.round(seconds),
    byPoint,
  };
}

const columns = ["point", "target", "queue", "runs", "events", "lost", "duplicated", "outOfOrder"] as const;

/** The cells of a row as they are shown: its names, its runs and events, and what went wrong. */
export type TableRow = readonly string[];

export function rowsOf({ byPoint }: Pick<Report, "byPoint">): readonly TableRow[] {
  return byPoint.map((row) => columns.map((column) => String(row[column])));
}

/** A Markdown table, for the terminal and for the page of guarantees alike. */
export function tableOf(rows: readonly TableRow[]): string {
  const head = ["Point", "Target", "Queue", "Runs", "Events", "Lost", "Doubled", "Out of order"];
  const line = (cells: TableRow): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (index < 3 ? "---" : "--:"))), ...rows.map(line)].join(
    "\n",
  );
}
