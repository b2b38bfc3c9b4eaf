import { pino } from "pino";
import type { ConnectorContext } from "../connector.ts";
import { createHttpClient } from "../http-client.ts";
import type { HttpClient } from "../http.ts";

export interface TestContext extends ConnectorContext {
  /** Aborts `signal` and closes the HTTP clients that were made. */
  readonly close: () => void;
}

/** What the engine lends to a connection, for tests: a silent log, the real HTTP client with short pauses, the clock given or the real one. */
export function createTestContext(
  overrides: Partial<Pick<ConnectorContext, "connection" | "logger" | "now">> = {},
): TestContext {
  const abort = new AbortController();
  const clients: HttpClient[] = [];
  const now = overrides.now ?? Date.now;
  return {
    connection: overrides.connection ?? "test",
    logger: overrides.logger ?? pino({ level: "silent" }),
    now,
    signal: abort.signal,
    http: (options) => {
      const client = createHttpClient(options, { now, retryDelayMs: 1 });
      clients.push(client);
      return client;
    },
    close: () => {
      abort.abort();
      for (const client of clients) client.close();
    },
  };
}
