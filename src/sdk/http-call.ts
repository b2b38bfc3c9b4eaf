import type { AxiosResponse, GenericAbortSignal, InternalAxiosRequestConfig } from "axios";
import { AxiosHeaders, isAxiosError } from "axios";
import { AppError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import type { CallGate } from "./call-gate.ts";
import type { HttpBudget, HttpRequest } from "./http.ts";
import { callFault, statusFault, stringsIn } from "./http-fault.ts";
import type { CallFacts } from "./http-fault.ts";
import { parseJsonBody } from "./json.ts";

/** One call as it ended, for metrics: `code` is absent when it succeeded, `status` when no answer came. */
export interface HttpCall extends CallFacts {
  readonly status: number | undefined;
  readonly code: ErrorCode | "aborted" | undefined;
  readonly durationMs: number;
}

export interface HttpClientDeps {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly userAgent?: string;
  /** Called once an attempt on the wire. */
  readonly onCall?: (call: HttpCall) => void;
  /** Pause before the first repeat of a GET, doubled for the next; 250 unless told. */
  readonly retryDelayMs?: number;
  /** The rate budget that every attempt waits for; asked anew each time, undefined for an account without a limit. */
  readonly gate?: () => CallGate | undefined;
}

/** What the calls of a client have in common. */
export interface CallSettings {
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly deps: HttpClientDeps;
  readonly budget: HttpBudget | undefined;
}

/** When a call must be over, on the clock of `performance.now()`. Moved on by the time spent waiting for budget. */
export interface Limit {
  deadline: number;
}

/** What is asked of axios for one call. */
export type CallConfig = Pick<InternalAxiosRequestConfig, "method" | "url" | "headers" | "data" | "signal">;

/** A request as axios takes it. */
export function callConfig(
  client: CallSettings,
  request: HttpRequest,
  signal: GenericAbortSignal,
): CallConfig {
  const headers = new AxiosHeaders({ ...client.headers, ...request.headers });
  const query = request.query === undefined ? "" : queryString(request.query);
  const path = request.path === "" || request.path.startsWith("/") ? request.path : `/${request.path}`;
  const config: CallConfig = {
    method: request.method,
    url: `${client.base}${path}${query}`,
    headers,
    signal,
  };
  if (request.body === undefined) return config;
  if (Buffer.isBuffer(request.body)) return { ...config, data: request.body };
  const isForm = request.body instanceof URLSearchParams;
  headers.setContentType(isForm ? "application/x-www-form-urlencoded" : "application/json", false);
  const text = isForm ? String(request.body) : JSON.stringify(request.body);
  return { ...config, data: Buffer.from(text) };
}

function queryString(query: NonNullable<HttpRequest["query"]>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.append(name, String(value));
  }
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}

/** The `AppError` of an answer outside 2xx; `data` is its body, or the beginning of it. */
export function refusalFault(
  client: CallSettings,
  request: HttpRequest,
  call: CallFacts,
  response: AxiosResponse<unknown>,
  data: Buffer,
): AppError {
  // Of a body that was sent as bytes it is not known what its texts are, so no words are kept that may quote them.
  const body = Buffer.isBuffer(request.body) ? undefined : parseAnswer(data);
  const hidden = [
    ...stringsIn(request.body),
    ...secretHeaderValues({ ...client.headers, ...request.headers }),
  ];
  const { status } = response;
  const answer = { status, headers: headersOf(response), body: body === notJson ? undefined : body };
  return statusFault(call, answer, client.deps.now(), hidden);
}

/** Names in lower case. */
export function headersOf(response: AxiosResponse<unknown>): Readonly<Record<string, string>> {
  return Object.assign({}, response.headers) as Record<string, string>;
}

/** What an answer that is not JSON is read as. */
export const notJson = Symbol("not JSON");

/** An answer's JSON; undefined for an empty one. */
export function parseAnswer(data: Buffer): unknown {
  if (data.length === 0) return undefined;
  try {
    return parseJsonBody(data);
  } catch {
    return notJson;
  }
}

const plainHeaders: ReadonlySet<string> = new Set([
  "accept",
  "user-agent",
  "content-type",
  "accept-encoding",
]);

function secretHeaderValues(headers: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(headers)
    .filter(([name]) => !plainHeaders.has(name.toLowerCase()))
    .flatMap(([, value]) => [value, ...value.split(" ")]);
}

/** Why a call was ended from our side. */
export type StopCause = "deadline" | "caller";

/** The signal of one call. */
export interface Stop {
  readonly signal: GenericAbortSignal;
  readonly fired: () => StopCause | undefined;
  readonly release: () => void;
}

/** A signal with the one listener that axios adds: an AbortController a call costs ten times as much. */
export function createStop(caller: AbortSignal | undefined, leftMs: number): Stop {
  let cause: StopCause | undefined;
  let listener: ((event: { type: string }) => void) | undefined;
  const fire = (why: StopCause): void => {
    cause ??= why;
    listener?.({ type: "abort" });
  };
  const onCaller = (): void => fire("caller");
  const timer = setTimeout(() => fire("deadline"), Math.max(leftMs, 0));
  if (caller?.aborted === true) cause = "caller";
  else caller?.addEventListener("abort", onCaller);
  return {
    signal: {
      get aborted() {
        return cause !== undefined;
      },
      addEventListener: (...[, added]: unknown[]) => {
        listener = added as typeof listener;
      },
      removeEventListener: () => {
        listener = undefined;
      },
    },
    fired: () => cause,
    release: () => {
      clearTimeout(timer);
      caller?.removeEventListener("abort", onCaller);
    },
  };
}

/** What a call that we ended is answered with. The caller's own reason goes back to it unchanged, so that it can tell its abort from a slow target. */
export function stopFault(call: CallFacts, cause: StopCause | undefined, request: HttpRequest): unknown {
  const reason: unknown = request.signal?.reason;
  const timedOut = reason instanceof DOMException && reason.name === "TimeoutError";
  if (cause === "caller" && !timedOut) return reason;
  return callFault("target_timeout", call, "no complete answer in time");
}

/** A fault of the way. An axios error holds the request's headers and body, so nothing of it is kept but the code. */
export function networkFault(call: CallFacts, error: unknown): unknown {
  if (error instanceof AppError || !isAxiosError(error)) return error;
  const { code = "unknown", response } = error;
  if (code === "ERR_BAD_RESPONSE") {
    const reason = response === undefined ? "the answer is larger than allowed" : "the answer was cut off";
    return callFault("target_protocol", call, reason, response?.status);
  }
  if (code === "ECONNRESET" && response !== undefined) {
    return callFault("target_protocol", call, "the answer was cut off", response.status);
  }
  const garbled = code.startsWith("HPE_") || code.startsWith("Z_") || code.startsWith("ERR_BROTLI");
  return callFault(garbled ? "target_protocol" : "target_unavailable", call, code);
}
