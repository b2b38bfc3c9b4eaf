import { AppError } from "../errors.ts";
import type { Flow } from "../flows/flow.ts";
import { didYouMean } from "../sdk/nearest-name.ts";

/** The configured flow of a name. Throws `not_found` with the nearest name. */
export function flowNamed(flows: readonly Flow[], name: string): Flow {
  const flow = flows.find((candidate) => candidate.name === name);
  if (flow !== undefined) return flow;
  const names = flows.map((candidate) => candidate.name);
  const hint = didYouMean(name, names) || ` There are ${names.join(", ") || "none"}.`;
  throw new AppError("not_found", `there is no flow ${name}.${hint}`);
}
