import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { z } from "zod";
import { requireConfig } from "../config/require-config.ts";
import { AppError, toAppError } from "../errors.ts";
import type { Flow } from "../flows/flow.ts";
import { whyNotSelected } from "../flows/route.ts";
import { checkedEvent } from "../jobs/intake.ts";
import type { Event, EventInput } from "../model/event.ts";
import { parseJsonBody } from "../sdk/json.ts";
import { addConfigOption, addJsonOption, groups } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { environmentOf, printJson, printLine, registryOf, secretPlaceholder } from "./context.ts";
import type { FlowAnswer } from "./event-story.ts";
import { answerOf } from "./event-story.ts";
import { answerLines } from "./event-story-text.ts";
import { flowNamed } from "./flow-choice.ts";
import type { Paint } from "./table.ts";
import { createPaint } from "./table.ts";

interface TryOptions extends Pick<CommonOptions, "config" | "json"> {
  readonly event: string;
}

/** What a flow would do with an event: `left` when its `on:` does not take it. */
type TryAnswer = FlowAnswer | { readonly kind: "left"; readonly reason: string };

/** `try`: a dry run of one flow. Opens no connection and no database. */
export function addTryVerb(program: Command, context: CliContext): void {
  const command = program
    .command("try")
    .description("what a flow would do with an event, without doing it")
    .helpGroup(groups.configure)
    .argument("<flow>", "the flow's name")
    .requiredOption("--event <file>", "the event in JSON: type, subject and data at least")
    .addHelpText(
      "after",
      "\nThe event is taken as the flow sees it: what its system would be asked for is not filled in.\n" +
        "`deskbridge explain <event> --json --show-data` prints events in this form, as `event`.",
    );
  addJsonOption(addConfigOption(command)).action(async (name: string, options: TryOptions) => {
    const config = await requireConfig(
      options.config,
      environmentOf(context),
      registryOf(context),
      secretPlaceholder,
    );
    const flow = flowNamed(config.flows, name);
    const event = await readEvent(options.event, flow);
    const reason = whyNotSelected(flow, event);
    const answer: TryAnswer = reason === undefined ? answerOf(flow, event, true) : { kind: "left", reason };
    if (options.json === true) printJson(context, { flow: flow.name, target: flow.target, ...answer });
    else printLine(context, tryReport(flow, answer, createPaint(context)));
    if (answer.kind === "fails") context.fail();
  });
}

/** What has to be in the file; what `explain` adds to it is passed over. */
const eventFile = z.object({
  id: z.string().default("example"),
  source: z.string().optional(),
  type: z.string(),
  subject: z.string(),
  time: z.string().default(() => new Date().toISOString()),
  data: z.unknown(),
  raw: z.unknown().optional(),
});

async function readEvent(path: string, flow: Flow): Promise<Event> {
  try {
    const { source, ...input } = eventFile.parse(parseJsonBody(await readFile(path)));
    return checkedEvent(source ?? flow.connections[0] ?? "", input as EventInput);
  } catch (error) {
    throw new AppError("bad_request", `${path}: ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof z.ZodError)) return toAppError(error).message;
  return error.issues.map(({ path, message }) => `${path.join(".") || "the event"}: ${message}`).join("; ");
}

function tryReport(flow: Flow, answer: TryAnswer, paint: Paint): string {
  const title = `${paint.strong(flow.name)} → ${flow.target}`;
  if (answer.kind === "left") return `${title}  not matched: ${answer.reason}`;
  const lane = answer.kind === "maps" ? `  lane ${answer.lane}` : "";
  return [`${title}${lane}`, ...answerLines(answer, paint).map((line) => `  ${line}`)].join("\n");
}
