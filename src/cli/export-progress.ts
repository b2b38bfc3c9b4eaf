import type { CliContext } from "./context.ts";
import type { Progress } from "./progress.ts";
import { createProgress } from "./progress.ts";
import { countOf } from "./table.ts";
import { durationText } from "./time-text.ts";

/** How far a dataset has come. */
export interface DatasetStep {
  readonly dataset: string;
  readonly rows: number;
  /** Between 0 and 1; undefined where the source cannot tell. */
  readonly fraction?: number | undefined;
  /** Between 0 and 1, while the source has still to work out what the rows are: how much of that is done. */
  readonly preparing?: number | undefined;
}

/** Shows an export as it comes on, a line a dataset, one after the other. */
export interface ExportProgress {
  readonly show: (step: DatasetStep) => void;
  readonly end: () => void;
}

interface Shown {
  readonly dataset: string;
  readonly progress: Progress;
  readonly startedAt: number;
}

/** Bars on a terminal; a line now and then in a pipe, and in continuous integration, whose terminals nobody watches. `now` is in milliseconds. */
export function createExportProgress(
  { stderr, variables }: Pick<CliContext, "stderr" | "variables">,
  datasets: readonly string[],
  now: () => number,
): ExportProgress {
  const width = Math.max(0, ...datasets.map((name) => name.length));
  const bars = stderr.isTTY === true && (variables["CI"] ?? "") === "";
  let shown: Shown | undefined;
  const begin = (dataset: string): Shown => {
    shown?.progress.end();
    const label = bars ? dataset.padEnd(width) : dataset;
    return { dataset, progress: createProgress(stderr, label, now, bars), startedAt: now() };
  };
  return {
    show: (step) => {
      if (shown?.dataset !== step.dataset) shown = begin(step.dataset);
      const { progress, startedAt } = shown;
      if (step.preparing !== undefined) {
        progress.show({ fraction: step.preparing, text: "the desk adds its figures up" });
        return;
      }
      progress.show({ fraction: step.fraction, text: stepText(step, now() - startedAt) });
    },
    end: () => {
      shown?.progress.end();
      shown = undefined;
    },
  };
}

/** Rows, rows a second, and the time that is left where it can be told. */
function stepText({ rows, fraction }: DatasetStep, elapsedMs: number): string {
  const parts = [countOf(rows, "row")];
  if (elapsedMs >= 1000) {
    parts.push(`${countOf(Math.round(rows / (elapsedMs / 1000)), "row")}/s`);
    if (fraction !== undefined && fraction > 0 && fraction < 1)
      parts.push(`${durationText((elapsedMs / fraction) * (1 - fraction))} left`);
  }
  return parts.join(", ");
}
