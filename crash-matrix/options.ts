import { parseArgs } from "node:util";
import type { Point } from "./cell.ts";
import { points } from "./points.ts";
import type { ScenarioName } from "./scenarios.ts";
import { scenarioNames } from "./scenarios.ts";

export interface MatrixOptions {
  readonly points: readonly Point[];
  readonly scenarios: readonly ScenarioName[];
  /** Runs of each point, for each kind of target and of queue. */
  readonly runs: number;
  /** Runs of each scenario in each of its settings. */
  readonly scenarioRuns: number;
  /** Each point in one of its settings only, all settings in turn. */
  readonly quick: boolean;
  readonly seed: string;
  /** Runs at a time. */
  readonly parallel: number;
  readonly json: boolean;
  /** Puts the table into the page of guarantees. */
  readonly publish: boolean;
}

export const help = `npm run -s crash-matrix -- [options]

Kills a real deskbridge at every named point of the way of an event, with traffic flowing, starts it again, and counts on the side of the
target what was lost, doubled or out of order: for a target with idempotency keys and one without, with the queue on Redis and on
PostgreSQL. Then cuts networks, kills databases, freezes processes and sets clocks wrong.

  --points NAMES    some of: ${points.map(({ name }) => name).join(", ")}
  --scenarios NAMES some of: ${scenarioNames.join(", ")}
  --only points|scenarios
  --quick           each point in one of its settings only, all settings in turn
  --runs N          seeded runs of a point in each of its settings (5)
  --scenario-runs N seeded runs of a scenario in each of its settings (1)
  --seed TEXT       the same seed gives the same kills and traffic (a new one each time)
  --parallel N      runs at a time (8)
  --json            the figures as one JSON object on the last line
  --publish         put the rows into the table of docs/reference/guarantees.md
  --help

Ends with 1 when anything was lost, doubled or out of order, or when a fault did not happen.`;

/** Reads the command line; `help` when it asks for help. Throws with a sentence for the user where it cannot be understood. */
export function parseOptions(argv: readonly string[]): MatrixOptions | "help" {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      points: { type: "string", multiple: true },
      scenarios: { type: "string", multiple: true },
      only: { type: "string" },
      runs: { type: "string", default: "5" },
      "scenario-runs": { type: "string", default: "1" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      parallel: { type: "string", default: "8" },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      publish: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const only =
    values.only ??
    (values.points === undefined ? "" : "points") + (values.scenarios === undefined ? "" : "scenarios");
  if (!["", "points", "scenarios", "pointsscenarios"].includes(only)) {
    throw new Error(`--only ${only}: it is points or scenarios`);
  }
  const names = chosen(
    "--points",
    values.points,
    points.map(({ name }) => name),
  );
  return {
    points: only === "scenarios" ? [] : points.filter(({ name }) => names.includes(name)),
    scenarios: only === "points" ? [] : chosen("--scenarios", values.scenarios, scenarioNames),
    runs: positive("--runs", values.runs),
    scenarioRuns: positive("--scenario-runs", values["scenario-runs"]),
    seed: values.seed,
    parallel: positive("--parallel", values.parallel),
    quick: values.quick,
    json: values.json,
    publish: values.publish,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`${name} ${text} is not a whole number above zero`);
}

function chosen<N extends string>(
  option: string,
  given: readonly string[] | undefined,
  known: readonly N[],
): readonly N[] {
  if (given === undefined) return known;
  const names = given.flatMap((text) => text.split(",")).map((name) => name.trim());
  return names.map((name) => {
    const found = known.find((one) => one === name);
    if (found === undefined) throw new Error(`${option} ${name}: there are ${known.join(", ")}`);
    return found;
  });
}
