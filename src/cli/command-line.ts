import { CommanderError } from "commander";
import { errorCatalogue, toAppError } from "../errors.ts";
import type { CliSurroundings, OutputStream } from "./context.ts";
import { createProgram } from "./program.ts";

/** What the process ends with: 0 when the verb did what it was asked, 1 when it failed, 2 when the command line itself was wrong. */
type ExitCode = 0 | 1 | 2;

/**
 * Runs one command line, without the two leading words of `process.argv`. Never throws: an error is told in a line on stderr, by its code,
 * message and remedy. A reader that goes away (`| head`) is no error.
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
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { code, message } = toAppError(error);
    // These two say themselves what to do; their remedy in the catalogue is for callers of the API.
    const remedy = code === "bad_request" || code === "not_found" ? "" : `${errorCatalogue[code].remedy}\n`;
    stderr.write(`${code}: ${message}\n${remedy}`);
    return 1;
  }
}

function tolerateClosedPipe(stream: OutputStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}
