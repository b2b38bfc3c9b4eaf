import { Pool, TypeOverrides } from "pg";

interface PoolSettings {
  /** Most connections. */
  readonly max: number;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  /** Server settings for every connection, such as `-c search_path=deskbridge`. */
  readonly options?: string;
  /** How long the server works on one statement, in milliseconds; 30,000 unless told, 0 for as long as it takes. */
  readonly statementTimeoutMs?: number;
  /** Called with every error of an idle connection; the pool replaces the connection by itself. */
  readonly onError: (error: Error) => void;
}

const int8 = 20;
const int8Array = 1016;

/** How much longer than the server we wait for an answer: only a connection that died without a word gets there. */
const graceMs = 5000;

/**
 * A pool of connections to PostgreSQL. 64-bit integers come as numbers (ours stay below 2^53). Does no I/O before its first use; the caller
 * ends it. A connection taken by hand is to be released with `true` when a statement on it failed.
 */
export function openPool(databaseUrl: string, settings: PoolSettings): Pool {
  const { max, applicationName, options, statementTimeoutMs = 30_000, onError } = settings;
  const types = new TypeOverrides();
  types.setTypeParser(int8, Number);
  types.setTypeParser(int8Array, parseIntegers);
  const pool = new Pool({
    connectionString: databaseUrl,
    max,
    application_name: applicationName,
    ...(options === undefined ? {} : { options }),
    types,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs === 0 ? 0 : statementTimeoutMs + graceMs,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // A server that is told to stop may cut off a session that we are ending ourselves.
  pool.on("error", (error) => {
    if (!pool.ending) onError(error);
  });
  // While a connection is taken out of the pool nobody else listens, and an unheard `error` ends the process. The statement under way
  // fails with the same error, so nothing is lost by not looking at it here.
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

/** A one-dimensional array of integers in PostgreSQL's text form, `{1,2}`. */
function parseIntegers(text: string): number[] {
  return text === "{}" ? [] : text.slice(1, -1).split(",").map(Number);
}
