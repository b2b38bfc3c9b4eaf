/** Options of a connection's HTTP client. */
export interface HttpClientOptions {
  readonly baseUrl: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whole call with its repeats, in milliseconds; 30,000 unless told. The engine's leases are longer than this. */
  readonly timeoutMs?: number;
  /** Largest answer taken, in bytes; 10 MiB unless told. */
  readonly maxResponseBytes?: number;
  /** Sockets kept open to the host; 64 unless told. */
  readonly maxSockets?: number;
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Relative to `baseUrl`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Statuses outside 2xx that the caller handles itself instead of getting an error, such as 404. */
  readonly accept?: readonly number[];
}

export interface HttpResponse<T = unknown> {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON; undefined for an empty body. */
  readonly body: T;
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
  readonly close: () => void;
}
