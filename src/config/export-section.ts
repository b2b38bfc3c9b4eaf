import type { z } from "zod";
import { valueOf } from "../flows/located.ts";
import type { ConfigProblem, Located, LocatedEntry } from "../flows/located.ts";
import { personalClasses } from "../model/dataset.ts";
import type { ExportConfig, ExportTable } from "./config.ts";
import { checkName, parseNode } from "./connection.ts";
import { compileExportTable } from "./export-table.ts";
import type { DatasetEnvironments } from "./export-where.ts";
import { checkConnection } from "./flow-section.ts";
import { exportSchema } from "./schema.ts";
import type { SecretResolver } from "./secret.ts";

/** What exports of one configuration are parsed with. */
export interface ExportContext {
  /** Names of the configured connections. */
  readonly connections: ReadonlySet<string>;
  readonly environments: DatasetEnvironments;
  readonly resolver: SecretResolver;
  readonly problems: ConfigProblem[];
}

/** Parses and compiles one export; what is wrong goes to `problems`. */
export function parseExport(entry: LocatedEntry, context: ExportContext): ExportConfig | undefined {
  const { resolver, problems } = context;
  const { key: name, keyPosition, value: node } = entry;
  checkName(entry, "export", problems);
  for (const key of ["from", "to"]) {
    const connection = valueOf(node, key);
    if (connection?.kind === "text") checkConnection(connection, context.connections, problems);
  }
  const parsed = parseNode(node, exportSchema, resolver, problems);
  if (parsed === undefined) return undefined;
  requireHashKey(parsed, node, problems);
  const { from, to, schedule, onSchemaChange, lag, chunk } = parsed;
  const at = (key: string) => valueOf(node, key)?.position ?? keyPosition;
  return {
    name,
    from,
    to,
    schedule,
    tables: tablesOf(parsed, node, context),
    onSchemaChange,
    lagMs: lag,
    chunkRows: chunk,
    position: { name: keyPosition, from: at("from"), to: at("to") },
  };
}

type ParsedExport = z.output<typeof exportSchema>;

function requireHashKey({ personal }: ParsedExport, node: Located, problems: ConfigProblem[]): void {
  if (personal.hashKey !== undefined || !personalClasses.some((one) => personal[one] === "hash")) return;
  const written = valueOf(node, "personal");
  // One whose secret is not here has been told of, or this is only a check.
  if (written === undefined || valueOf(written, "hashKey") !== undefined) return;
  const message = "`hashKey` is missing; expected a secret such as `${EXPORT_HASH_KEY}` to hash with";
  problems.push({ position: written.position, path: written.path, message });
}

function tablesOf(
  parsed: ParsedExport,
  node: Located,
  { environments, problems }: ExportContext,
): ExportTable[] {
  const list = valueOf(node, "datasets");
  const nodes = list?.kind === "list" ? list.items : [];
  return parsed.datasets.flatMap((dataset, index) => {
    const own = nodes[index];
    if (own === undefined) return [];
    const wanted = typeof dataset === "string" ? { name: dataset } : dataset;
    const { personal, tablePrefix = "", from } = parsed;
    return compileExportTable({ wanted, node: own, personal, tablePrefix, from }, environments, problems);
  });
}

/** Refuses a table that two exports, or two datasets of one, would write: each would take the other's rows away. */
export function refuseSharedTables(exports: readonly ExportConfig[], problems: ConfigProblem[]): void {
  const owners = new Map<string, string>();
  for (const { name, to, tables } of exports) {
    for (const { table, position, path } of tables) {
      // Some warehouses do not tell capital letters from small ones.
      const key = `${to} ${table.name.toLowerCase()}`;
      const owner = owners.get(key);
      if (owner === undefined) owners.set(key, name);
      else if (position !== undefined) {
        const whose = owner === name ? "this export" : `the export \`${owner}\``;
        const message = `the table \`${table.name}\` of \`${to}\` is written by ${whose} already; expected another \`table\` or \`tablePrefix\``;
        problems.push({ position, path, message });
      }
    }
  }
}
