import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import type { ConfigResult } from "../config/parse.ts";
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

/** What was found in one configuration; `problems` and `missing` are lines of `file:line:column path — message`. */
export interface CheckedPath {
  readonly path: string;
  readonly ok: boolean;
  readonly connections: number;
  readonly flows: number;
  readonly exports: number;
  readonly problems: readonly string[];
  /** Secrets that are not here and need not be, since placeholders may stand for them. */
  readonly missing: readonly string[];
}

const defaultPath = "config/deskbridge.yaml";

/** `check`: is the configuration right? Opens its connections, which calls nobody, and no database. */
export function addCheckVerb(program: Command, context: CliContext): void {
  const command = program
    .command("check")
    .description("check configurations, each path on its own, and name everything that is wrong with them")
    .helpGroup(groups.configure)
    .argument("[paths...]", `YAML files, or folders of them (default: "${defaultPath}")`)
    .option("--allow-missing-secrets", "put a placeholder where a variable or a secret file is missing")
    .addHelpText(
      "after",
      `\nVariables that ./${declarationFile} names may be missing here: it says that a deployment will have them.`,
    );
  addJsonOption(command).action(async (paths: readonly string[], options: CheckOptions) => {
    const checked: CheckedPath[] = [];
    const standIns: StandIns = {
      declared: await readDeclared(),
      placeholder: options.allowMissingSecrets === true ? secretPlaceholder : undefined,
    };
    for (const path of paths.length === 0 ? [defaultPath] : paths) {
      checked.push(await checkPath(path, context, standIns));
    }
    const ok = checked.every((one) => one.ok);
    if (options.json === true) printJson(context, { ok, files: checked });
    else for (const one of checked) printLine(context, checkReport(one, context));
    if (!ok) context.fail();
  });
}

const declarationFile = ".env.example";

/** What may stand for secrets that are missing. */
interface StandIns {
  readonly declared: Readonly<Record<string, string>>;
  readonly placeholder: string | undefined;
}

/** The variables that a deployment is said to have; those that are named without a value get a placeholder. */
async function readDeclared(): Promise<StandIns["declared"]> {
  const text = await readFile(declarationFile, "utf8").catch(() => "");
  return Object.fromEntries(
    Object.entries(parseEnv(text)).map(([name, value]) => [name, value || secretPlaceholder]),
  );
}

async function checkPath(path: string, context: CliContext, standIns: StandIns): Promise<CheckedPath> {
  const refused = (problems: readonly string[]): CheckedPath => {
    return { path, ok: false, connections: 0, flows: 0, exports: 0, problems, missing: [] };
  };
  try {
    const { result, missing } = await loadWith(path, context, standIns);
    if (!result.ok) return refused(result.problems.map(formatProblem));
    const { connections, flows, exports } = result.config;
    await tryToOpen(result.config, context);
    const counts = { connections: connections.size, flows: flows.length, exports: exports.length };
    return { path, ok: true, ...counts, problems: [], missing };
  } catch (error) {
    return refused(problemLines(path, error));
  }
}

/** Loads with what is there, and only when that is not enough with what may stand for it. */
async function loadWith(
  path: string,
  context: CliContext,
  { declared, placeholder }: StandIns,
): Promise<{ readonly result: ConfigResult; readonly missing: readonly string[] }> {
  const registry = registryOf(context);
  const present = Object.fromEntries(Object.entries(context.variables).filter(([, value]) => value !== ""));
  const result = await loadConfig({ path, registry, env: present });
  if (result.ok) return { result, missing: [] };
  const again = await loadConfig({ path, registry, env: { ...declared, ...present }, placeholder });
  return { result: again, missing: again.ok ? result.problems.map(formatProblem) : [] };
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

function checkReport(checked: CheckedPath, context: CliContext): string {
  const { path, ok, connections, flows, exports, problems, missing } = checked;
  const paint = createPaint(context);
  if (ok) {
    const note =
      missing.length === 0 ? "" : paint.faint(`, ${countOf(missing.length, "secret")} not set here`);
    const counts = [countOf(connections, "connection"), countOf(flows, "flow")];
    if (exports > 0) counts.push(countOf(exports, "export"));
    return `${paint.good("✓")} ${path}: ${counts.join(", ")}${note}`;
  }
  const title = `${paint.bad("✗")} ${path}: ${countOf(problems.length, "problem")}`;
  // From the start of the line, where editors look for a place in a file.
  return [title, ...problems.map(oneLine)].join("\n");
}
