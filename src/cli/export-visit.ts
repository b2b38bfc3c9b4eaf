import type { App } from "../app.ts";
import { createApp } from "../app.ts";
import type { Config } from "../config/config.ts";
import { requireConfig } from "../config/require-config.ts";
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
  // An export between connections that are not all open cannot be checked, nor run.
  const exports = config.exports.filter(({ from, to }) => connections.has(from) && connections.has(to));
  const narrowed = { ...config, connections, exports, flows: [] };
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
