import { Command, CommanderError, InvalidArgumentError } from "commander";
import { parsePort } from "../src/cli/argument.ts";
import type { CliSurroundings } from "../src/cli/context.ts";
import { untilInterrupted } from "../src/cli/interrupt.ts";
import { toAppError } from "../src/errors.ts";
import { runDemo } from "./demo.ts";

interface DemoArguments {
  readonly seed?: number;
  readonly once?: boolean;
  readonly json?: boolean;
  readonly data?: string;
  readonly port: number;
}

const maxSeed = 1_000_000_000;
const interruptedCode = 130;

/** Runs the demo by its command line and resolves with the process's exit code: 0, 1 when it failed, 2 for wrong arguments, 130 when interrupted. */
export async function runDemoCommand(
  words: readonly string[],
  surroundings: CliSurroundings,
): Promise<number> {
  const command = createCommand(surroundings);
  try {
    command.parse([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  const { seed, once = false, json = false, data, port } = command.opts<DemoArguments>();
  return untilInterrupted(async (signal) => {
    try {
      const isRight = await runDemo({ seed, once, json, dataDir: data, port, signal }, surroundings);
      return isRight ? 0 : 1;
    } catch (error) {
      if (signal.aborted) return interruptedCode;
      const { code, message } = toAppError(error);
      surroundings.stderr.write(`${code === "internal" ? "" : `${code}: `}${message}\n`);
      return 1;
    }
  });
}

function createCommand({ stdout, stderr }: CliSurroundings): Command {
  return new Command("demo")
    .description(
      "Plays a day of an imaginary shop into a real deskbridge and shows the tickets that it opens.",
    )
    .option("--once", "end after the table instead of staying up")
    .option("--json", "print the figures as one line of JSON after the table")
    .option(
      "--seed <number>",
      "which day is played (default: the first that the database has not seen)",
      parseSeed,
    )
    .option(
      "--data <dir>",
      "keep the data here (default: data, or a temporary folder where data holds somebody's own)",
    )
    .option("--port <number>", "where it answers; 0 takes a free port", parsePort, 0)
    .addHelpText(
      "after",
      "\nDATABASE_URL and REDIS_URL are used where they are set. With npm: npm run demo -- --once --json",
    )
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
    });
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= maxSeed) return seed;
  throw new InvalidArgumentError(`Give a whole number from 0 to ${maxSeed}.`);
}
