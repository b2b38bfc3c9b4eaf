import { valueOf } from "../flows/located.ts";
import type { ConfigProblem, LocatedEntry } from "../flows/located.ts";
import type { ExportConfig } from "./config.ts";
import { checkName, parseNode } from "./connection.ts";
import { checkConnection } from "./flow-section.ts";
import { exportSchema } from "./schema.ts";
import type { SecretResolver } from "./secret.ts";

/** Parses one export; what is wrong goes to `problems`. */
export function parseExport(
  entry: LocatedEntry,
  connections: ReadonlySet<string>,
  resolver: SecretResolver,
  problems: ConfigProblem[],
): ExportConfig | undefined {
  checkName(entry, "export", problems);
  for (const key of ["from", "to"]) {
    const node = valueOf(entry.value, key);
    if (node?.kind === "text") checkConnection(node, connections, problems);
  }
  const parsed = parseNode(entry.value, exportSchema, resolver, problems);
  return parsed && { name: entry.key, ...parsed };
}
