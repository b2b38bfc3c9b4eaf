import type { z } from "zod";
import { AppError } from "../errors.ts";
import { kindInWords, plainOf, valueOf } from "../flows/located.ts";
import type { ConfigProblem, Located, LocatedEntry, LocatedMap } from "../flows/located.ts";
import { problemsOf } from "../flows/schema-issue.ts";
import type { Registry } from "../registry/registry.ts";
import type { ConnectorDefinition } from "../sdk/connector.ts";
import type { ConnectionConfig } from "./config.ts";
import { connectionKeys, connectionSchema, namePattern } from "./schema.ts";
import type { SecretResolver } from "./secret.ts";

const engineKeys = Object.keys(connectionKeys);

/** What sections are parsed with. Problems are gathered, so that all are reported at once. */
export interface SectionContext {
  readonly registry: Registry;
  readonly resolver: SecretResolver;
  readonly problems: ConfigProblem[];
}

/** Parses one connection: the engine's keys by the engine's schema, all others by the connector's own. */
export async function parseConnection(
  entry: LocatedEntry,
  context: SectionContext,
): Promise<ConnectionConfig | undefined> {
  const { key: name, keyPosition, value: node } = entry;
  const { problems, resolver } = context;
  checkName(entry, "connection", problems);
  if (node.kind !== "map") {
    const message = `this is ${kindInWords(node)}; expected a mapping such as \`{ use: webhook }\``;
    problems.push({ position: node.position, path: node.path, message });
    return undefined;
  }
  const [engineNode, connectorNode] = split(node);
  const engine = parseNode(engineNode, connectionSchema, resolver, problems);
  const definition = await findConnector(node, context);
  if (!definition) return undefined;
  const settings = await parseSettings(connectorNode, definition, context);
  if (!engine || !settings) return undefined;
  const { use, poll, rateLimit, concurrency } = engine;
  return {
    name,
    use,
    settings: settings.value,
    poll: poll && { everyMs: poll.every, skipHistory: poll.skipHistory, sources: poll.sources },
    rateLimit: rateLimit && { calls: rateLimit.calls, perSeconds: rateLimit.per / 1000 },
    concurrency,
    position: keyPosition,
  };
}

/** Refuses a name that can't be part of an address. */
export function checkName(
  { key, keyPosition, value }: LocatedEntry,
  what: string,
  problems: ConfigProblem[],
): void {
  if (namePattern.test(key)) return;
  problems.push({
    position: keyPosition,
    path: value.path,
    message: `\`${key}\` can't be the name of a ${what}; expected letters, digits, \`-\` and \`_\`, at most 64, the first no sign`,
  });
}

/** Resolves the references in a value and applies a schema; what is wrong goes to `problems`. */
export function parseNode<S extends z.ZodType>(
  node: Located,
  schema: S,
  resolver: SecretResolver,
  problems: ConfigProblem[],
): z.output<S> | undefined {
  const resolved = resolver.resolve(node, [schema], false);
  const result = schema.safeParse(plainOf(resolved));
  if (result.success) return result.data;
  const found = problemsOf(result.error.issues, resolved, schema);
  problems.push(...found);
  if (found.length > 0) return undefined;
  // All that is wrong is what a reference without a value left behind.
  return schema.safeParse(plainOf(withoutUnresolved(resolved))).data;
}

function withoutUnresolved(node: Located): Located {
  if (node.kind === "list") return { ...node, items: node.items.map(withoutUnresolved) };
  if (node.kind !== "map") return node;
  const entries = node.entries
    .filter(({ value }) => !(value.kind === "text" && value.unresolved))
    .map((entry) => ({ ...entry, value: withoutUnresolved(entry.value) }));
  return { ...node, entries };
}

function split(node: LocatedMap): [LocatedMap, LocatedMap] {
  const isEngineKey = ({ key }: LocatedEntry) => engineKeys.includes(key);
  return [
    { ...node, entries: node.entries.filter(isEngineKey) },
    { ...node, entries: node.entries.filter((entry) => !isEngineKey(entry)) },
  ];
}

async function findConnector(
  node: LocatedMap,
  { registry, problems }: SectionContext,
): Promise<ConnectorDefinition | undefined> {
  const use = valueOf(node, "use");
  // That `use` is missing or no text has been said by the engine's schema.
  if (use?.kind !== "text" || use.text === "") return undefined;
  try {
    return await registry.get(use.text);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    problems.push({ position: use.position, path: use.path, message: error.message });
    return undefined;
  }
}

// In a box, for a connector's settings may be any value.
async function parseSettings(
  node: LocatedMap,
  { config: schema }: ConnectorDefinition,
  { resolver, problems }: SectionContext,
): Promise<{ readonly value: unknown } | undefined> {
  const resolved = resolver.resolve(node, [schema], false);
  const result = await schema.safeParseAsync(plainOf(resolved));
  if (result.success) return { value: result.data };
  const found = problemsOf(result.error.issues, resolved, schema, engineKeys);
  problems.push(...found);
  return found.length > 0 ? undefined : { value: plainOf(resolved) };
}
