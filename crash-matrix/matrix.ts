import { cellsInTurn, cellsOf } from "./cell.ts";
import type { MatrixOptions } from "./options.ts";
import type { Outcome } from "./report.ts";
import type { RunResult } from "./run.ts";
import { runScenario, scenariosOf } from "./scenarios.ts";
import type { Stage } from "./stage.ts";

/** Which runs to do. */
export type RunChoice = Omit<MatrixOptions, "json" | "publish">;

interface Job {
  readonly facts: Omit<Outcome, keyof RunResult>;
  readonly run: () => Promise<RunResult>;
}

/** Does all runs that the options ask for, several at a time; `onOutcome` hears of each when it is over. */
export async function runMatrix(
  stage: Stage,
  options: RunChoice,
  onOutcome: (outcome: Outcome, done: number, all: number) => void,
): Promise<readonly Outcome[]> {
  const jobs = jobsOf(stage, options);
  const outcomes: (Outcome | undefined)[] = jobs.map(() => undefined);
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < jobs.length; index = next++) {
      const { facts, run } = jobs[index] as Job;
      const outcome = { ...facts, ...(await run().catch(failed)) };
      outcomes[index] = outcome;
      done += 1;
      onOutcome(outcome, done, jobs.length);
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, work));
  return outcomes.filter((outcome) => outcome !== undefined);
}

/** A run that broke down shows nothing. */
function failed(error: unknown): RunResult {
  const findings = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  return { events: 0, lost: 0, duplicated: 0, outOfOrder: 0, unsettled: 0, missed: 1, seconds: 0, findings };
}

function jobsOf(stage: Stage, choice: RunChoice): readonly Job[] {
  const { points, scenarios, runs, scenarioRuns, quick, seed } = choice;
  const cells = quick ? cellsInTurn(points) : cellsOf(points);
  const ofPoints = cells.flatMap(({ point: name, target, queue, run }) =>
    seeded(runs, `${seed}/${name}/${target}/${queue}`, (own) => ({
      facts: { kind: "point", name, target, queue, seed: own },
      run: () => run(stage, own),
    })),
  );
  const ofScenarios = scenariosOf(scenarios).flatMap((scenario) => {
    const { name, target, queue } = scenario;
    return seeded(scenarioRuns, `${seed}/${name}/${target}/${queue}`, (own) => ({
      facts: { kind: "scenario", name, target, queue, seed: own },
      run: () => runScenario(stage, scenario, own),
    }));
  });
  return interleaved(ofScenarios, ofPoints);
}

function seeded(runs: number, seed: string, job: (seed: string) => Job): readonly Job[] {
  return Array.from({ length: runs }, (_, index) => job(`${seed}/${index + 1}`));
}

/** Scenarios mostly wait and points mostly work, so each keeps the other company; the long ones are through before the end. */
function interleaved<T>(long: readonly T[], short: readonly T[]): readonly T[] {
  const between = Math.max(1, Math.floor((short.length * 0.7) / Math.max(1, long.length)));
  const mixed = long.flatMap((one, index) => [one, ...short.slice(index * between, (index + 1) * between)]);
  return [...mixed, ...short.slice(long.length * between)];
}
