import type { Command } from "commander";
import type { DeadChoice } from "../ledger/dead-letters.ts";
import type { LedgerReader } from "../ledger/reader.ts";
import { parseCounts } from "./argument.ts";
import { confirm } from "./confirm.ts";
import type { CliContext } from "./context.ts";
import { printNote } from "./context.ts";
import { countOf } from "./table.ts";

/** How dead letters are chosen on the command line. */
export interface ChoiceOptions {
  readonly flow?: string;
  readonly all?: boolean;
  readonly yes?: boolean;
}

export function addChoice(command: Command): Command {
  return command
    .argument("[ids...]", "deliveries' ids, as `dead list` has them", parseCounts)
    .option("--flow <name>", "those of one flow")
    .option("--all", "all of them")
    .option("--yes", "do not ask");
}

/** Which letters are meant. Ends the command with 2 unless exactly one way of choosing was used. */
export function choiceOf(
  command: Command,
  ids: readonly number[] = [],
  { flow, all }: ChoiceOptions,
): DeadChoice {
  const ways = [ids.length > 0, flow !== undefined, all === true].filter(Boolean).length;
  if (ways !== 1) command.error("error: give ids, or --flow <name>, or --all", { exitCode: 2 });
  if (ids.length > 0) return { ids };
  return flow === undefined ? { all: true } : { flow };
}

/** On a terminal, asks before something is done to all dead letters, or to all of a flow. Says so when the answer is no. */
export async function confirmChoice(
  context: CliContext,
  reader: LedgerReader,
  which: DeadChoice,
  { verb, yes = false }: { readonly verb: string; readonly yes?: boolean | undefined },
): Promise<boolean> {
  if (yes || "ids" in which) return true;
  const counts = await reader.deadCounts(which);
  const count = counts.reduce((sum, one) => sum + one.count, 0);
  if (count === 0) return true;
  const what = `${countOf(count, "dead letter")}${"flow" in which ? ` of flow ${which.flow}` : ""}`;
  if (await confirm(context, `${verb} ${what}?`)) return true;
  printNote(context, "Nothing was done.");
  return false;
}

/** What became of the letters that were asked for: `2 dead letters are pending again.` */
export function decidedText(
  wanted: readonly number[] | undefined,
  decided: readonly number[],
  became: string,
  verb: string,
): string {
  const count = `${countOf(decided.length, "dead letter")} ${decided.length === 1 ? "is" : "are"} ${became}.`;
  const left = (wanted ?? []).filter((id) => !decided.includes(id));
  return left.length === 0 ? count : `${count} Not dead letters that can be ${verb}: ${left.join(", ")}.`;
}
