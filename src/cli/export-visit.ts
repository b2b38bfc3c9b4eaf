import type { App } from "../app.ts";
import { createApp } from "../app.ts";
import type { Config, ExportConfig } from "../config/config.ts";
import { requireConfig } from "../config/require-config.ts";
import { AppError } from "../errors.ts";
import { didYouMean } from "../sdk/nearest-name.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { appOptions, commandLogger, environmentOf, registryOf, secretPlaceholder } from "./context.ts";

/** What is open for a command about exports. */
export interface ExportVisit {
  readonly app: App;
  readonly config: Config;
}

/** The configuration for commands that only look at it: secrets that are not there are made up. */
export function loadExports(context: CliContext, options: Pick<CommonOptions, "config">): Promise<Config> {
  return requireConfig(options.config, environmentOf(context), registryOf(context), secretPlaceholder);
}

/** The export of that name, or throws `export_unknown`. */
export function exportNamed({ exports }: Pick<Config, "exports">, name: string): ExportConfig {
  const found = exports.find((one) => one.name === name);
  if (found !== undefined) return found;
  const known = exports.map((one) => one.name);
  const offer = known.length === 0 ? "none is configured" : `there are ${known.join(", ")}`;
  throw new AppError("export_unknown", `there is no export ${name}; ${offer}.${didYouMean(name, known)}`);
}

/**
 * Runs something with just these connections open, and with the built-in desk, beside whatever deskbridge is running. Secrets of other connections are not
 * needed; one of these that is missing is an error of the configuration.
 */
export async function withConnections<T>(
  context: CliContext,
  options: CommonOptions,
  config: Config,
  names: readonly string[],
  run: (visit: ExportVisit) => Promise<T>,
): Promise<T> {
  const connections = new Map(
    names.flatMap((name) => {
      const connection = config.connections.get(name);
      return connection === undefined ? [] : [[name, connection] as const];
    }),
  );
  const isMadeUp = JSON.stringify([...connections.values()].map(({ settings }) => settings)).includes(
    secretPlaceholder,
  );
  // Tells what is missing, with its place.
  if (isMadeUp) await requireConfig(options.config, environmentOf(context), registryOf(context));
  const narrowed = { ...config, connections, flows: [] };
  const app = await createApp({
    ...appOptions(context, options),
    config: narrowed,
    opensDesk: true,
    roles: { serve: false, work: false },
    logger: commandLogger(context, config.secrets),
  });
  try {
    return await run({ app, config: narrowed });
  } finally {
    await app.close();
  }
}
