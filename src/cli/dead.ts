import type { Command } from "commander";
import { AppError, errorCatalogue } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { createDeadLetters } from "../ledger/dead-letters.ts";
import type { DeadLetter, LedgerReader } from "../ledger/reader.ts";
import type { Queue } from "../queue/queue.ts";
import { maxLanesPerRing } from "../queue/queue.ts";
import {
  addDataOption,
  addJsonOption,
  addShowDataOption,
  groups,
  parseCount,
  parseCounts,
} from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, withLedger } from "./context.ts";
import { deliveryLines, valueLines } from "./event-story-text.ts";
import type { Paint } from "./table.ts";
import { clip, countOf, createPaint, formatTable, oneLine } from "./table.ts";
import { agoText } from "./time-text.ts";

interface ListOptions extends CommonOptions {
  readonly flow?: string;
  readonly limit: number;
}

interface ShowOptions extends CommonOptions {
  readonly showData?: boolean;
}

interface RetryOptions extends CommonOptions {
  readonly flow?: string;
  readonly all?: boolean;
}

/** `dead list`, `dead show` and `dead retry`. */
export function addDeadVerbs(program: Command, context: CliContext): void {
  const dead = program
    .command("dead")
    .description("deliveries that were given up, and how to have them made after all")
    .helpGroup(groups.look);
  addList(dead, context);
  addShow(dead, context);
  addRetry(dead, context);
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
    oneLine(`${letter.code}: ${letter.reason}`),
  ]);
  const columns = ["id", "flow", "subject", "event", "died"].map((title) => ({ title }));
  return formatTable([...columns, { title: "why", long: true }], rows, width);
}

function addShow(dead: Command, context: CliContext): void {
  const command = dead
    .command("show")
    .description("one dead letter: its event, its attempts, and what to do")
    .argument("<id>", "the delivery's id, as `dead list` has it", parseCount);
  addShowDataOption(addJsonOption(addDataOption(command))).action(
    async (id: number, options: ShowOptions) => {
      const letter = await withLedger(context, options, ({ reader }) => reader.deadLetter(id));
      if (letter === undefined) {
        throw new AppError(
          "not_found",
          `there is no dead letter ${id}; \`deskbridge dead list\` has them all`,
        );
      }
      const shown = options.showData === true ? letter : withoutData(letter);
      if (options.json === true) printJson(context, shown);
      else printLine(context, deadReport(shown, createPaint(context)));
    },
  );
}

type FullLetter = NonNullable<Awaited<ReturnType<LedgerReader["deadLetter"]>>>;

function withoutData(letter: FullLetter): FullLetter {
  const { event } = letter.way;
  return { ...letter, way: { ...letter.way, event: { ...event, data: undefined, raw: undefined } } };
}

/** One dead letter for people. Its event's data is shown where it is there. */
export function deadReport(letter: FullLetter, paint: Paint): string {
  const { event, deliveries } = letter.way;
  const delivery = deliveries.find((candidate) => candidate.id === letter.id);
  const code = letter.code ?? "";
  const remedy = Object.hasOwn(errorCatalogue, code) ? errorCatalogue[code as ErrorCode].remedy : undefined;
  const retry =
    letter.flow === "(intake)"
      ? "No flow has seen this event, so there is nothing to retry."
      : `Try it again: deskbridge dead retry ${letter.id}`;
  return [
    `${paint.strong(oneLine(letter.flow))} → ${oneLine(letter.target)}: ${paint.bad(`${code}: ${oneLine(letter.reason ?? "")}`)}`,
    "",
    `  event ${oneLine(event.eventId)} ${oneLine(event.type)} about ${oneLine(event.subject)}, from ${oneLine(event.connection)}, received ${event.receivedAt}`,
    ...(delivery === undefined ? [] : deliveryLines(delivery, paint).map((line) => `  ${line}`)),
    ...(event.data === undefined ? [] : ["", "  data", ...valueLines(event.data, "    ")]),
    "",
    ...(remedy === undefined ? [] : [`What to do: ${remedy}`]),
    retry,
    `The whole way of the event: deskbridge explain ${event.sequence}`,
  ].join("\n");
}

function addRetry(dead: Command, context: CliContext): void {
  const command = dead
    .command("retry")
    .description("make dead letters pending again: by their ids, of one flow, or all of them")
    .argument("[ids...]", "deliveries' ids, as `dead list` has them", parseCounts)
    .option("--flow <name>", "those of one flow")
    .option("--all", "all of them");
  addJsonOption(addDataOption(command)).action(
    async (ids: readonly number[] | undefined, options: RetryOptions) => {
      const { flow, all } = options;
      const wanted = ids ?? [];
      const ways = [wanted.length > 0, flow !== undefined, all === true].filter(Boolean).length;
      if (ways !== 1) command.error("error: give ids, or --flow <name>, or --all", { exitCode: 2 });
      const which =
        wanted.length > 0 ? { ids: wanted } : flow === undefined ? ({ all: true } as const) : { flow };
      const retried = await withLedger(context, options, async ({ foundation }) => {
        const letters = await createDeadLetters(foundation.ledger.pool).retry(which);
        await ringFor(letters, foundation.queue);
        return letters.map((letter) => letter.delivery).sort((a, b) => a - b);
      });
      if (options.json === true) printJson(context, { retried });
      else printLine(context, retryReport(wanted, retried));
      if (wanted.length > 0 && retried.length === 0) context.fail();
    },
  );
}

async function ringFor(
  letters: readonly { readonly target: string; readonly lane: string }[],
  queue: Queue,
): Promise<void> {
  for (const [target, found] of Map.groupBy(letters, (letter) => letter.target)) {
    const lanes = [...new Set(found.map((letter) => letter.lane))];
    for (let start = 0; start < lanes.length; start += maxLanesPerRing) {
      queue.ring(target, lanes.slice(start, start + maxLanesPerRing));
    }
  }
  await queue.flush();
}

function retryReport(wanted: readonly number[], retried: readonly number[]): string {
  const count = `${countOf(retried.length, "dead letter")} ${retried.length === 1 ? "is" : "are"}`;
  const left = wanted.filter((id) => !retried.includes(id));
  if (left.length === 0) return `${count} pending again.`;
  return `${count} pending again. Not dead letters that can be retried: ${left.join(", ")}.`;
}
