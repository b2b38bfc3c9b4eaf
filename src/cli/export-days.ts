import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { z } from "zod";
import { dayAfter } from "../export/verify.ts";
import type { DayRange } from "../sdk/dataset-source.ts";

export interface DayOptions {
  readonly from?: string;
  readonly to?: string;
}

const day = z.iso.date();

/** A day such as 2026-11-22. */
export function parseDay(text: string): string {
  if (day.safeParse(text).success) return text;
  throw new InvalidArgumentError("Give a day such as 2026-11-22.");
}

export function addDayOptions(command: Command): Command {
  return command
    .option("--from <day>", "rows of this day (UTC) and later ones only, by when they came to be", parseDay)
    .option("--to <day>", "the last day, itself included; today unless told", parseDay);
}

/** The days that were asked for, undefined for all of them. Ends the command where they make no sense. `now` is in milliseconds. */
export function daysOf(command: Command, { from, to }: DayOptions, now: number): DayRange | undefined {
  if (from === undefined) {
    if (to !== undefined) command.error("error: --to goes with --from", { exitCode: 2 });
    return undefined;
  }
  const last = to ?? new Date(now).toISOString().slice(0, 10);
  if (last < from) {
    const words = to === undefined ? "--from is after today" : "--to is before --from";
    command.error(`error: ${words}: there is no such day`, { exitCode: 2 });
  }
  return { from, until: dayAfter(last) };
}
