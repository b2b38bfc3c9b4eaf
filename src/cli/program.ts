import { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { addBackfillVerb } from "./backfill.ts";
import { addCheckVerb } from "./check.ts";
import { addConnectorsVerb } from "./connectors.ts";
import type { CliContext } from "./context.ts";
import { addDeadVerbs } from "./dead.ts";
import { addDoctorVerb } from "./doctor.ts";
import { addExplainVerb } from "./explain.ts";
import { addExportVerbs } from "./export.ts";
import { addKeysVerbs } from "./keys.ts";
import { addPollVerb } from "./poll.ts";
import { addReplayVerb } from "./replay.ts";
import { addRunVerbs } from "./run.ts";
import { addSchemaVerb } from "./schema.ts";
import { addStatusVerb } from "./status.ts";
import { addTryVerb } from "./try.ts";

const verbs = [
  addRunVerbs,
  addCheckVerb,
  addTryVerb,
  addSchemaVerb,
  addConnectorsVerb,
  addStatusVerb,
  addDeadVerbs,
  addExplainVerb,
  addDoctorVerb,
  addBackfillVerb,
  addPollVerb,
  addReplayVerb,
  addExportVerbs,
  addKeysVerbs,
] as const;

/** The command line: one verb a file, each with its own `--help`. It throws where commander would end the process. */
export function createProgram(context: CliContext): Command {
  const program = new Command("deskbridge")
    .description("Keeps a shop's support desk, order system, CRM and warehouse telling the same story.")
    .version(manifest.version)
    .exitOverride()
    .helpCommand(false)
    .showHelpAfterError("(add --help for what this verb takes)")
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      getOutHelpWidth: () => context.stdout.columns || helpWidth,
      getErrHelpWidth: () => context.stdout.columns || helpWidth,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const addVerb of verbs) addVerb(program, context);
  return program;
}

const helpWidth = 100;
