/** Options of a connection's HTTP client. */
export interface HttpClientOptions {
  readonly baseUrl: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Whole call with its repeats, in milliseconds; 30,000 unless told. The engine's leases are longer than this. Waiting for the account's
   * rate budget comes before and does not count.
   */
  readonly timeoutMs?: number;
  /** Largest answer taken, in bytes; 10 MiB unless told. */
  readonly maxResponseBytes?: number;
  /** Sockets kept open to the host; 64 unless told. */
  readonly maxSockets?: number;
  /** How this client's calls count on the account's rate limit; one each unless told. Says nothing when the connection has no limit. */
  readonly budget?: HttpBudget;
}

/** What a vendor's answer says about its limit. What is absent was not said. */
export interface RateReading {
  /** Calls that the account takes in a window. */
  readonly limit?: number;
  /** Calls that it takes still. */
  readonly remaining?: number;
  /** Until the window begins anew, in milliseconds. */
  readonly resetMs?: number;
  /** For how long nothing may be sent, in milliseconds. 0 for a 429 that is not about the account as a whole. */
  readonly retryAfterMs?: number;
}

/** As much of an answer as a reader of limits needs. Header names are in lower case. */
export interface RateAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads the vendor's headers; undefined when they say nothing. `now` is in milliseconds since the epoch. Must not throw. */
export type RateReader = (answer: RateAnswer, now: number) => RateReading | undefined;

/** How the calls of a client count on the rate limit of its account. */
export interface HttpBudget {
  /** How much a request weighs, 1 unless told; 0 for one that the vendor does not count, such as asking for a token. */
  readonly weight?: (request: HttpRequest) => number;
  /** A 429 closes the account for its `Retry-After` with or without a reader. */
  readonly read?: RateReader;
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Relative to `baseUrl`; empty for that address itself. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; `URLSearchParams` as a form, a `Buffer` as it is, under the caller's own `content-type`. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Statuses outside 2xx that the caller handles itself instead of getting an error, such as 404. */
  readonly accept?: readonly number[];
  /** What a 2xx may say: `json`, unless told, or `any`, so that only its status counts; its body is then undefined where it is no JSON. */
  readonly answer?: "json" | "any";
}

export interface HttpResponse<T = unknown> {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON; undefined for an empty body. */
  readonly body: T;
}

export interface HttpStreamRequest extends HttpRequest {
  readonly method: "GET";
  /** How long the target may send nothing while it is waited for, in milliseconds; `timeoutMs` of the client unless told. There is no limit to the whole. */
  readonly silenceMs?: number;
}

/** An answer that is read as it arrives. */
export interface HttpStream {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The bytes, once: to be read, or its iterator returned, else the connection stays open. Nothing is read ahead. Ends only where the answer does: one
   * that breaks off throws `target_protocol`, one that is silent for too long `target_timeout`, an aborted one the signal's own reason.
   */
  readonly body: AsyncIterable<Buffer>;
}

/**
 * Calls a vendor over HTTP with JSON. Errors are `AppError`s classified by status: 401 and 403 `target_unauthorized`, 404 and 410
 * `target_not_found`, 409 and 412 `target_conflict`, 429 `target_rate_limited` with `retryAfterMs`, other 4xx `target_rejected`,
 * 5xx and network faults `target_unavailable`, 408 and no complete answer in time `target_timeout`, a redirect and an answer that is not
 * JSON, is cut off or too large `target_protocol`. When `signal` is aborted the call fails with the signal's own reason, never with one of these.
 * GET requests are repeated up to twice on `target_unavailable` and `target_protocol` while there is time; writes are never repeated here.
 */
export interface HttpClient {
  readonly request: <T = unknown>(request: HttpRequest) => Promise<HttpResponse<T>>;
  /** An answer of any size and type as a stream. Up to its first byte it is like any other call: classified, repeated, within the budget. */
  readonly stream: (request: HttpStreamRequest) => Promise<HttpStream>;
  readonly close: () => void;
}
