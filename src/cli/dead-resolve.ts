import type { Command } from "commander";
import { Option } from "commander";
import { AppError } from "../errors.ts";
import { createDeadLetters } from "../ledger/dead-letters.ts";
import { ringLanes } from "../queue/ring-lanes.ts";
import { addDataOption, addJsonOption, parseCount } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, withLedger } from "./context.ts";
import { requireLetter } from "./dead-show.ts";

type ResolveOptions = Pick<CommonOptions, "data" | "json"> & { readonly as: "done" | "unsent" };

/** `dead resolve`: for a write that nobody but a person can tell the outcome of. */
export function addResolve(dead: Command, context: CliContext): void {
  const as = new Option("--as <outcome>", "done: it is there, leave it; unsent: it is not, send it")
    .choices(["done", "unsent"])
    .makeOptionMandatory();
  const command = dead
    .command("resolve")
    .description("for a letter that died with effect_unknown: say what became of its write, and go on")
    .argument("<id>", "the delivery's id, as `dead list` has it", parseCount)
    .addOption(as);
  addJsonOption(addDataOption(command)).action(async (id: number, options: ResolveOptions) => {
    await withLedger(context, options, async ({ foundation, reader }) => {
      const { code } = await requireLetter(reader, id);
      const letter = await createDeadLetters(foundation.ledger.pool).resolve(id, options.as);
      if (letter === undefined) {
        const message = `dead letter ${id} died with ${code}, not with effect_unknown: there is no write to tell the outcome of`;
        throw new AppError("bad_request", message);
      }
      await ringLanes(foundation.queue, [letter]);
    });
    if (options.json === true) printJson(context, { resolved: id, as: options.as });
    else printLine(context, `Dead letter ${id} is pending again, its write put on record as ${options.as}.`);
  });
}
