import { Readable } from "node:stream";
import type { ClickHouseClient } from "@clickhouse/client";
import type { Config } from "./config.ts";
import { toFault } from "./fault.ts";

/** A ClickHouse server. Errors are those of the catalogue; after an abort the signal's own reason. */
export interface Server {
  readonly query: <R extends object>(
    sql: string,
    values?: Readonly<Record<string, unknown>>,
  ) => Promise<readonly R[]>;
  /** A statement that gives nothing back. */
  readonly run: (sql: string, values?: Readonly<Record<string, unknown>>) => Promise<void>;
  /** An `INSERT … FORMAT CSV`, with its rows as `RowBatch.csv` gives them. */
  readonly insertCsv: (sql: string, csv: Buffer) => Promise<void>;
  /** What a query gives as CSV of the same kind. */
  readonly readCsv: (sql: string, values?: Readonly<Record<string, unknown>>) => AsyncIterable<Buffer>;
  /** Never throws. */
  readonly close: () => Promise<void>;
}

/** How the CSV of row batches is read: nothing is trimmed or guessed, an empty field is null, and no text stands for null. */
const csvSettings = {
  format_csv_null_representation: "<no text stands for null>",
  format_csv_allow_single_quotes: 0,
  input_format_csv_trim_whitespaces: 0,
  input_format_csv_empty_as_default: 1,
  date_time_input_format: "best_effort",
} as const;

export async function openServer(config: Config, signal: AbortSignal): Promise<Server> {
  signal.throwIfAborted();
  // The driver is needed by those only who have a ClickHouse.
  const { ClickHouseLogLevel, createClient } = await import("@clickhouse/client");
  const client = createClient({
    url: config.url,
    username: config.username,
    password: config.password,
    request_timeout: config.timeoutSeconds * 1000,
    compression: { request: false, response: false },
    // Errors are told where they are thrown to.
    log: { level: ClickHouseLogLevel.OFF },
    application: "deskbridge",
  });
  return createServer(client, signal);
}

function createServer(client: ClickHouseClient, signal: AbortSignal): Server {
  const guarded = async <T>(run: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    try {
      return await run();
    } catch (error) {
      throw toFault(error, signal);
    }
  };
  const base = { abort_signal: signal };
  return {
    query: <R extends object>(query: string, values = {}) =>
      guarded(async () => {
        const settings = { output_format_json_quote_64bit_integers: 0 } as const;
        const request = {
          ...base,
          query,
          query_params: values,
          format: "JSONEachRow",
          clickhouse_settings: settings,
        } as const;
        return await (await client.query(request)).json<R>();
      }),
    run: (query, values = {}) =>
      guarded(async () => void (await client.command({ ...base, query, query_params: values }))),
    insertCsv: (query, csv) =>
      guarded(async () => {
        const values = Readable.from([csv], { objectMode: false });
        const { stream } = await client.exec({ ...base, query, values, clickhouse_settings: csvSettings });
        // Until the answer has been read the connection is not free, and the statement not over.
        for await (const _chunk of stream) continue;
      }),
    async *readCsv(query, values = {}) {
      signal.throwIfAborted();
      const clickhouse_settings = { format_csv_null_representation: "" } as const;
      try {
        const { stream } = await client.exec({
          ...base,
          query: `${query} FORMAT CSV`,
          query_params: values,
          clickhouse_settings,
        });
        for await (const chunk of stream) yield chunk as Buffer;
      } catch (error) {
        throw toFault(error, signal);
      }
    },
    close: () => client.close().catch(() => undefined),
  };
}
