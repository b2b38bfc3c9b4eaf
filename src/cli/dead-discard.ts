import type { Command } from "commander";
import { createDeadLetters } from "../ledger/dead-letters.ts";
import { ringLanes } from "../queue/ring-lanes.ts";
import { addDataOption, addJsonOption } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, withLedger } from "./context.ts";
import type { ChoiceOptions } from "./dead-choice.ts";
import { addChoice, choiceOf, confirmChoice, decidedText } from "./dead-choice.ts";

type DiscardOptions = Pick<CommonOptions, "data" | "json"> & ChoiceOptions & { readonly reason: string };

/** `dead discard`. */
export function addDiscard(dead: Command, context: CliContext): void {
  const command = addChoice(
    dead
      .command("discard")
      .description(
        "end dead letters as skipped: by their ids, of one flow, or all of them; their lanes go on",
      ),
  ).requiredOption("--reason <text>", "why, for whoever looks later");
  addJsonOption(addDataOption(command)).action(
    async (ids: readonly number[] | undefined, options: DiscardOptions) => {
      const which = choiceOf(command, ids, options);
      const reason = options.reason.trim();
      if (reason === "") command.error("error: give a reason", { exitCode: 2 });
      const discarded = await withLedger(context, options, async ({ foundation, reader }) => {
        if (!(await confirmChoice(context, reader, which, { verb: "Discard", yes: options.yes })))
          return undefined;
        const letters = await createDeadLetters(foundation.ledger.pool).discard(which, reason);
        await ringLanes(foundation.queue, letters);
        return letters.map((letter) => letter.delivery);
      });
      if (discarded === undefined) return context.fail();
      if (options.json === true) printJson(context, { discarded });
      else printLine(context, decidedText(ids, discarded, "discarded", "discarded"));
      if ("ids" in which && discarded.length === 0) context.fail();
    },
  );
}
