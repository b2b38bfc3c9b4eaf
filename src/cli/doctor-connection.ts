import type { Config, ConnectionConfig } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";
import { toAppError } from "../errors.ts";
import { openSetup } from "../jobs/connections.ts";
import type { Registry } from "../registry/registry.ts";
import type { Connection } from "../sdk/connector.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Finding } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";

interface ExamineOptions {
  readonly config: Config;
  readonly environment: Environment;
  readonly registry: Registry;
  readonly logger: Logger;
}

const checkWithinMs = 20_000;

/** Opens each connection by itself and has it check its credential and its hooks; one that fails does not hide the others. */
export async function examineConnections(options: ExamineOptions): Promise<readonly Finding[]> {
  const all = [...options.config.connections.values()];
  const findings = await Promise.all(all.map((connection) => examineConnection(connection, options)));
  return findings.flat();
}

async function examineConnection(
  connection: ConnectionConfig,
  options: ExamineOptions,
): Promise<readonly Finding[]> {
  const { config, registry, logger, environment } = options;
  const title = `connection ${connection.name}`;
  try {
    const setup = await openSetup(
      // What goes between connections cannot be looked at with one of them open.
      { ...config, connections: new Map([[connection.name, connection]]), flows: [], exports: [] },
      { registry, logger, now: Date.now, builtIn: builtInDesk(config, environment) },
    );
    try {
      const opened = setup.connections.get(connection.name)?.connection ?? {};
      if (usesUnknownKey(connection, environment)) {
        return [ok(title, "the built-in desk; set DESKBRIDGE_API_KEY to have its key checked too")];
      }
      return await runCheck(title, opened);
    } finally {
      await setup.close();
    }
  } catch (error) {
    const { code, message } = toAppError(error);
    return [failed(title, `${code}: ${message}`)];
  }
}

async function runCheck(title: string, connection: Connection): Promise<readonly Finding[]> {
  if (connection.check === undefined) return [ok(title, "opens; its connector has no check of its own")];
  const results = await connection.check(AbortSignal.timeout(checkWithinMs));
  if (results.length === 0) return [warning(title, "opens; its check found nothing to look at")];
  return results.map((result) => {
    const name = `${title}: ${result.name}`;
    return result.ok ? ok(name, result.detail) : failed(name, result.detail);
  });
}

/** Where the desk of this installation answers, as far as a process beside it can know. */
export function deskUrl(config: Config, environment: Environment): string {
  return environment.deskUrl ?? `http://127.0.0.1:${config.server.port}`;
}

function builtInDesk(
  config: Config,
  environment: Environment,
): { readonly url: string; readonly apiKey: string } {
  return { url: deskUrl(config, environment), apiKey: environment.apiKey ?? "unknown" };
}

/** A running deskbridge without a key of the operator's has one that nobody else knows: there is nothing to check it with. */
function usesUnknownKey({ use, settings }: ConnectionConfig, { apiKey }: Environment): boolean {
  const isBuiltIn = use === "deskbridge" && (settings as { readonly apiKey?: string }).apiKey === undefined;
  return isBuiltIn && apiKey === undefined;
}
