import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import { requireConfig } from "../config/require-config.ts";
import { AppError, toAppError } from "../errors.ts";
import { openSetup } from "../jobs/connections.ts";
import type { EventWay } from "../ledger/reader.ts";
import { eventOf } from "../ledger/reader.ts";
import type { Event } from "../model/event.ts";
import { addCommonOptions, addJsonOption, addShowDataOption, groups } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import {
  commandLogger,
  environmentOf,
  printJson,
  printLine,
  printNote,
  registryOf,
  withLedger,
} from "./context.ts";
import type { Enrichment, EventStory } from "./event-story.ts";
import { tellStory } from "./event-story.ts";
import { storyText } from "./event-story-text.ts";
import { createPaint } from "./table.ts";

interface ExplainOptions extends CommonOptions {
  readonly showData?: boolean;
  readonly enrich: boolean;
}

const enrichWithinMs = 15_000;

/** `explain`: the whole way of one event. */
export function addExplainVerb(program: Command, context: CliContext): void {
  const command = program
    .command("explain")
    .description(
      "the whole way of one event: how it came, which flows took it, what they map, every attempt, the ticket",
    )
    .helpGroup(groups.look)
    .argument("<event>", "the event's id, or its number in the ledger")
    .option("--no-enrich", "do not ask the event's system for what the event lacks");
  addShowDataOption(addJsonOption(addCommonOptions(command))).action(
    async (id: string, options: ExplainOptions) => {
      const ways = await withLedger(context, options, ({ reader }) => reader.wayOf(id));
      if (ways.length === 0) {
        const message = `the ledger has no event ${id}; one that was over is deleted after the retention time`;
        throw new AppError("not_found", message);
      }
      const config = await loadIfValid(context, options);
      const stories: EventStory[] = [];
      for (const way of ways) stories.push(await explainWay(way, config, context, options));
      if (options.json === true) printJson(context, stories);
      else printLine(context, stories.map((story) => storyText(story, createPaint(context))).join("\n\n"));
    },
  );
}

/** What is on record can be told whatever the configuration looks like now. */
async function loadIfValid(context: CliContext, { config }: ExplainOptions): Promise<Config | undefined> {
  try {
    return await requireConfig(config, environmentOf(context), registryOf(context));
  } catch (error) {
    const { code, message } = toAppError(error);
    printNote(
      context,
      `warning: told without the flows, since the configuration does not load: ${code}: ${message}`,
    );
    return undefined;
  }
}

async function explainWay(
  way: EventWay,
  config: Config | undefined,
  context: CliContext,
  { enrich, showData = false }: ExplainOptions,
): Promise<EventStory> {
  const received = eventOf(way.event);
  const { event, enrichment } =
    enrich && config !== undefined
      ? await enrichEvent(received, config, context)
      : { event: received, enrichment: { kind: "none" } as const };
  return tellStory(way, { flows: config?.flows, event, enrichment, showData });
}

/** Does what a worker does before it maps: asks the event's own connection, and opens no other. */
async function enrichEvent(
  event: Event,
  config: Config,
  context: CliContext,
): Promise<{ readonly event: Event; readonly enrichment: Enrichment }> {
  const own = config.connections.get(event.source);
  if (own === undefined) return { event, enrichment: { kind: "none" } };
  try {
    const setup = await openSetup(
      { ...config, connections: new Map([[own.name, own]]), flows: [] },
      {
        registry: registryOf(context),
        logger: commandLogger(context, config.secrets),
        now: Date.now,
        builtIn: undefined,
      },
    );
    try {
      const enricher = setup.connections.get(own.name)?.connection.enrich;
      const enriched = await enricher?.(event, AbortSignal.timeout(enrichWithinMs));
      if (enriched === undefined || enriched === event) return { event, enrichment: { kind: "none" } };
      return { event: enriched, enrichment: { kind: "done" } };
    } finally {
      await setup.close();
    }
  } catch (error) {
    const { code, message } = toAppError(error);
    return { event, enrichment: { kind: "failed", code, message } };
  }
}
