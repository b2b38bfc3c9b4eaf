import type { Command } from "commander";
import { groups } from "./argument.ts";
import type { CliContext } from "./context.ts";
import { addExportList } from "./export-list.ts";
import { addExportPreview } from "./export-preview.ts";
import { addExportRun } from "./export-run.ts";
import { addExportStatus } from "./export-status.ts";
import { addExportVerify } from "./export-verify.ts";

/** `export run`, `list`, `status`, `verify` and `preview`: out to the warehouse, by hand. */
export function addExportVerbs(program: Command, context: CliContext): void {
  const verb = program
    .command("export")
    .description("the desk's data out to a warehouse: run, look, compare")
    .helpGroup(groups.act);
  addExportRun(verb, context);
  addExportList(verb, context);
  addExportStatus(verb, context);
  addExportVerify(verb, context);
  addExportPreview(verb, context);
}
