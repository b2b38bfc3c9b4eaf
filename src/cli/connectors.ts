import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { z } from "zod";
import { loadConfig } from "../config/load.ts";
import { openSetup } from "../jobs/connections.ts";
import type { Registry } from "../registry/registry.ts";
import type { Connection, ConnectorDefinition } from "../sdk/connector.ts";
import { addConfigOption, addJsonOption, groups } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { commandLogger, printJson, printLine, registryOf, secretPlaceholder } from "./context.ts";
import { countOf, formatTable } from "./table.ts";

/** What an open connection offers. */
export interface Capabilities {
  readonly webhook: boolean;
  readonly enrich: boolean;
  readonly check: boolean;
  readonly sources: readonly string[];
  /** Operations of its desk. */
  readonly operations: readonly string[];
}

/** An installed connector. */
export interface InstalledConnector {
  readonly name: string;
  readonly description: string;
  readonly settings: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly description: string;
  }[];
  /** Only an open connection can tell: null for a connector that neither the configuration nor an example uses. */
  readonly offers: Capabilities | null;
}

type ConnectorsOptions = Pick<CommonOptions, "config" | "json">;

/** `connectors`: what `use:` may name. */
export function addConnectorsVerb(program: Command, context: CliContext): void {
  const command = program
    .command("connectors")
    .description("the connectors that are installed, their settings, and what they offer")
    .helpGroup(groups.configure);
  addJsonOption(addConfigOption(command)).action(async (options: ConnectorsOptions) => {
    const registry = registryOf(context);
    const offers = await findOffers(registry, context, options.config);
    const connectors: InstalledConnector[] = [];
    for (const name of await registry.names()) {
      const definition = await registry.get(name);
      const { description } = definition;
      connectors.push({
        name,
        description,
        settings: settingsOf(definition),
        offers: offers.get(name) ?? null,
      });
    }
    if (options.json === true) printJson(context, connectors);
    else printLine(context, connectorTable(connectors, context.stdout.columns));
  });
}

/**
 * What connectors offer can be asked of open connections only: of those in the configuration, and for connectors that it does not use of those
 * in the examples. Opening one calls nobody, so placeholders do for their secrets.
 */
async function findOffers(
  registry: Registry,
  context: CliContext,
  path: string,
): Promise<ReadonlyMap<string, Capabilities>> {
  const offers = new Map<string, Capabilities>();
  for (const configuration of [path, ...(await examplePaths())]) {
    for (const [name, capabilities] of await offersOf(configuration, registry, context)) {
      if (!offers.has(name)) offers.set(name, capabilities);
    }
  }
  return offers;
}

async function examplePaths(): Promise<readonly string[]> {
  const folder = fileURLToPath(new URL("../../config/examples/", import.meta.url));
  const files = await readdir(folder).catch(() => []);
  return files.toSorted().map((file) => join(folder, file));
}

async function offersOf(
  path: string,
  registry: Registry,
  context: CliContext,
): Promise<readonly (readonly [connector: string, capabilities: Capabilities])[]> {
  try {
    const env = context.variables;
    const result = await loadConfig({ path, registry, env, placeholder: secretPlaceholder });
    if (!result.ok) return [];
    const setup = await openSetup(
      { ...result.config, flows: [] },
      {
        registry,
        logger: commandLogger(context, result.config.secrets),
        now: Date.now,
        builtIn: { url: "http://127.0.0.1", apiKey: secretPlaceholder },
      },
    );
    const connections = [...setup.connections.values()];
    await setup.close();
    return connections.map(({ config, connection }) => [config.use, capabilitiesOf(connection)] as const);
  } catch {
    // What is wrong with a configuration is for `check` to say: the list is good without it.
    return [];
  }
}

function capabilitiesOf(connection: Connection): Capabilities {
  return {
    webhook: connection.webhook !== undefined,
    enrich: connection.enrich !== undefined,
    check: connection.check !== undefined,
    sources: Object.keys(connection.sources ?? {}),
    operations: Object.keys(connection.desk?.operations ?? {}),
  };
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>;
  readonly required?: readonly string[];
}

function settingsOf({ config }: ConnectorDefinition): InstalledConnector["settings"] {
  const schema = z.toJSONSchema(config, { io: "input", unrepresentable: "any" }) as ObjectSchema;
  return Object.entries(schema.properties ?? {}).map(([name, { description = "" }]) => ({
    name,
    required: schema.required?.includes(name) === true,
    description,
  }));
}

/** The connectors for people; settings that must be given are marked with a star. */
export function connectorTable(connectors: readonly InstalledConnector[], width: number | undefined): string {
  const rows = connectors.map(({ name, description, settings, offers }) => [
    name,
    description,
    settings.map((setting) => (setting.required ? `${setting.name}*` : setting.name)).join(" "),
    offers === null ? "-" : offersText(offers),
  ]);
  return formatTable(
    [
      { title: "connector" },
      ...["what it is", "settings (* needed)", "offers"].map((title) => ({ title, long: true })),
    ],
    rows,
    width,
  );
}

function offersText({ webhook, enrich, check, sources, operations }: Capabilities): string {
  const parts = [
    ...(webhook ? ["webhook"] : []),
    ...(sources.length > 0 ? [`sources ${sources.join(", ")}`] : []),
    ...(enrich ? ["enrich"] : []),
    ...(operations.length > 0 ? [`desk of ${countOf(operations.length, "operation")}`] : []),
    ...(check ? ["check"] : []),
  ];
  return parts.join("; ");
}
