import type { Command } from "commander";
import type { App } from "../app.ts";
import { createApp } from "../app.ts";
import { toAppError } from "../errors.ts";
import { addCommonOptions, groups, parsePort } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { appOptions, printLine } from "./context.ts";

interface RunOptions extends CommonOptions {
  readonly port?: number;
}

const verbs = {
  up: {
    serve: true,
    work: true,
    description: "run everything in this process: hooks, Support API, workers, schedules",
  },
  serve: {
    serve: true,
    work: false,
    description: "take hooks and answer the Support API; `work` processes do the rest",
  },
  work: {
    serve: false,
    work: true,
    description: "work on what has come in; start as many as the load needs",
  },
} as const;

/** `up`, `serve` and `work`: the verbs that stay. */
export function addRunVerbs(program: Command, context: CliContext): void {
  for (const [name, { serve, work, description }] of Object.entries(verbs)) {
    const command = addCommonOptions(program.command(name).description(description).helpGroup(groups.run));
    if (serve)
      command.option("--port <number>", "over the configuration's port; 0 takes a free one", parsePort);
    command.action(async (options: RunOptions) => {
      const app = await createApp({
        ...appOptions(context, options),
        roles: { serve, work },
        ...(options.port === undefined ? {} : { port: options.port }),
      });
      announce(context, app);
      await untilStopped(app);
    });
  }
}

function announce(context: CliContext, app: App): void {
  const { config, connections } = app.engine.setup();
  if (app.url === undefined) {
    printLine(context, `deskbridge is at work: ${config.flows.length} flows in force; stop with Ctrl-C`);
    return;
  }
  printLine(context, `deskbridge is up at ${app.url}`);
  for (const { config: connection, connection: opened } of connections.values()) {
    if (opened.webhook !== undefined)
      printLine(context, `  hooks for ${connection.name}: ${app.url}/hooks/${connection.name}`);
  }
  printLine(
    context,
    `  Support API: ${app.url}/v1   health: ${app.url}/readyz   figures: ${app.url}/metrics`,
  );
  printLine(context, `  ${config.flows.length} flows in force; stop with Ctrl-C`);
}

/** Runs until SIGTERM or SIGINT, then shuts down in order; a second signal ends the process at once. SIGHUP loads the configuration again. */
async function untilStopped(app: App): Promise<void> {
  const { logger } = app.engine;
  const reload = (): void => {
    app.reload().then(
      () => logger.info({ version: app.engine.setup().config.version }, "configuration loaded again"),
      (error: unknown) => {
        const fault = toAppError(error);
        logger.error({ code: fault.code }, `the old configuration stays in force: ${fault.message}`);
      },
    );
  };
  process.on("SIGHUP", reload);
  const signal = await new Promise<string>((resolve) => {
    process.once("SIGTERM", () => resolve("SIGTERM"));
    process.once("SIGINT", () => resolve("SIGINT"));
  });
  process.off("SIGHUP", reload);
  for (const again of ["SIGTERM", "SIGINT"] as const) process.once(again, () => process.exit(1));
  logger.info({ signal }, "shutting down; work under way is finished first");
  await app.close();
  logger.info("shut down");
}
