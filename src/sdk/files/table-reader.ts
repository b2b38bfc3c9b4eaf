import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../../errors.ts";
import type { RowBatch } from "../row-batch.ts";
import type { Sink } from "../sink.ts";
import type { Duckdb } from "./duckdb.ts";
import { openDuckdb } from "./duckdb.ts";
import type { FileFormat } from "./file-format.ts";
import { fileFormats } from "./file-format.ts";
import type { FileSinkOptions } from "./file-sink.ts";
import { readManifest } from "./manifest.ts";
import type { Manifest } from "./manifest.ts";
import { selectPresent } from "./present-rows.ts";
import { canonicalBatch, readableColumns } from "./readable-rows.ts";
import type { TableFiles } from "./table-files.ts";

type ReadRequest = Parameters<NonNullable<Sink["read"]>>[0];

/** Files that are open at a time. */
const filesAtATime = 32;

/** The rows of some days, or all of them, in no order. A table that is not there has none. */
export async function* readTable(options: FileSinkOptions, request: ReadRequest): AsyncGenerator<RowBatch> {
  const folder = await mkdtemp(join(tmpdir(), "deskbridge-read-"));
  const files = options.openTable(request.table.name, { signal: request.signal, workFolder: folder });
  let db: Duckdb | undefined;
  try {
    const manifest = await readManifest(files);
    if (manifest === undefined) return;
    if (manifest.export !== request.export) {
      throw new AppError("sink_table_foreign", `${files.place} belongs to the export ${manifest.export}`);
    }
    const listed = await files.list();
    const paths = pathsOf(manifest, request).filter((path) => listed.has(path));
    if (paths.length === 0) return;
    const format = fileFormats[options.format];
    db = await openDuckdb({ folder, signal: request.signal, threads: format.threads });
    for (let from = 0; from < paths.length; from += filesAtATime) {
      yield* readFiles({
        db,
        files,
        format,
        manifest,
        request,
        paths: paths.slice(from, from + filesAtATime),
      });
      await files.release();
    }
  } finally {
    db?.close();
    await rm(folder, { recursive: true, force: true });
    await files.close();
  }
}

function pathsOf({ files }: Manifest, { days }: ReadRequest): string[] {
  return files
    .map(({ path }) => path)
    .filter((path) => {
      const day = path.slice("day=".length, path.indexOf("/"));
      return days === undefined || (day >= days.from && day < days.until);
    });
}

interface Part {
  readonly db: Duckdb;
  readonly files: TableFiles;
  readonly format: FileFormat;
  readonly manifest: Manifest;
  readonly request: ReadRequest;
  readonly paths: readonly string[];
}

async function* readFiles(part: Part): AsyncGenerator<RowBatch> {
  const { db, files, format, manifest, request } = part;
  const { columns } = request.table;
  const layout = manifest.schema.columns;
  const names = columns.map(({ name }) => name);
  const paths = await files.fetch(part.paths);
  const query = await selectPresent({ db, format, layout, paths, names });
  const values = readableColumns(columns, new Set(layout.map(({ name }) => name)));
  for await (const rows of db.stream(`SELECT ${values} FROM (${query})`)) {
    yield canonicalBatch(columns, rows);
  }
}
