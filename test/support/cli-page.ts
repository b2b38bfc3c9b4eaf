import type { Argument, Command, Option } from "commander";
import { createProgram } from "../../src/cli/program.ts";
import { surroundings } from "./command.ts";

/** Every verb of the command line that does something, with the words that lead to it. */
export function verbsOf(): readonly { readonly words: string; readonly command: Command }[] {
  const program = createProgram({ ...surroundings(), fail: () => undefined });
  return program.commands.flatMap((command) =>
    command.commands.length === 0
      ? [{ words: command.name(), command }]
      : command.commands.map((inner) => ({ words: `${command.name()} ${inner.name()}`, command: inner })),
  );
}

/** `docs/reference/cli.md`. */
export function cliPage(): string {
  return [
    "# Command line",
    "",
    "<!-- Generated from src/cli/ by `npm run docs`. Edit it there. -->",
    "",
    "In a clone: `npm run -s deskbridge -- <verb>`. Answers go to stdout, everything else to stderr; with `--json` stdout holds one JSON value,",
    'of an error too: `{"error": {"code", "message", "remedy"}}`, with a code of the [catalogue](errors.md).',
    "There is no colour in a pipe, or where `NO_COLOR` is set.",
    "",
    "| Exit code | Means |",
    "| --- | --- |",
    "| 0 | The verb did what it was asked. |",
    "| 1 | It failed, or found something wrong; a line on stderr, or the answer itself, says what. |",
    "| 2 | The command line itself was wrong. |",
    "",
    "Verbs that need the database use `DATABASE_URL`, or the embedded PostgreSQL in the data directory: that of a deskbridge which is running there,",
    "or one that they start and stop themselves. `REDIS_URL` names the queue's Redis, `DESKBRIDGE_URL` and `DESKBRIDGE_API_KEY` the Support API.",
    "`DESKBRIDGE_WEBHOOK_ALLOW_HOSTS` names hosts, addresses and ranges that webhooks may go to although they are not public.",
    "",
    ...verbsOf().flatMap(({ words, command }) => verbSection(words, command)),
  ].join("\n");
}

function verbSection(words: string, command: Command): string[] {
  const rows = [...command.registeredArguments.map(argumentRow), ...command.options.map(optionRow)];
  return [
    `## \`${words}\``,
    "",
    sentence(command.description()),
    "",
    `\`deskbridge ${words} ${command.usage()}\``,
    "",
    ...(rows.length === 0 ? [] : ["| | |", "| --- | --- |", ...rows, ""]),
  ];
}

function argumentRow(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return `| \`${argument.required ? `<${name}>` : `[${name}]`}\` | ${sentence(argument.description)} |`;
}

function optionRow({ flags, description, mandatory, defaultValue }: Option): string {
  const hasDefault = typeof defaultValue === "string" || typeof defaultValue === "number";
  const words = [
    sentence(description),
    ...(mandatory ? ["Needed."] : []),
    ...(hasDefault ? [`Default: \`${defaultValue}\`.`] : []),
  ];
  return `| \`${flags}\` | ${words.join(" ")} |`;
}

function sentence(text: string): string {
  const whole = /[.]$/.test(text) ? text : `${text}.`;
  return `${whole[0]?.toUpperCase() ?? ""}${whole.slice(1)}`;
}
