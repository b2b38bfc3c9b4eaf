import type { Row } from "deskbridge/sdk";
import type { Connection, ConnectionOptions } from "snowflake-sdk";
import type { Config } from "./config.ts";
import { toFault } from "./fault.ts";

/** A session of the service, for one run. */
export interface Session {
  readonly ask: (sql: string, values?: readonly (string | number | null)[]) => Promise<Row[]>;
  /** Never throws. */
  readonly close: () => Promise<void>;
}

const silent = () => undefined;

/** The driver is large and needed by those only who have a Snowflake. */
async function loadDriver() {
  const { default: driver } = await import("snowflake-sdk");
  driver.configure({
    // Its log would be a file of its own, with statements in it.
    logLevel: "OFF",
    customLogger: { error: silent, warn: silent, info: silent, debug: silent, trace: silent },
    // Certificates are checked by Node.js; this would ask their issuers in plain HTTP, and go on without an answer.
    disableOCSPChecks: true,
    // Its own parser evaluates what is not JSON.
    jsonColumnVariantParser: (text: string) => JSON.parse(text) as unknown,
  });
  return driver;
}

/** Signs in. Values of all sessions are written and read the same, whatever the account's own settings are. */
export async function openSession(config: Config, signal: AbortSignal): Promise<Session> {
  signal.throwIfAborted();
  const driver = await loadDriver();
  try {
    const connection = driver.createConnection({ ...optionsOf(config), ...credentialOf(config) });
    await signIn(connection);
    const session = createSession(connection, signal);
    try {
      await session.ask(
        `ALTER SESSION SET TIMEZONE = 'UTC' DATE_INPUT_FORMAT = 'AUTO' TIMESTAMP_INPUT_FORMAT = 'AUTO' STRICT_JSON_OUTPUT = TRUE QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE STATEMENT_TIMEOUT_IN_SECONDS = ${config.timeoutSeconds}`,
      );
    } catch (error) {
      await session.close();
      throw error;
    }
    return session;
  } catch (error) {
    throw toFault(error, signal);
  }
}

/** The driver tells what went wrong to the callback alone. */
function signIn(connection: Connection): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  connection.connectAsync((error) => (error ? reject(error) : resolve())).catch(reject);
  return promise;
}

function optionsOf({ account, username, role, warehouse, database, apiUrl }: Config): ConnectionOptions {
  return {
    account,
    username,
    warehouse,
    database,
    ...(role === undefined ? {} : { role }),
    ...(apiUrl === undefined ? {} : { accessUrl: apiUrl.replace(/\/$/, "") }),
    application: "deskbridge",
    clientSessionKeepAlive: false,
    clientStoreTemporaryCredential: false,
    // A run that cannot sign in is tried again by its schedule.
    sfRetryMaxLoginRetries: 2,
  };
}

function credentialOf({ privateKey, token, password }: Config): ConnectionOptions {
  if (privateKey !== undefined) return { authenticator: "SNOWFLAKE_JWT", privateKey };
  return token === undefined
    ? { authenticator: "SNOWFLAKE", password: password ?? "" }
    : { authenticator: "PROGRAMMATIC_ACCESS_TOKEN", token };
}

function createSession(connection: Connection, signal: AbortSignal): Session {
  const ask: Session["ask"] = async (sqlText, values = []) => {
    signal.throwIfAborted();
    try {
      return await execute(connection, { sqlText, binds: [...values] }, signal);
    } catch (error) {
      throw toFault(error, signal);
    }
  };
  return {
    ask,
    close: () =>
      new Promise((resolve) => {
        try {
          connection.destroy(() => resolve());
        } catch {
          resolve();
        }
      }),
  };
}

interface Statement {
  readonly sqlText: string;
  readonly binds: (string | number | null)[];
}

function execute(connection: Connection, { sqlText, binds }: Statement, signal: AbortSignal): Promise<Row[]> {
  const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
  const statement = connection.execute({
    sqlText,
    // The driver takes binds that are there for a statement with binds.
    ...(binds.length === 0 ? {} : { binds }),
    complete: (error, _statement, rows) => {
      if (error) reject(error);
      else resolve((rows ?? []) as Row[]);
    },
  });
  const stop = (): void => {
    statement.cancel(() => undefined);
    reject(signal.reason as Error);
  };
  signal.addEventListener("abort", stop, { once: true });
  return promise.finally(() => signal.removeEventListener("abort", stop));
}
