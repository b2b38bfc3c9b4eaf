import { AppError } from "../errors.ts";
import { formatProblem } from "../flows/located.ts";
import type { Registry } from "../registry/registry.ts";
import type { Config } from "./config.ts";
import type { Environment } from "./environment.ts";
import { loadConfig } from "./load.ts";

/**
 * Loads a configuration that must be right: throws `config_invalid` with a line for every problem, or `config_unreadable`. A placeholder stands
 * in for missing secrets, for those who use none of them.
 */
export async function requireConfig(
  path: string,
  environment: Environment,
  registry: Registry,
  placeholder?: string,
): Promise<Config> {
  const result = await loadConfig({ path, registry, env: environment.variables, placeholder });
  if (result.ok) return result.config;
  const problems = result.problems.map(formatProblem);
  const count = problems.length === 1 ? "one problem" : `${problems.length} problems`;
  throw new AppError("config_invalid", `the configuration has ${count}:\n${problems.join("\n")}`, {
    details: { problems },
  });
}
