import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import { AppError } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { toFault } from "./fault.ts";

/** One connection, used by one writer or reader at a time. Its faults are errors of the catalogue; after an abort, the signal's own reason. */
export interface Session {
  readonly query: <R extends object>(text: string, values?: readonly unknown[]) => Promise<readonly R[]>;
  /** Begins the transaction that `transaction` then ends; does nothing where it has begun. */
  readonly begin: () => Promise<void>;
  /** Undoes what was begun. */
  readonly rollback: () => Promise<void>;
  /** Runs the statements in one transaction; all of it is undone when one throws. */
  readonly transaction: <T>(run: () => Promise<T>) => Promise<T>;
  /** Sends CSV, in chunks, to a `COPY … FROM STDIN` and gives back how many rows were taken. */
  readonly copyIn: (text: string, csv: readonly Buffer[]) => Promise<number>;
  /** What a `COPY … TO STDOUT` gives, piece by piece. */
  readonly copyOut: (text: string) => AsyncIterable<Buffer>;
  /** Never throws. */
  readonly close: () => Promise<void>;
}

/** Connects. The session ends when the signal is aborted, whatever it is at, and PostgreSQL undoes what was not committed. */
export async function openSession(config: Config, signal: AbortSignal): Promise<Session> {
  signal.throwIfAborted();
  const client = createClient(config);
  // A connection that ends while nobody waits for it is found out by the next statement.
  client.on("error", () => undefined);
  const sever = (): void => void client.connection.stream.destroy();
  signal.addEventListener("abort", sever);
  const guarded = async <T>(run: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    try {
      return await run();
    } catch (error) {
      throw toFault(error, signal);
    }
  };
  const session = createSession(client, guarded, signal);
  const close = async (): Promise<void> => {
    signal.removeEventListener("abort", sever);
    await client.end().catch(() => undefined);
  };
  try {
    await guarded(() => client.connect());
    await session.query(
      "SELECT set_config('datestyle', 'ISO, YMD', false), set_config('timezone', 'UTC', false)",
    );
    // So that a merge does not go on for a process that is gone; not every system can tell.
    await session.query("SET client_connection_check_interval = '5s'").catch(() => signal.throwIfAborted());
    return { ...session, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function createClient({ url, statementTimeoutSeconds, lockTimeoutSeconds }: Config): pg.Client {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, Number);
  try {
    return new pg.Client({
      connectionString: url,
      application_name: "deskbridge export",
      types,
      statement_timeout: statementTimeoutSeconds * 1000,
      query_timeout: statementTimeoutSeconds * 1000 + 5000,
      lock_timeout: lockTimeoutSeconds * 1000,
      connectionTimeoutMillis: 15_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
  } catch {
    // The driver's words may hold the address, and with it the password.
    throw new AppError(
      "config_invalid",
      "The `url` of the connection cannot be read as an address of PostgreSQL.",
    );
  }
}

type Copy = ReturnType<typeof copyTo> & { callback?: () => void };

function createSession(
  client: pg.Client,
  guarded: <T>(run: () => Promise<T>) => Promise<T>,
  signal: AbortSignal,
): Omit<Session, "close"> {
  const query: Session["query"] = <R extends object>(text: string, values: readonly unknown[] = []) =>
    guarded(async () => (await client.query<R>(text, [...values])).rows);
  const turn = createTurn(client, query);
  return {
    query,
    ...turn,
    copyIn: (text, csv) =>
      guarded(async () => {
        const copy = client.query(copyFrom(text));
        for (const chunk of csv) copy.write(chunk);
        copy.end();
        await finished(copy);
        return copy.rowCount;
      }),
    async *copyOut(text) {
      signal.throwIfAborted();
      const copy: Copy = client.query(copyTo(text));
      try {
        for await (const chunk of Readable.from(copy)) yield chunk as Buffer;
      } catch (error) {
        throw toFault(error, signal);
      } finally {
        // The driver waits with its timeout for a call that a copy never makes, and a process for the timeout.
        copy.callback?.();
      }
    },
  };
}

/** The transactions of a session, one at a time. */
function createTurn(
  client: pg.Client,
  query: Session["query"],
): Pick<Session, "begin" | "rollback" | "transaction"> {
  let hasBegun = false;
  const begin = async (): Promise<void> => {
    if (!hasBegun) await query("BEGIN");
    hasBegun = true;
  };
  const rollback = async (): Promise<void> => {
    // Where the connection is gone there is nothing to undo.
    if (hasBegun) await client.query("ROLLBACK").catch(() => undefined);
    hasBegun = false;
  };
  return {
    begin,
    rollback,
    transaction: async (run) => {
      await begin();
      try {
        const result = await run();
        await query("COMMIT");
        hasBegun = false;
        return result;
      } catch (error) {
        await rollback();
        throw error;
      }
    },
  };
}
