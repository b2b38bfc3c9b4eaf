import type { Command } from "commander";
import type { DeadLetter } from "../ledger/reader.ts";
import { addDataOption, addJsonOption, groups, parseCount } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, withLedger } from "./context.ts";
import { addDiscard } from "./dead-discard.ts";
import { addEdit } from "./dead-edit.ts";
import { addResolve } from "./dead-resolve.ts";
import { addRetry } from "./dead-retry.ts";
import { addShow } from "./dead-show.ts";
import { clip, formatTable, oneLine } from "./table.ts";
import { agoText } from "./time-text.ts";

interface ListOptions extends CommonOptions {
  readonly flow?: string;
  readonly limit: number;
}

/** `dead list`, `dead show`, and what to do about them: `retry`, `edit`, `discard`, `resolve`. */
export function addDeadVerbs(program: Command, context: CliContext): void {
  const dead = program
    .command("dead")
    .description("deliveries that were given up, and how to have them made after all")
    .helpGroup(groups.look);
  addList(dead, context);
  addShow(dead, context);
  addRetry(dead, context);
  addEdit(dead, context);
  addDiscard(dead, context);
  addResolve(dead, context);
}

function addList(dead: Command, context: CliContext): void {
  const command = dead
    .command("list")
    .description("dead letters, newest first")
    .option("--flow <name>", "only those of one flow")
    .option("--limit <number>", "at most so many", parseCount, 50);
  addJsonOption(addDataOption(command)).action(async (options: ListOptions) => {
    const { flow, limit } = options;
    const letters = await withLedger(context, options, ({ reader }) =>
      reader.deadLetters({ ...(flow === undefined ? {} : { flow }), limit }),
    );
    if (options.json === true) printJson(context, letters);
    else if (letters.length === 0) printLine(context, "No dead letters.");
    else printLine(context, deadTable(letters, Date.now(), context.stdout.columns));
  });
}

/** Dead letters as a table, fitted to the terminal's width where there is one. */
export function deadTable(letters: readonly DeadLetter[], now: number, width: number | undefined): string {
  const rows = letters.map((letter) => [
    String(letter.id),
    clip(letter.flow, 30),
    clip(letter.subject, 30),
    clip(letter.eventId, 36),
    letter.finishedAt === null ? "-" : agoText(Date.parse(letter.finishedAt), now),
    letter.holds ? `${letter.waiting.toLocaleString("en-US")} waiting` : "-",
    oneLine(`${letter.code}: ${letter.reason}`),
  ]);
  const columns = ["id", "flow", "subject", "event", "died", "holds its lane"].map((title) => ({ title }));
  return formatTable([...columns, { title: "why", long: true }], rows, width);
}
