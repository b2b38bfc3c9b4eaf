import { pino } from "pino";
import type { ConnectorContext } from "../connector.ts";
import { createHttpClient } from "../http-client.ts";
import type { HttpClient } from "../http.ts";
import { createSharedToken, createTokenMemory } from "../token.ts";
import type { TokenStore } from "../token.ts";

export interface TestContext extends ConnectorContext {
  /** Aborts `signal` and closes the HTTP clients that were made. */
  readonly close: () => void;
}

/** What the engine lends to a connection, for tests: a silent log, the real HTTP client with short pauses, the clock given or the real one. */
export function createTestContext(
  overrides: Partial<Pick<ConnectorContext, "connection" | "logger" | "now">> & {
    /** Shared by the contexts that stand for processes of one deskbridge; one of its own unless given. */
    readonly tokens?: TokenStore;
  } = {},
): TestContext {
  const abort = new AbortController();
  const clients: HttpClient[] = [];
  const now = overrides.now ?? Date.now;
  const store = overrides.tokens ?? createTokenMemory();
  return {
    connection: overrides.connection ?? "test",
    logger: overrides.logger ?? pino({ level: "silent" }),
    now,
    signal: abort.signal,
    token: (source) => createSharedToken({ source, store, now }),
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
