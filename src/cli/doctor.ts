import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import { requireConfig } from "../config/require-config.ts";
import { toAppError } from "../errors.ts";
import { addCommonOptions, addJsonOption, groups } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { commandLogger, environmentOf, printJson, printLine, registryOf } from "./context.ts";
import { deskUrl, examineConnections } from "./doctor-connection.ts";
import { examineDatabase, examineDataDir, examineQueue } from "./doctor-database.ts";
import type { Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";
import type { Paint } from "./table.ts";
import { countOf, createPaint } from "./table.ts";

/** `doctor`: is everything there that a start needs? Changes nothing. */
export function addDoctorVerb(program: Command, context: CliContext): void {
  const command = program
    .command("doctor")
    .description("look at configuration, database, queue, credentials and hooks, and say what to do")
    .helpGroup(groups.look);
  addJsonOption(addCommonOptions(command)).action(async (options: CommonOptions) => {
    const paint = createPaint(context);
    const findings: Finding[] = [];
    for await (const finding of examine(context, options)) {
      findings.push(finding);
      if (options.json !== true) printLine(context, findingLine(finding, paint));
    }
    const isWell = findings.every((finding) => finding.state !== "failed");
    if (options.json === true) printJson(context, { ok: isWell, findings });
    if (!isWell) context.fail();
  });
}

/** A finding for people: its mark, its name, what was found. Further lines of the detail stand under the first. */
export function findingLine({ name, state, detail }: Finding, paint: Paint): string {
  const marks = { ok: paint.good("✓"), warning: paint.warning("!"), failed: paint.bad("✗") };
  return `${marks[state]} ${paint.strong(name)}: ${detail.replaceAll("\n", "\n    ")}`;
}

async function* examine(context: CliContext, options: CommonOptions): AsyncGenerator<Finding> {
  const environment = environmentOf(context);
  const registry = registryOf(context);
  let config: Config | undefined;
  try {
    config = await requireConfig(options.config, environment, registry);
    const { connections, flows, version } = config;
    yield ok(
      "configuration",
      `${options.config}: ${countOf(connections.size, "connection")}, ${countOf(flows.length, "flow")}, version ${version}`,
    );
  } catch (error) {
    const { code, message } = toAppError(error);
    yield failed("configuration", `${code}: ${message}`);
  }
  const logger = commandLogger(context, [...(config?.secrets ?? []), environment.apiKey ?? ""]);
  yield* await examineDataDir(options.data, environment);
  yield* await examineDatabase(options.data, environment, logger);
  yield await examineQueue(environment, logger);
  if (config === undefined) return;
  yield* await examineConnections({ config, environment, registry, logger });
  yield await examineServer(deskUrl(config, environment));
}

const answerWithinMs = 5000;

async function examineServer(url: string): Promise<Finding> {
  const name = "deskbridge";
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(answerWithinMs) });
    await response.body?.cancel();
    if (response.ok) return ok(name, `ready at ${url}`);
    return failed(name, `${url}/readyz answers ${response.status}; its log says what it is waiting for`);
  } catch {
    return warning(name, `nothing answers at ${url}; start it, or say in DESKBRIDGE_URL where it is`);
  }
}
