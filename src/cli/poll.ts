import type { Command } from "commander";
import { poll } from "../schedule/poller.ts";
import { addCommonOptions, addJsonOption, groups } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, withApp } from "./context.ts";
import { untilInterrupted } from "./interrupt.ts";
import { chooseSources } from "./source-choice.ts";
import { countOf } from "./table.ts";

interface PollOptions extends CommonOptions {
  readonly source?: string;
}

/** `poll`: reads a connection's sources once, now, from where the last poll stopped. */
export function addPollVerb(program: Command, context: CliContext): void {
  const command = program
    .command("poll")
    .description("read a connection's sources once, now, from where the last poll stopped")
    .helpGroup(groups.act)
    .argument("<connection>", "the connection's name")
    .option("--source <name>", "one of its sources; all of them unless told");
  addJsonOption(addCommonOptions(command)).action(async (name: string, options: PollOptions) => {
    const polled = await untilInterrupted((signal) =>
      withApp(context, options, async (app) => {
        const { connection, sources } = chooseSources(app, name, options.source);
        const results = [];
        for (const source of sources) {
          results.push({ source, ...(await poll(app.engine, app.intake, connection, source, signal)) });
          if (signal.aborted) break;
        }
        await app.engine.queue.flush();
        return results;
      }),
    );
    if (options.json === true) return printJson(context, { connection: name, sources: polled });
    for (const { source, pages, accepted, duplicates } of polled) {
      printLine(
        context,
        `${name} ${source}: ${countOf(accepted, "new event")}, ${duplicates.toLocaleString("en-US")} known already, ${countOf(pages, "page")}`,
      );
    }
  });
}
