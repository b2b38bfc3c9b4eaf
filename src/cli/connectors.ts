import type { Command } from "commander";
import { z } from "zod";
import { loadConfig } from "../config/load.ts";
import { openSetup } from "../jobs/connections.ts";
import type { Registry } from "../registry/registry.ts";
import type { Connection, ConnectorDefinition } from "../sdk/connector.ts";
import { addConfigOption, addJsonOption, groups } from "./argument.ts";
import type { CliContext, CommonOptions } from "./context.ts";
import { commandLogger, printJson, printLine, registryOf } from "./context.ts";
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
  /** Only an open connection can tell: null for a connector that the configuration does not use. */
  readonly offers: Capabilities | null;
}

type ConnectorsOptions = Pick<CommonOptions, "config" | "json">;

/** `connectors`: what `use:` may name. */
export function addConnectorsVerb(program: Command, context: CliContext): void {
  const command = program
    .command("connectors")
    .description("the connectors that are installed, their settings, and what those in use offer")
    .helpGroup(groups.configure);
  addJsonOption(addConfigOption(command)).action(async (options: ConnectorsOptions) => {
    const registry = registryOf(context);
    const offers = await offersInUse(registry, context, options.config);
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

/** Opens the connections of the configuration, as far as it is right, and asks each what it offers. */
async function offersInUse(
  registry: Registry,
  context: CliContext,
  path: string,
): Promise<ReadonlyMap<string, Capabilities>> {
  const offers = new Map<string, Capabilities>();
  const builtIn = { url: "http://127.0.0.1", apiKey: "unused" };
  try {
    const result = await loadConfig({ path, registry, env: context.variables });
    if (!result.ok) return offers;
    const logger = commandLogger(context, result.config.secrets);
    const setup = await openSetup(
      { ...result.config, flows: [] },
      { registry, logger, now: Date.now, builtIn },
    );
    for (const { config, connection } of setup.connections.values()) {
      offers.set(config.use, capabilitiesOf(connection));
    }
    await setup.close();
  } catch {
    // What is wrong with the configuration is for `check` to say: the list is good without it.
  }
  return offers;
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
