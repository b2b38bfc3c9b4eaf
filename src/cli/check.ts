import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { AppError, toAppError } from "../errors.ts";
import { formatProblem } from "../flows/located.ts";
import { openSetup } from "../jobs/connections.ts";
import { addJsonOption, groups } from "./argument.ts";
import type { CliContext } from "./context.ts";
import { commandLogger, printJson, printLine, registryOf, secretPlaceholder } from "./context.ts";
import { countOf, createPaint, oneLine } from "./table.ts";

interface CheckOptions {
  readonly allowMissingSecrets?: boolean;
  readonly json?: boolean;
}

/** What was found in one configuration; `problems` are lines of `file:line:column path — message`. */
export interface CheckedPath {
  readonly path: string;
  readonly ok: boolean;
  readonly connections: number;
  readonly flows: number;
  readonly problems: readonly string[];
}

const defaultPath = "config/deskbridge.yaml";

/** `check`: is the configuration right? Opens its connections, which calls nobody, and no database. */
export function addCheckVerb(program: Command, context: CliContext): void {
  const command = program
    .command("check")
    .description("check configurations, each path on its own, and name everything that is wrong with them")
    .helpGroup(groups.configure)
    .argument("[paths...]", `YAML files, or folders of them (default: "${defaultPath}")`)
    .option("--allow-missing-secrets", "put a placeholder where a variable or a secret file is missing");
  addJsonOption(command).action(async (paths: readonly string[], options: CheckOptions) => {
    const checked: CheckedPath[] = [];
    for (const path of paths.length === 0 ? [defaultPath] : paths) {
      checked.push(await checkPath(path, context, options.allowMissingSecrets === true));
    }
    const ok = checked.every((one) => one.ok);
    if (options.json === true) printJson(context, { ok, files: checked });
    else for (const one of checked) printLine(context, checkReport(one, context));
    if (!ok) context.fail();
  });
}

async function checkPath(path: string, context: CliContext, allowMissing: boolean): Promise<CheckedPath> {
  const refused = (problems: readonly string[]): CheckedPath => ({
    path,
    ok: false,
    connections: 0,
    flows: 0,
    problems,
  });
  try {
    const env = context.variables;
    const registry = registryOf(context);
    const result = await loadConfig({
      path,
      registry,
      env,
      placeholder: allowMissing ? secretPlaceholder : undefined,
    });
    if (!result.ok) return refused(result.problems.map(formatProblem));
    const { config } = result;
    await tryToOpen(config, context);
    return {
      path,
      ok: true,
      connections: config.connections.size,
      flows: config.flows.length,
      problems: [],
    };
  } catch (error) {
    return refused(problemLines(path, error));
  }
}

/** Only open connections can tell whether they can do what flows ask of them. */
async function tryToOpen(config: Config, context: CliContext): Promise<void> {
  const setup = await openSetup(config, {
    registry: registryOf(context),
    logger: commandLogger(context, config.secrets),
    now: Date.now,
    builtIn: { url: "http://127.0.0.1", apiKey: secretPlaceholder },
  });
  await setup.close();
}

function problemLines(path: string, error: unknown): readonly string[] {
  const { code, message, details } = toAppError(error);
  const { problems } = details;
  if (error instanceof AppError && Array.isArray(problems)) return problems.map(String);
  return [`${path} — ${code}: ${message}`];
}

function checkReport({ path, ok, connections, flows, problems }: CheckedPath, context: CliContext): string {
  const paint = createPaint(context);
  if (ok)
    return `${paint.good("✓")} ${path}: ${countOf(connections, "connection")}, ${countOf(flows, "flow")}`;
  const title = `${paint.bad("✗")} ${path}: ${countOf(problems.length, "problem")}`;
  // From the start of the line, where editors look for a place in a file.
  return [title, ...problems.map(oneLine)].join("\n");
}
