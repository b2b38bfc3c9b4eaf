import type { Logger } from "pino";
import { checkTargets } from "../config/targets.ts";
import type { Config, ConnectionConfig } from "../config/config.ts";
import { refusalOf } from "../effects/effects.ts";
import { AppError } from "../errors.ts";
import { formatProblem } from "../flows/located.ts";
import type { Registry } from "../registry/registry.ts";
import type { ConnectorContext } from "../sdk/connector.ts";
import { createHttpClient } from "../sdk/http-client.ts";
import type { HttpClient } from "../sdk/http.ts";
import type { OpenConnection, Setup } from "./engine.ts";

interface OpenOptions {
  readonly registry: Registry;
  readonly logger: Logger;
  readonly now: () => number;
  /** What a connection to the built-in desk uses when its configuration names no address and no key. */
  readonly builtIn: { readonly url: string; readonly apiKey: string } | undefined;
}

/** A setup and the way to let go of it. */
export interface OpenSetup extends Setup {
  /** Closes every connection; calls under way are aborted. */
  readonly close: () => Promise<void>;
}

/** The connector whose connections fall back on the desk in this process. */
const builtInConnector = "deskbridge";

/** Opens every configured connection and checks that each flow's target can do what the flow asks. Closes what it opened when one fails. */
export async function openSetup(config: Config, options: OpenOptions): Promise<OpenSetup> {
  const closers: (() => Promise<void>)[] = [];
  const connections = new Map<string, OpenConnection>();
  const close = async (): Promise<void> => {
    await Promise.allSettled(closers.map((closer) => closer()));
  };
  try {
    for (const connectionConfig of config.connections.values()) {
      const { opened, closer } = await openConnection(connectionConfig, options);
      connections.set(connectionConfig.name, opened);
      closers.push(closer);
    }
    const problems = [
      ...checkTargets(config, (name) => connections.get(name)?.connection),
      ...refusedTargets(config, connections),
    ];
    if (problems.length > 0) {
      throw new AppError("config_invalid", problems.join("\n"), { details: { problems } });
    }
  } catch (error) {
    await close();
    throw error;
  }
  const flows = new Map(config.flows.map((flow) => [flow.name, flow]));
  return { config, connections, flows, close };
}

function refusedTargets(config: Config, connections: ReadonlyMap<string, OpenConnection>): readonly string[] {
  return config.flows.flatMap((flow) => {
    const desk = connections.get(flow.target)?.connection.desk;
    const refusal = desk === undefined ? undefined : refusalOf(desk, []);
    if (refusal === undefined) return [];
    const message = `the target \`${flow.target}\` ${refusal}`;
    return [formatProblem({ position: flow.position, path: `flows.${flow.name}`, message })];
  });
}

async function openConnection(
  config: ConnectionConfig,
  { registry, logger, now, builtIn }: OpenOptions,
): Promise<{ opened: OpenConnection; closer: () => Promise<void> }> {
  const definition = await registry.get(config.use);
  const abort = new AbortController();
  const clients: HttpClient[] = [];
  const context: ConnectorContext = {
    connection: config.name,
    logger: logger.child({ connection: config.name }),
    now,
    signal: abort.signal,
    http: (httpOptions) => {
      const client = createHttpClient(httpOptions, { now });
      clients.push(client);
      return client;
    },
  };
  const settings =
    config.use === builtInConnector && builtIn !== undefined
      ? { ...builtIn, ...(config.settings as object) }
      : config.settings;
  const connection = await definition.open(settings, context);
  const closer = async (): Promise<void> => {
    abort.abort();
    await connection.close?.();
    for (const client of clients) client.close();
  };
  return { opened: { config, connection }, closer };
}
