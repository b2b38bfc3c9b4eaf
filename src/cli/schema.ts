import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { configJsonSchema, formatJsonSchema } from "../config/json-schema.ts";
import { AppError } from "../errors.ts";
import { groups } from "./argument.ts";
import type { CliContext } from "./context.ts";
import { printLine, registryOf } from "./context.ts";

const defaultPath = "config/schema.json";

/** `schema`: the JSON Schema of a configuration, with the settings of every connector that is installed. */
export function addSchemaVerb(program: Command, context: CliContext): void {
  program
    .command("schema")
    .description("print the JSON schema of a configuration, for editors, or write it to a file")
    .helpGroup(groups.configure)
    .option("--write [path]", `write it to a file; ${defaultPath} unless told`)
    .action(async ({ write }: { readonly write?: string | true }) => {
      const text = formatJsonSchema(await configJsonSchema(registryOf(context)));
      if (write === undefined) {
        context.stdout.write(text);
        return;
      }
      const path = write === true ? defaultPath : write;
      await writeFile(path, text).catch((error: NodeJS.ErrnoException) => {
        throw new AppError("bad_request", `${path} cannot be written (${error.code})`, { cause: error });
      });
      printLine(context, `${path} written`);
    });
}
