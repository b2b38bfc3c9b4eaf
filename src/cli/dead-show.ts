import type { Command } from "commander";
import type { ErrorCode } from "../errors.ts";
import { AppError, errorCatalogue } from "../errors.ts";
import type { FullDeadLetter, LedgerReader } from "../ledger/reader.ts";
import { addDataOption, addJsonOption, addShowDataOption, parseCount } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, withLedger } from "./context.ts";
import { shownDelivery } from "./event-story.ts";
import { deliveryLines, valueLines } from "./event-story-text.ts";
import type { Paint } from "./table.ts";
import { countOf, createPaint, oneLine } from "./table.ts";

interface ShowOptions extends CommonOptions {
  readonly showData?: boolean;
}

/** `dead show`. */
export function addShow(dead: Command, context: CliContext): void {
  const command = dead
    .command("show")
    .description("one dead letter: its event, what its flow mapped to, its attempts, and what to do")
    .argument("<id>", "the delivery's id, as `dead list` has it", parseCount);
  addShowDataOption(addJsonOption(addDataOption(command))).action(
    async (id: number, options: ShowOptions) => {
      const letter = await withLedger(context, options, ({ reader }) => requireLetter(reader, id));
      const shown = shownLetter(letter, options.showData === true);
      if (options.json === true) printJson(context, shown);
      else printLine(context, deadReport(shown, createPaint(context)));
    },
  );
}

/** The dead letter of a delivery. Throws `not_found`. */
export async function requireLetter(reader: LedgerReader, id: number): Promise<FullDeadLetter> {
  const letter = await reader.deadLetter(id);
  if (letter !== undefined) return letter;
  throw new AppError("not_found", `there is no dead letter ${id}; \`deskbridge dead list\` has them all`);
}

/** The letter as it may be printed: without its event's data and with masked values, unless they are asked for. */
function shownLetter(letter: FullDeadLetter, showData: boolean): FullDeadLetter {
  const { event, deliveries } = letter.way;
  const shown = showData ? event : { ...event, data: undefined, raw: undefined };
  return {
    ...letter,
    way: { event: shown, deliveries: deliveries.map((delivery) => shownDelivery(delivery, showData)) },
  };
}

/** One dead letter for people. Its event's data is shown where it is there. */
export function deadReport(letter: FullDeadLetter, paint: Paint): string {
  const { event, deliveries } = letter.way;
  const delivery = deliveries.find((candidate) => candidate.id === letter.id);
  const code = letter.code ?? "";
  const remedy = Object.hasOwn(errorCatalogue, code) ? errorCatalogue[code as ErrorCode].remedy : undefined;
  return [
    `${paint.strong(oneLine(letter.flow))} → ${oneLine(letter.target)}: ${paint.bad(`${code}: ${oneLine(letter.reason ?? "")}`)}`,
    ...(letter.holds
      ? [paint.warning(`It holds its lane: ${countOf(letter.waiting, "delivery", "deliveries")} behind it.`)]
      : []),
    "",
    `  event ${oneLine(event.eventId)} ${oneLine(event.type)} about ${oneLine(event.subject)}, from ${oneLine(event.connection)}, received ${event.receivedAt}`,
    ...(delivery === undefined ? [] : deliveryLines(delivery, paint).map((line) => `  ${line}`)),
    ...(event.data === undefined ? [] : ["", "  data", ...valueLines(event.data, "    ")]),
    ...(event.data === undefined || delivery === undefined || delivery.editedData === null
      ? []
      : ["", "  data as edited, which the next attempt maps", ...valueLines(delivery.editedData, "    ")]),
    "",
    ...(remedy === undefined ? [] : [`What to do: ${remedy}`]),
    ...choices(letter),
    `The whole way of the event: deskbridge explain ${event.sequence}`,
  ].join("\n");
}

function choices({ id, flow, code }: FullDeadLetter): string[] {
  const discard = `Let it be: deskbridge dead discard ${id} --reason "…"`;
  if (flow === "(intake)") return ["No flow has seen this event, so there is nothing to retry.", discard];
  const unknown = `Say what became of the write: deskbridge dead resolve ${id} --as done, or --as unsent`;
  const again = `Try it again: deskbridge dead retry ${id}`;
  return [
    code === "effect_unknown" ? unknown : again,
    `With other data: deskbridge dead edit ${id}`,
    discard,
  ];
}
