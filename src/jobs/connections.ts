import type { Logger } from "pino";
import { checkTargets } from "../config/targets.ts";
import type { Config, ConnectionConfig } from "../config/config.ts";
import { refusalOf } from "../effects/effects.ts";
import { AppError } from "../errors.ts";
import { formatProblem } from "../flows/located.ts";
import type { Budget, BudgetLimit } from "../queue/budget.ts";
import type { Registry } from "../registry/registry.ts";
import type { CallGate } from "../sdk/call-gate.ts";
import type { ConnectorContext } from "../sdk/connector.ts";
import { createHttpClient } from "../sdk/http-client.ts";
import type { HttpClient } from "../sdk/http.ts";
import { createSharedToken, createTokenMemory } from "../sdk/token.ts";
import type { TokenStore } from "../sdk/token.ts";
import type { OpenConnection, Setup } from "./engine.ts";

interface OpenOptions {
  readonly registry: Registry;
  readonly logger: Logger;
  readonly now: () => number;
  /** What a connection to the built-in desk uses when its configuration names no address and no key. */
  readonly builtIn: { readonly url: string; readonly apiKey: string } | undefined;
  /** Counts the calls of connections that have a rate limit; without it, as for a command that looks at something once, nobody does. */
  readonly budget?: Budget;
  /** Where access tokens are shared; without it each process keeps its own. */
  readonly tokens?: (connection: string) => TokenStore;
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
  for (const [account, limit] of limitsOf(connections)) options.budget?.setLimit(account, limit);
  const flows = new Map(config.flows.map((flow) => [flow.name, flow]));
  return { config, connections, flows, close };
}

/**
 * The account on which a connection's calls are counted, undefined when it has no rate limit. It has the connection's name, unless the
 * connector knows that several connections share one.
 */
export function budgetAccount({ config, connection }: OpenConnection): string | undefined {
  const declared = connection.rateLimit;
  if (config.rateLimit === undefined && declared === undefined) return undefined;
  return declared?.account === undefined ? config.name : `${config.use}:${declared.account}`;
}

/** Of several connections to an account the slowest sets its limit. */
function limitsOf(connections: ReadonlyMap<string, OpenConnection>): ReadonlyMap<string, BudgetLimit> {
  const limits = new Map<string, BudgetLimit>();
  for (const opened of connections.values()) {
    const account = budgetAccount(opened);
    const { config, connection } = opened;
    const limit = config.rateLimit ?? connection.rateLimit;
    if (account === undefined || limit === undefined) continue;
    const { calls, perSeconds } = limit;
    const other = limits.get(account);
    if (other !== undefined && other.calls / other.perSeconds <= calls / perSeconds) continue;
    limits.set(account, { calls, perSeconds, ceiling: config.rateLimit !== undefined });
  }
  return limits;
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
  { registry, logger, now, builtIn, budget, tokens }: OpenOptions,
): Promise<{ opened: OpenConnection; closer: () => Promise<void> }> {
  const definition = await registry.get(config.use);
  const abort = new AbortController();
  const clients: HttpClient[] = [];
  // Only the open connection can tell whether it has a limit; it makes no calls before.
  let gate: CallGate | undefined;
  const store = tokens?.(config.name) ?? createTokenMemory();
  const context: ConnectorContext = {
    connection: config.name,
    logger: logger.child({ connection: config.name }),
    now,
    signal: abort.signal,
    token: (source) => createSharedToken({ source, store, now }),
    http: (httpOptions) => {
      const client = createHttpClient(httpOptions, { now, gate: () => gate });
      clients.push(client);
      return client;
    },
  };
  const settings =
    config.use === builtInConnector && builtIn !== undefined
      ? { ...builtIn, ...(config.settings as object) }
      : config.settings;
  const connection = await definition.open(settings, context);
  const opened: OpenConnection = { config, connection };
  const account = budgetAccount(opened);
  if (account !== undefined) gate = budget?.gate(account);
  const closer = async (): Promise<void> => {
    abort.abort();
    await connection.close?.();
    for (const client of clients) client.close();
  };
  return { opened, closer };
}
