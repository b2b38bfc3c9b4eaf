import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { AppError, toAppError } from "../errors.ts";
import { checkedEvent } from "../jobs/intake.ts";
import type { DataChange } from "../ledger/dead-letters.ts";
import { createDeadLetters } from "../ledger/dead-letters.ts";
import type { FullDeadLetter } from "../ledger/reader.ts";
import { eventOf } from "../ledger/reader.ts";
import type { EventInput } from "../model/event.ts";
import { ringLanes } from "../queue/ring-lanes.ts";
import { parseJsonBody } from "../sdk/json.ts";
import { addDataOption, addJsonOption, parseCount } from "./argument.ts";
import { isAttended } from "./confirm.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { printJson, printLine, withLedger } from "./context.ts";
import { changesOf, withoutValueAt, withValueAt } from "./data-edit.ts";
import { requireLetter } from "./dead-show.ts";
import { editText } from "./editor.ts";

import { countOf } from "./table.ts";

interface EditOptions extends Pick<CommonOptions, "data" | "json"> {
  readonly set?: readonly string[];
  readonly unset?: readonly string[];
  readonly eventData?: string;
  readonly retry: boolean;
}

/** `dead edit`. */
export function addEdit(dead: Command, context: CliContext): void {
  const command = dead
    .command("edit")
    .description(
      "change the event's data for one dead letter only, and try it again; the event stays as it is",
    )
    .argument("<id>", "the delivery's id, as `dead list` has it", parseCount)
    .option("--set <path=value>", "put a value in, such as order.total.minor=4200; may be repeated", gather)
    .option("--unset <path>", "take a value out; may be repeated", gather)
    .option("--event-data <file>", "the whole of the data, from a file of JSON")
    .option("--no-retry", "store it, and leave the letter dead")
    .addHelpText(
      "after",
      "\nWithout --set, --unset and --event-data the data is opened in $VISUAL or $EDITOR.\n" +
        "What comes out has to be data of the event's type; it is what the flow sees from the next attempt on.",
    );
  addJsonOption(addDataOption(command)).action(async (id: number, options: EditOptions) => {
    const { changes, retry } = await withLedger(context, options, async ({ foundation, reader }) => {
      const letter = await requireLetter(reader, id);
      const before = dataOf(letter);
      const data = checked(letter, await changed(before, context, options));
      const made = changesOf(before, data);
      if (made.length === 0) throw new AppError("bad_request", "the data is the same as before");
      const edit = { data, changes: made };
      const edited = await createDeadLetters(foundation.ledger.pool).edit(id, edit, options);
      if (edited === undefined)
        throw new AppError("conflict", `delivery ${id} is no dead letter any more; nothing was changed`);
      if (options.retry) await ringLanes(foundation.queue, [edited]);
      return { changes: made, retry: options.retry };
    });
    if (options.json === true) printJson(context, { edited: id, paths: changes.map(pathOf), retried: retry });
    else printLine(context, editedText(id, changes, retry));
  });
}

function gather(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function dataOf({ id, way }: FullDeadLetter): unknown {
  const edited = way.deliveries.find((delivery) => delivery.id === id)?.editedData ?? null;
  return edited ?? way.event.data;
}

async function changed(before: unknown, context: CliContext, options: EditOptions): Promise<unknown> {
  const { set = [], unset = [], eventData: file } = options;
  if (file !== undefined) return readData(file);
  if (set.length + unset.length > 0) {
    const put = set.reduce((data, one) => {
      const [, path, text] = /^([^=]+)=(.*)$/s.exec(one) ?? [];
      if (path === undefined || text === undefined)
        throw new AppError("bad_request", "--set takes <path>=<value>");
      return withValueAt(data, path, text);
    }, before);
    return unset.reduce(withoutValueAt, put);
  }
  if (!isAttended(context)) {
    throw new AppError("bad_request", "say what to change: --set, --unset or --event-data");
  }
  const text = await editText(`${JSON.stringify(before, undefined, 2)}\n`, context.variables);
  return parsed(Buffer.from(text), "what the editor left");
}

async function readData(path: string): Promise<unknown> {
  try {
    return parsed(await readFile(path), path);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("bad_request", `${path} cannot be read`, { cause: error });
  }
}

function parsed(body: Buffer, name: string): unknown {
  try {
    return parseJsonBody(body);
  } catch (error) {
    throw new AppError("bad_request", `${name}: ${toAppError(error).message}`, { cause: error });
  }
}

/** The data as its schema has it; or all that keeps it from being data of the event's type. */
function checked(letter: FullDeadLetter, data: unknown): unknown {
  if (letter.flow === "(intake)") {
    throw new AppError(
      "bad_request",
      `no flow has seen this event, so there is no delivery to change it for`,
    );
  }
  const { source, ...input } = eventOf(letter.way.event);
  try {
    return checkedEvent(source, { ...input, data } as EventInput).data;
  } catch (error) {
    throw new AppError("bad_request", toAppError(error).message, { cause: error });
  }
}

function pathOf(change: DataChange): string {
  return change.path;
}

function editedText(id: number, changes: readonly DataChange[], retry: boolean): string {
  const what = `${countOf(changes.length, "value")} changed for dead letter ${id}: ${changes.map(pathOf).join(", ")}.`;
  const next = retry ? "It is pending again." : `It stays dead until \`deskbridge dead retry ${id}\`.`;
  return `${what}\n${next}`;
}
