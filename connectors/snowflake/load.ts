import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { jsonLine } from "deskbridge/sdk";
import type { Column, MergeDialect, MergeWarehouse, Row } from "deskbridge/sdk";
import type { Session } from "./session.ts";

const compress = promisify(gzip);

/** The internal stage that files are put to. It is the session's own and gone with it. */
const files = "_deskbridge_files";

/**
 * Loads rows by `PUT` and `COPY`. They go as JSON rather than as CSV: it tells the empty text from none and has a way to write every character. The driver
 * takes files only, so they are on disk while it sends them, for this process's user alone.
 */
export function createLoader({ ask }: Session, dialect: MergeDialect): MergeWarehouse["load"] {
  const stage = dialect.table(files);
  let count = 0;
  return async (table, columns, rows) => {
    if (count === 0) await ask(`CREATE TEMPORARY STAGE IF NOT EXISTS ${stage}`);
    count += 1;
    const name = `rows-${count}.json.gz`;
    const folder = await mkdtemp(join(tmpdir(), "deskbridge-snowflake-"));
    try {
      const path = join(folder, name);
      await writeFile(path, await compress(rows.map((row) => `${lineOf(columns, row)}\n`).join("")), {
        mode: 0o600,
      });
      await ask(
        `PUT 'file://${path}' '@${stage}' SOURCE_COMPRESSION = GZIP AUTO_COMPRESS = FALSE OVERWRITE = TRUE`,
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    await ask(copyStatement(dialect, { stage, name, table, columns }));
    await ask(`REMOVE '@${stage}/${name}'`);
  };
}

interface Copy {
  readonly stage: string;
  readonly name: string;
  readonly table: string;
  readonly columns: readonly Column[];
}

/** It takes all of the rows or none. */
function copyStatement({ quoted, table: tableOf, types }: MergeDialect, copy: Copy): string {
  const { stage, name, table, columns } = copy;
  const list = columns.map((column) => quoted(column.name)).join(", ");
  const fields = columns.map((column) => `$1:${quoted(column.name)}::${types[column.type]}`).join(", ");
  return `COPY INTO ${tableOf(table)} (${list}) FROM (SELECT ${fields} FROM @${stage}) FILES = ('${name}') FILE_FORMAT = (TYPE = JSON COMPRESSION = GZIP) ON_ERROR = ABORT_STATEMENT`;
}

/** What is null is left out, since a null of JSON in a `VARIANT` is a value there. An instant has its offset in digits, as the service's own formats have it. */
function lineOf(columns: readonly Column[], row: Row): string {
  const held: Record<string, unknown> = {};
  for (const { name, type } of columns) {
    const value = row[name] ?? null;
    if (value === null) continue;
    held[name] = type === "timestamp" && typeof value === "string" ? value.replace(/Z$/, "+00:00") : value;
  }
  return jsonLine(held);
}
