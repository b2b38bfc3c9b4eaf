import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import type { Connection, ConnectorContext } from "../connector.ts";
import { checkFolder } from "./check-folder.ts";
import type { FormatName } from "./file-format.ts";
import type { FileSinkConfig } from "./file-sink-config.ts";
import { createFileSink } from "./file-sink.ts";
import { createLocalFiles } from "./local-files.ts";

/** A connection of a connector that writes files of one format. */
export function createFileSinkConnection(
  format: FormatName,
  { path = ".", workDir }: FileSinkConfig,
  { logger, now }: ConnectorContext,
): Connection {
  const root = resolve(path);
  return {
    sink: createFileSink({
      format,
      logger,
      now,
      openTable: (name) => createLocalFiles(join(root, name), workFolder(workDir, join(root, name))),
    }),
    check: () => checkFolder(root),
  };
}

/** The same for a table in every process, so that what one leaves behind is found by the next. */
function workFolder(workDir: string | undefined, place: string): string | undefined {
  if (workDir === undefined) return undefined;
  const name = createHash("sha256").update(place).digest("hex").slice(0, 16);
  return resolve(workDir, `deskbridge-${name}`);
}
