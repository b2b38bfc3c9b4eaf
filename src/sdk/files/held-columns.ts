import type { Duckdb } from "./duckdb.ts";
import type { FileColumn, FileFormat } from "./file-format.ts";
import type { Manifest } from "./manifest.ts";
import { identifier } from "./sql.ts";
import type { HeldColumns } from "./table-columns.ts";
import type { FileFacts, TableFiles } from "./table-files.ts";
import { manifestName } from "./table-files.ts";
import { runColumn } from "../sink.ts";

/** Data files that are not as we left them: another size, or written after the manifest was. */
export function changedFiles(manifest: Manifest, listed: ReadonlyMap<string, FileFacts>): string[] {
  const writtenMs = listed.get(manifestName)?.modifiedMs ?? 0;
  return manifest.files
    .filter(({ path, bytes }) => {
      const facts = listed.get(path);
      return facts !== undefined && (facts.bytes !== bytes || facts.modifiedMs > writtenMs);
    })
    .map(({ path }) => path);
}

interface Inspection {
  readonly manifest: Manifest;
  readonly files: TableFiles;
  readonly format: FileFormat;
  readonly changed: readonly string[];
  /** How many files there are. */
  readonly total: number;
  readonly database: () => Promise<Duckdb>;
}

/** What the files have: what the manifest says, and for files that somebody changed what is in them. */
export async function inspectColumns(inspection: Inspection): Promise<HeldColumns> {
  const { manifest, changed, total } = inspection;
  const known = manifest.schema.columns;
  if (changed.length === 0) return { columns: known, lacking: new Set(), mixed: new Set() };
  const found: ReadonlyMap<string, string>[] = [];
  for (const path of changed) found.push(await typesOf(inspection, path));
  const untouched = total - changed.length;
  const lacking = new Set<string>();
  const mixed = new Set<string>();
  const columns = known.flatMap((column) => {
    const types = found.flatMap((file) => file.get(column.name) ?? []);
    if (types.length + untouched === 0) return [];
    if (types.length < found.length) lacking.add(column.name);
    const all = new Set(untouched > 0 ? [...types, column.type] : types);
    const [type = column.type] = all;
    if (all.size > 1) mixed.add(column.name);
    return all.size === 1 && type === column.type ? [column] : [{ name: column.name, type, filled: false }];
  });
  return { columns: [...columns, ...strangers(known, found)], lacking, mixed };
}

function strangers(
  known: readonly FileColumn[],
  found: readonly ReadonlyMap<string, string>[],
): FileColumn[] {
  const ours = new Set([...known.map(({ name }) => name), runColumn]);
  const theirs = new Map(found.flatMap((file) => [...file]));
  return [...theirs].flatMap(([name, type]) => (ours.has(name) ? [] : [{ name, type, filled: false }]));
}

/** Types of a file's columns. Where a format has only text, a column keeps the type that all its values can be cast to. */
async function typesOf(inspection: Inspection, path: string): Promise<ReadonlyMap<string, string>> {
  const { manifest, files, format } = inspection;
  const db = await inspection.database();
  const query = `SELECT * EXCLUDE (_file) FROM (${format.inspect(await files.fetch([path]))})`;
  const described = await db.rows(`DESCRIBE ${query}`);
  const types = new Map(described.map((row) => [String(row["column_name"]), String(row["column_type"])]));
  if (format.name !== "parquet") {
    const wanted = manifest.schema.columns.filter(({ name }) => types.has(name));
    const fits = await castable(db, query, wanted);
    for (const { name, type } of wanted) if (fits.has(name)) types.set(name, type);
  }
  await files.release();
  return types;
}

async function castable(
  db: Duckdb,
  query: string,
  columns: readonly FileColumn[],
): Promise<ReadonlySet<string>> {
  const tests = columns.map(({ name, type }, index) => {
    const text = `CAST(${identifier(name)} AS VARCHAR)`;
    return `bool_and(${text} IS NULL OR TRY_CAST(${text} AS ${type}) IS NOT NULL) IS NOT FALSE AS c${index}`;
  });
  if (tests.length === 0) return new Set();
  const [row] = await db.rows(`SELECT ${tests.join(", ")} FROM (${query})`);
  return new Set(columns.flatMap(({ name }, index) => (row?.[`c${index}`] === true ? [name] : [])));
}
