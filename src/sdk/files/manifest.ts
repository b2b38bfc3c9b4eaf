import { z } from "zod";
import { AppError } from "../../errors.ts";
import type { ColumnType } from "../../model/dataset.ts";
import type { TableFiles } from "./table-files.ts";
import { manifestName, recordName } from "./table-files.ts";

/** What tells our manifests from other people's files of that name. */
const mark = "deskbridge-table";

const columnTypes = [
  "string",
  "integer",
  "number",
  "boolean",
  "timestamp",
  "date",
  "json",
] as const satisfies readonly ColumnType[];

const dataFile = z.object({
  /** Relative to the table's folder. */
  path: z.string(),
  rows: z.int().min(0),
  bytes: z.int().min(0),
  sha256: z.string(),
  /** The lowest number in the rows' `_deskbridge_run`. */
  oldestRun: z.int().min(0),
});

const manifestSchema = z.object({
  kind: z.literal(mark),
  formatVersion: z.literal(1),
  table: z.string(),
  dataset: z.string(),
  export: z.string(),
  format: z.string(),
  schema: z.object({
    /** Goes up by one whenever the columns change. */
    version: z.int().min(1),
    columns: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        holds: z.enum(columnTypes).optional(),
        filled: z.boolean(),
      }),
    ),
    key: z.array(z.string()),
    day: z.string(),
  }),
  /** Number of the run that committed last; null before the first commit. */
  run: z.int().nullable(),
  watermark: z.string().nullable(),
  /** How many commits there have been: tells whether somebody else has committed meanwhile. */
  commit: z.int().min(0),
  writtenAt: z.string(),
  rows: z.int().min(0),
  files: z.array(dataFile),
});

/** What a table consists of: `_manifest.json` in its folder, written last. */
export type Manifest = z.output<typeof manifestSchema>;
export type DataFile = z.output<typeof dataFile>;

const recordSchema = z.object({
  manifest: manifestSchema,
  /** Folder of what was staged. */
  folder: z.string(),
  moves: z.array(z.object({ from: z.string(), to: z.string() })),
  removals: z.array(z.string()),
});

/** A commit that is decided: once it is durable it is carried out, by whichever process comes to it. */
export type CommitRecord = z.output<typeof recordSchema>;

/** The manifest; undefined where there is none. Throws `sink_table_foreign` for somebody else's, `target_rejected` for a damaged one. */
export async function readManifest(files: TableFiles): Promise<Manifest | undefined> {
  const text = await files.read(manifestName);
  if (text === undefined) return undefined;
  const value = parseJson(text);
  if (value !== undefined && !isOurs(value)) {
    throw new AppError("sink_table_foreign", `${files.place} has a ${manifestName} that is not ours`);
  }
  const { data, error } = manifestSchema.safeParse(value);
  if (data !== undefined) return data;
  const place = error.issues[0]?.path.join(".") ?? "";
  throw new AppError(
    "target_rejected",
    `${files.place}/${manifestName} is damaged${place === "" ? "" : ` at ${place}`}; put it back from a copy, or move the folder away and export everything anew`,
  );
}

function isOurs(value: unknown): boolean {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === mark;
}

export async function writeManifest(files: TableFiles, manifest: Manifest): Promise<void> {
  await files.write(manifestName, `${JSON.stringify(manifest, undefined, 1)}\n`);
}

/** The record of a commit that is not carried out yet. It was written at once, so it is whole where it is there. */
export async function readRecord(files: TableFiles): Promise<CommitRecord | undefined> {
  const text = await files.read(recordName);
  if (text === undefined) return undefined;
  const { data } = recordSchema.safeParse(parseJson(text));
  if (data !== undefined) return data;
  throw new AppError(
    "target_rejected",
    `${files.place}/${recordName} is damaged; put it back from a copy, or move the folder away and export everything anew`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
