import { fileURLToPath } from "node:url";
import type { App, AppOptions } from "../app.ts";
import { createApp } from "../app.ts";
import type { Environment } from "../config/environment.ts";
import { readEnvironment } from "../config/environment.ts";
import { requireConfig } from "../config/require-config.ts";
import type { Foundation } from "../foundation.ts";
import { openFoundation } from "../foundation.ts";
import type { LedgerReader } from "../ledger/reader.ts";
import { createLedgerReader } from "../ledger/reader.ts";
import type { Registry } from "../registry/registry.ts";
import { openRegistry } from "../registry/registry.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";

/** Where a command writes: a terminal, a pipe, a file. */
export type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/** What the process lends to the command line. Tests give their own. */
export interface CliSurroundings {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** What was asked for, and nothing else. */
  readonly stdout: OutputStream;
  /** Everything that is said besides: warnings, progress, errors. */
  readonly stderr: OutputStream;
  /** Where answers come from when there is a question; without it nothing is asked. */
  readonly stdin?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Instead of the connectors of this installation. */
  readonly registry?: Registry;
}

/** What every verb gets. */
export interface CliContext extends CliSurroundings {
  /** The verb has said itself that it failed: the process ends with 1, without another line. */
  readonly fail: () => void;
}

/** Options that every verb which reads the configuration takes. */
export interface CommonOptions {
  readonly config: string;
  readonly data: string;
  readonly json?: boolean;
}

export function environmentOf(context: CliSurroundings): Environment {
  return readEnvironment(context.variables);
}

/** Stands in for secrets where none is used. In the form of a Standard Webhooks secret, since some settings take no other. */
export const secretPlaceholder = "whsec_YSBwbGFjZWhvbGRlciBmb3IgYSBtaXNzaW5nIHNlY3JldA==";

/** The connectors of this installation, and those of packages beside it. */
export function registryOf({ registry }: Pick<CliSurroundings, "registry"> = {}): Registry {
  const connectorsDir = fileURLToPath(new URL("../../connectors/", import.meta.url));
  return registry ?? openRegistry({ connectorsDir });
}

export function printLine(context: CliSurroundings, line: string): void {
  context.stdout.write(`${line}\n`);
}

/** One JSON value, on one line. */
export function printJson(context: CliSurroundings, value: unknown): void {
  printLine(context, JSON.stringify(value));
}

/** A remark that is no part of the answer. */
export function printNote(context: CliSurroundings, line: string): void {
  context.stderr.write(`${line}\n`);
}

/** A logger for commands: warnings and errors, a plain line each, on stderr. */
export function commandLogger(context: CliSurroundings, secrets: readonly string[]): Logger {
  const write = (json: string): void => {
    const { level, msg, code } = JSON.parse(json) as Readonly<Record<string, string>>;
    printNote(context, code === undefined ? `${level}: ${msg}` : `${level}: ${msg} (${code})`);
  };
  return createLogger({ level: "warn", secrets, destination: { write } });
}

/** The database and the queue, open for a command. */
export interface LedgerVisit {
  readonly foundation: Foundation;
  readonly reader: LedgerReader;
}

const commandAppends = 1000;

/** Runs a command on the ledger and the queue, beside whatever deskbridge is running, and closes both again. Needs no valid configuration. */
export async function withLedger<T>(
  context: CliSurroundings,
  options: Pick<CommonOptions, "data">,
  run: (visit: LedgerVisit) => Promise<T>,
): Promise<T> {
  const environment = environmentOf(context);
  const foundation = await openFoundation({
    environment,
    dataDir: options.data,
    logger: commandLogger(context, [environment.apiKey ?? ""]),
    metrics: createMetrics(),
    maxWaitingAppends: commandAppends,
    visiting: true,
  });
  try {
    return await run({ foundation, reader: createLedgerReader(foundation.ledger.pool) });
  } finally {
    await foundation.close();
  }
}

/** Like `withLedger`, with the configuration loaded and its connections open: for commands that call other systems or take events in. */
export async function withApp<T>(
  context: CliSurroundings,
  options: CommonOptions,
  run: (app: App) => Promise<T>,
): Promise<T> {
  const registry = registryOf(context);
  const { secrets } = await requireConfig(options.config, environmentOf(context), registry);
  const app = await createApp({
    ...appOptions(context, options),
    registry,
    roles: { serve: false, work: false },
    logger: commandLogger(context, secrets),
  });
  try {
    return await run(app);
  } finally {
    await app.close();
  }
}

export function appOptions(
  context: CliSurroundings,
  options: CommonOptions,
): Pick<AppOptions, "configPath" | "environment" | "registry" | "dataDir"> {
  return {
    configPath: options.config,
    environment: environmentOf(context),
    registry: registryOf(context),
    dataDir: options.data,
  };
}
