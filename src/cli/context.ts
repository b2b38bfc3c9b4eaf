import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import type { App, AppOptions } from "../app.ts";
import { createApp } from "../app.ts";
import type { Environment } from "../config/environment.ts";
import { readEnvironment } from "../config/environment.ts";
import type { Registry } from "../registry/registry.ts";
import { openRegistry } from "../registry/registry.ts";
import { createLogger } from "../telemetry/logger.ts";

/** What every verb gets. Tests give their own. */
export interface CliContext {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream;
}

/** Options that every verb which reads the configuration takes. */
export interface CommonOptions {
  readonly config: string;
  readonly data: string;
  readonly json?: boolean;
}

export function environmentOf(context: CliContext): Environment {
  return readEnvironment(context.variables);
}

/** The connectors of this installation, and those of packages beside it. */
export function registryOf(): Registry {
  return openRegistry({ connectorsDir: fileURLToPath(new URL("../../connectors/", import.meta.url)) });
}

export function addCommonOptions(command: Command): Command {
  return command
    .option("--config <path>", "a YAML file, or a folder of them", "config/deskbridge.yaml")
    .option("--data <dir>", "where the embedded PostgreSQL lives when DATABASE_URL is not set", "data");
}

export function printLine(context: CliContext, line: string): void {
  context.stdout.write(`${line}\n`);
}

export function printJson(context: CliContext, value: unknown): void {
  printLine(context, JSON.stringify(value));
}

/** Runs a command on the ledger and the queue, beside whatever deskbridge is running, and closes both again. Logs only warnings, on stderr. */
export async function withApp<T>(
  context: CliContext,
  options: CommonOptions,
  run: (app: App) => Promise<T>,
): Promise<T> {
  const app = await createApp({
    ...appOptions(context, options),
    roles: { serve: false, work: false },
    logger: createLogger({ level: "warn", secrets: [], destination: context.stderr, pretty: true }),
  });
  try {
    return await run(app);
  } finally {
    await app.close();
  }
}

export function appOptions(
  context: CliContext,
  options: CommonOptions,
): Pick<AppOptions, "configPath" | "environment" | "registry" | "dataDir"> {
  return {
    configPath: options.config,
    environment: environmentOf(context),
    registry: registryOf(),
    dataDir: options.data,
  };
}
