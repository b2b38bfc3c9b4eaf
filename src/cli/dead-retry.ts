import type { Command } from "commander";
import { requireConfig } from "../config/require-config.ts";
import type { Flow } from "../flows/flow.ts";
import { createDeadLetters } from "../ledger/dead-letters.ts";
import type { DeadChoice } from "../ledger/dead-letters.ts";
import type { LedgerReader } from "../ledger/reader.ts";
import { ringLanes } from "../queue/ring-lanes.ts";
import { addDataOption, addJsonOption } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import {
  environmentOf,
  printJson,
  printLine,
  printNote,
  registryOf,
  secretPlaceholder,
  withLedger,
} from "./context.ts";
import type { ChoiceOptions } from "./dead-choice.ts";
import { addChoice, choiceOf, confirmChoice, decidedText } from "./dead-choice.ts";
import { countOf } from "./table.ts";

type RetryOptions = Pick<CommonOptions, "data" | "json"> & ChoiceOptions & { readonly config?: string };

/** `dead retry`. */
export function addRetry(dead: Command, context: CliContext): void {
  const command = addChoice(
    dead
      .command("retry")
      .description("make dead letters pending again: by their ids, of one flow, or all of them"),
  ).option("--config <path>", "warn of letters that this configuration has no flow or no target for");
  addJsonOption(addDataOption(command)).action(
    async (ids: readonly number[] | undefined, options: RetryOptions) => {
      const which = choiceOf(command, ids, options);
      const flows = await flowsOf(context, options.config);
      const retried = await withLedger(context, options, async ({ foundation, reader }) => {
        for (const warning of await warningsOf(reader, which, flows)) printNote(context, warning);
        if (!(await confirmChoice(context, reader, which, { verb: "Retry", yes: options.yes })))
          return undefined;
        const letters = await createDeadLetters(foundation.ledger.pool).retry(which);
        await ringLanes(foundation.queue, letters);
        return letters.map((letter) => letter.delivery);
      });
      if (retried === undefined) return context.fail();
      if (options.json === true) printJson(context, { retried });
      else printLine(context, decidedText(ids, retried, "pending again", "retried"));
      if ("ids" in which && retried.length === 0) context.fail();
    },
  );
}

interface Known {
  readonly flows: ReadonlyMap<string, Flow>;
  readonly connections: ReadonlySet<string>;
}

async function flowsOf(context: CliContext, path: string | undefined): Promise<Known | undefined> {
  if (path === undefined) return undefined;
  const config = await requireConfig(path, environmentOf(context), registryOf(context), secretPlaceholder);
  return {
    flows: new Map(config.flows.map((flow) => [flow.name, flow])),
    connections: new Set(config.connections.keys()),
  };
}

/** What the configuration has no place for: it would only die again. */
async function warningsOf(
  reader: LedgerReader,
  which: DeadChoice,
  known: Known | undefined,
): Promise<readonly string[]> {
  if (known === undefined) return [];
  const counts = await reader.deadCounts(which);
  return counts.flatMap(({ flow: name, target, count }) => {
    if (name === "(intake)") return [];
    const letters = countOf(count, "dead letter");
    const flow = known.flows.get(name);
    if (flow === undefined)
      return [`warning: ${letters} of flow ${name}, which is not configured any more: it dies again`];
    if (!known.connections.has(target))
      return [
        `warning: ${letters} of flow ${name} for ${target}, which is no connection any more: no worker takes it`,
      ];
    return flow.target === target
      ? []
      : [
          `warning: ${letters} of flow ${name} go to ${target}, as when the events came; the flow writes to ${flow.target} now`,
        ];
  });
}
