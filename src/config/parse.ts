import { createHash } from "node:crypto";
import { createEventEnvironments } from "../flows/event-type.ts";
import type { ConfigProblem, LocatedMap } from "../flows/located.ts";
import type { Registry } from "../registry/registry.ts";
import type { Config, ConnectionConfig, ServerConfig } from "./config.ts";
import { parseConnection, parseNode } from "./connection.ts";
import { deskSchema, toDeskConfig } from "./desk-section.ts";
import { parseExport, refuseSharedTables } from "./export-section.ts";
import { createDatasetEnvironments } from "./export-where.ts";
import { parseFlow } from "./flow-section.ts";
import { mergeFiles, sectionOf } from "./merge.ts";
import { serverSchema } from "./schema.ts";
import { createSecretResolver } from "./secret.ts";
import type { SecretResolver, SecretSource } from "./secret.ts";
import { parseYaml } from "./yaml.ts";

/** A file of the configuration. */
export interface ConfigText {
  /** As it is to appear in problems. */
  readonly file: string;
  readonly text: string;
}

/** A checked configuration, or everything that is wrong with it in the order of the files. */
export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Checks the texts of a configuration. Touches nothing outside but what the registry and the secret source do. */
export async function parseConfig(
  texts: readonly ConfigText[],
  registry: Registry,
  secretSource: SecretSource,
): Promise<ConfigResult> {
  const files = texts.map(({ file, text }) => parseYaml(file, text));
  const problems: ConfigProblem[] = files.flatMap((file) => [...file.problems]);
  // Half a file would bring up faults that are none.
  if (files.some((file) => file.broken)) return { ok: false, problems: inOrder(problems) };

  const root = mergeFiles(
    files.map((file) => file.root),
    problems,
  );
  const resolver = createSecretResolver(secretSource, problems);
  // No setting of the server is a secret: what they hold (an address, a port) may stand in logs.
  const server = parseServer(root, createSecretResolver(secretSource, problems), problems);
  const desk = parseNode(sectionOf(root, "desk"), deskSchema, resolver, problems);
  const connections = await parseConnections(root, { registry, resolver, problems });
  const names = new Set(sectionOf(root, "connections").entries.map((entry) => entry.key));
  const flowContext = { environments: createEventEnvironments(), connections: names };
  const flows = sectionOf(root, "flows").entries.flatMap(
    (entry) => parseFlow(entry, flowContext, resolver, problems) ?? [],
  );
  const exportContext = { connections: names, environments: createDatasetEnvironments(), resolver, problems };
  const exports = sectionOf(root, "exports").entries.flatMap(
    (entry) => parseExport(entry, exportContext) ?? [],
  );
  refuseSharedTables(exports, problems);
  const secrets = resolver.secrets();
  if (problems.length > 0 || !server) {
    return { ok: false, problems: inOrder(problems).map((problem) => withoutSecrets(problem, secrets)) };
  }
  const version = versionOf(texts);
  return {
    ok: true,
    // Undefined with no problem: a secret is not here, and this is only a check.
    config: {
      version,
      server,
      desk: toDeskConfig(desk ?? deskSchema.parse({})),
      connections,
      flows,
      exports,
      secrets,
    },
  };
}

function parseServer(
  root: LocatedMap,
  resolver: SecretResolver,
  problems: ConfigProblem[],
): ServerConfig | undefined {
  const parsed = parseNode(sectionOf(root, "server"), serverSchema, resolver, problems);
  if (!parsed) return undefined;
  const { retention, shutdown, publicUrl, ...rest } = parsed;
  return { ...rest, publicUrl, retentionMs: retention, shutdownMs: shutdown };
}

async function parseConnections(
  root: LocatedMap,
  context: Parameters<typeof parseConnection>[1],
): Promise<Map<string, ConnectionConfig>> {
  const connections = new Map<string, ConnectionConfig>();
  for (const entry of sectionOf(root, "connections").entries) {
    const connection = await parseConnection(entry, context);
    if (connection) connections.set(connection.name, connection);
  }
  return connections;
}

function versionOf(texts: readonly ConfigText[]): string {
  const hash = createHash("sha256");
  for (const { text } of texts) hash.update(`${text.length}\n${text}`);
  return hash.digest("hex").slice(0, 12);
}

function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return problems.toSorted(({ position: a }, { position: b }) => {
    if (a.file !== b.file) return a.file < b.file ? -1 : 1;
    return a.line - b.line || a.column - b.column;
  });
}

/** The shortest value that is looked for: shorter ones are found in any text. */
const shortestSecret = 4;

// Our own messages quote references, not their values; a connector's schema may quote what it was given.
function withoutSecrets(problem: ConfigProblem, secrets: readonly string[]): ConfigProblem {
  const message = secrets
    .filter((secret) => secret.length >= shortestSecret)
    .reduce((text, secret) => text.replaceAll(secret, "***"), problem.message);
  return { ...problem, message };
}
