import type { RunResult } from "./run.ts";
import type { QueueKind, TargetKind } from "./setting.ts";
import type { Stage } from "./stage.ts";

/** What befalls a running deskbridge besides its own death. */
export const scenarioNames = ["redis-flushed"] as const;
export type ScenarioName = (typeof scenarioNames)[number];

export interface Scenario {
  readonly name: ScenarioName;
  readonly target: TargetKind;
  readonly queue: QueueKind;
}

export function scenariosOf(_wanted: readonly ScenarioName[]): readonly Scenario[] {
  return [];
}

export async function runScenario(_stage: Stage, _scenario: Scenario, _seed: string): Promise<RunResult> {
  throw new Error("not there yet");
}
