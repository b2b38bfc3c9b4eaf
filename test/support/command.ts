import { Writable } from "node:stream";
import { runCommandLine } from "../../src/cli/command-line.ts";
import type { CliSurroundings, OutputStream } from "../../src/cli/context.ts";
import type { Registry } from "../../src/registry/registry.ts";

/** What a command said, and what it ended with. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface CommandOptions {
  readonly variables?: Readonly<Record<string, string | undefined>>;
  readonly registry?: Registry;
  /** Called with everything that is written to stderr, as it is written. */
  readonly onNote?: (text: string) => void;
}

/** Runs a command line in this process, with an environment of its own. */
export async function runCommand(
  words: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const stdout = capture();
  const stderr = capture(options.onNote);
  const code = await runCommandLine(words, {
    variables: options.variables ?? {},
    stdout: stdout.stream,
    stderr: stderr.stream,
    ...(options.registry === undefined ? {} : { registry: options.registry }),
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** The one JSON value on a command's stdout. Throws when there is more, or less. */
export function jsonOf(result: CommandResult): unknown {
  const lines = result.stdout.split("\n");
  if (lines.length !== 2 || lines[1] !== "") throw new Error(`one line is expected: ${result.stdout}`);
  return JSON.parse(lines[0] ?? "");
}

/** A stream that keeps what is written to it; as a terminal where `columns` are given. */
export function capture(
  onText: (text: string) => void = () => undefined,
  columns?: number,
): { readonly stream: OutputStream; readonly text: () => string } {
  let text = "";
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      onText(chunk.toString());
      done();
    },
  });
  const terminal = columns === undefined ? {} : { isTTY: true, columns };
  return { stream: Object.assign(stream, terminal), text: () => text };
}

/** Surroundings for what renders: a pipe, or a terminal of so many columns. */
export function surroundings(
  columns?: number,
  variables: CliSurroundings["variables"] = {},
): CliSurroundings {
  return { variables, stdout: capture(undefined, columns).stream, stderr: capture().stream };
}
