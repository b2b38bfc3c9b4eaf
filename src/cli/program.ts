import { Command } from "commander";
import type { CliContext } from "./context.ts";
import { addRunVerbs } from "./run.ts";

/** The command line: one verb a file, each with its own `--help`. */
export function createProgram(context: CliContext): Command {
  const program = new Command("deskbridge")
    .description("Keeps a shop's support desk, order system, CRM and warehouse telling the same story.")
    .showHelpAfterError("(add --help for what this verb takes)")
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
    });
  addRunVerbs(program, context);
  return program;
}
