import { CommanderError } from "commander";
import type { ErrorCode } from "../errors.ts";
import { errorCatalogue, toAppError } from "../errors.ts";
import type { CliSurroundings, OutputStream } from "./context.ts";
import { createProgram } from "./program.ts";

/** What the process ends with: 0 when the verb did what it was asked, 1 when it failed, 2 when the command line itself was wrong. */
type ExitCode = 0 | 1 | 2;

/**
 * Runs one command line, without the two leading words of `process.argv`. Never throws: an error is told in a line on stderr, by its code,
 * message and remedy, and with `--json` as the one value on stdout too. A reader that goes away (`| head`) is no error.
 */
export async function runCommandLine(
  words: readonly string[],
  surroundings: CliSurroundings,
): Promise<ExitCode> {
  const { stdout, stderr } = surroundings;
  for (const stream of [stdout, stderr]) tolerateClosedPipe(stream);
  let failed = false;
  const context = { ...surroundings, fail: () => void (failed = true) };
  try {
    await createProgram(context).parseAsync([...words], { from: "user" });
    return failed ? 1 : 0;
  } catch (error) {
    // Commander has said what is wrong, or has printed the help that was asked for.
    const isUsage = error instanceof CommanderError;
    if (isUsage && error.exitCode === 0) return 0;
    const told = isUsage ? usageFault(error) : toldFault(error);
    if (!isUsage)
      stderr.write(`${told.code}: ${told.message}\n${told.remedy === "" ? "" : `${told.remedy}\n`}`);
    if (words.includes("--json")) stdout.write(`${JSON.stringify({ error: told })}\n`);
    return isUsage ? 2 : 1;
  }
}

/** An error as it is told. */
interface ToldFault {
  readonly code: ErrorCode;
  readonly message: string;
  /** What to do; empty where the message says so itself. */
  readonly remedy: string;
}

function toldFault(error: unknown): ToldFault {
  const { code, message } = toAppError(error);
  // These two say themselves what to do; their remedy in the catalogue is for callers of the API.
  const isSaid = code === "bad_request" || code === "not_found";
  return { code, message, remedy: isSaid ? "" : errorCatalogue[code].remedy };
}

function usageFault({ code, message }: CommanderError): ToldFault {
  const { meaning, remedy } = errorCatalogue.command_invalid;
  // Where a verb is missing, its help has been printed, and the error says so alone.
  const said = code === "commander.help" ? meaning : message.replace(/^error: /, "");
  return { code: "command_invalid", message: said, remedy };
}

function tolerateClosedPipe(stream: OutputStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}
