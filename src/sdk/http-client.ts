import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import axios, { AxiosHeaders, isAxiosError } from "axios";
import type { AxiosAdapter, AxiosResponse, GenericAbortSignal, InternalAxiosRequestConfig } from "axios";
import pRetry from "p-retry";
import { AppError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import type { CallGate } from "./call-gate.ts";
import { beforeRequest, learnFrom } from "./call-gate.ts";
import type { HttpBudget, HttpClient, HttpClientOptions, HttpRequest, HttpResponse } from "./http.ts";
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

interface Client {
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly send: (config: CallConfig) => Promise<AxiosResponse<Buffer>>;
  readonly deps: HttpClientDeps;
  readonly budget: HttpBudget | undefined;
}

/** When a call must be over, on the clock of `performance.now()`. Moved on by the time spent waiting for budget. */
interface Limit {
  deadline: number;
}

type CallConfig = Pick<InternalAxiosRequestConfig, "method" | "url" | "headers" | "data" | "signal">;

const repeatable: ReadonlySet<ErrorCode> = new Set(["target_unavailable", "target_protocol"]);

/**
 * A client for one vendor's API; see `HttpClient` for what it promises. Keeps its sockets open until `close`. Never follows a
 * redirect and never uses a proxy from the environment, so what is sent goes to `baseUrl` and nowhere else.
 */
export function createHttpClient(options: HttpClientOptions, deps: HttpClientDeps): HttpClient {
  // Axios asks for TCP keep-alive at 60 s on each call and the agent at this value on each release: the same, or both cost system calls.
  const agentOptions = { keepAlive: true, keepAliveMsecs: 60_000, maxSockets: options.maxSockets ?? 64 };
  const httpAgent = new HttpAgent(agentOptions);
  const httpsAgent = new HttpsAgent(agentOptions);
  const client: Client = {
    base: options.baseUrl.replace(/\/+$/, ""),
    headers: { accept: "application/json", "user-agent": deps.userAgent ?? "deskbridge", ...options.headers },
    timeoutMs: options.timeoutMs ?? 30_000,
    send: createSend(httpAgent, httpsAgent, options.maxResponseBytes ?? 10 * 1024 * 1024),
    deps,
    budget: options.budget,
  };
  return {
    request: <T>(request: HttpRequest) => requestOnceOrRepeat(client, request) as Promise<HttpResponse<T>>,
    close: () => {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}

// The adapter is called without axios's per-call config merging and body transforms, which cost more than the call itself.
function createSend(httpAgent: HttpAgent, httpsAgent: HttpsAgent, maxContentLength: number): Client["send"] {
  const adapter: AxiosAdapter = axios.getAdapter("http");
  const fixed = {
    httpAgent,
    httpsAgent,
    maxContentLength,
    maxBodyLength: -1,
    maxRedirects: 0,
    proxy: false,
    responseType: "arraybuffer",
    decompress: true,
    validateStatus: null,
  } as const;
  return async (config) => await adapter({ ...fixed, ...config });
}

async function requestOnceOrRepeat(client: Client, request: HttpRequest): Promise<HttpResponse> {
  const limit: Limit = { deadline: performance.now() + client.timeoutMs };
  if (request.method !== "GET") return attempt(client, request, limit);
  return pRetry(() => attempt(client, request, limit), {
    retries: 2,
    minTimeout: client.deps.retryDelayMs ?? 250,
    randomize: true,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
    shouldRetry: ({ error }) =>
      error instanceof AppError &&
      repeatable.has(error.code) &&
      error.retryAfterMs === undefined &&
      performance.now() < limit.deadline,
  });
}

async function attempt(client: Client, request: HttpRequest, limit: Limit): Promise<HttpResponse> {
  const gate = client.deps.gate?.();
  const turn = beforeRequest(gate, client.budget, request);
  if (turn !== undefined) {
    const waitsFrom = performance.now();
    await turn;
    limit.deadline += performance.now() - waitsFrom;
  }
  const call: CallFacts = { method: request.method, path: request.path.split("?", 1)[0] ?? "" };
  const startedAt = performance.now();
  let status: number | undefined;
  let code: HttpCall["code"];
  const stop = createStop(request.signal, limit.deadline - startedAt);
  try {
    const response = await client.send(callConfig(client, request, stop.signal));
    status = response.status;
    if (gate !== undefined)
      learnFrom(gate, client.budget, { status, headers: headersOf(response) }, client.deps.now());
    return readAnswer(client, request, call, response);
  } catch (error) {
    const fault =
      stop.fired() === undefined ? networkFault(call, error) : stopFault(call, stop.fired(), request);
    code = fault instanceof AppError ? fault.code : "aborted";
    throw fault;
  } finally {
    stop.release();
    client.deps.onCall?.({ ...call, status, code, durationMs: performance.now() - startedAt });
  }
}

function callConfig(client: Client, request: HttpRequest, signal: GenericAbortSignal): CallConfig {
  const headers = new AxiosHeaders({ ...client.headers, ...request.headers });
  const query = request.query === undefined ? "" : queryString(request.query);
  const path = request.path.startsWith("/") ? request.path : `/${request.path}`;
  const config: CallConfig = {
    method: request.method,
    url: `${client.base}${path}${query}`,
    headers,
    signal,
  };
  if (request.body === undefined) return config;
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

function readAnswer(
  client: Client,
  request: HttpRequest,
  call: CallFacts,
  response: AxiosResponse<Buffer>,
): HttpResponse {
  const { status } = response;
  const headers = headersOf(response);
  const good = (status >= 200 && status < 300) || request.accept?.includes(status) === true;
  const body = parseAnswer(response.data);
  if (good && body !== notJson) return { status, headers, body };
  if (good)
    throw callFault("target_protocol", call, `answered ${status} with something that is not JSON`, status);
  const hidden = [
    ...stringsIn(request.body),
    ...secretHeaderValues({ ...client.headers, ...request.headers }),
  ];
  const answer = { status, headers, body: body === notJson ? undefined : body };
  throw statusFault(call, answer, client.deps.now(), hidden);
}

function headersOf(response: AxiosResponse<Buffer>): Readonly<Record<string, string>> {
  return Object.assign({}, response.headers) as Record<string, string>;
}

const notJson = Symbol("not JSON");

function parseAnswer(data: Buffer): unknown {
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
type StopCause = "deadline" | "caller";

interface Stop {
  readonly signal: GenericAbortSignal;
  readonly fired: () => StopCause | undefined;
  readonly release: () => void;
}

// A signal with the one listener that axios adds: an AbortController a call costs ten times as much.
function createStop(caller: AbortSignal | undefined, leftMs: number): Stop {
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

// The caller's own reason goes back to it unchanged, so that it can tell its abort from a slow target.
function stopFault(call: CallFacts, cause: StopCause | undefined, request: HttpRequest): unknown {
  const reason: unknown = request.signal?.reason;
  const timedOut = reason instanceof DOMException && reason.name === "TimeoutError";
  if (cause === "caller" && !timedOut) return reason;
  return callFault("target_timeout", call, "no complete answer in time");
}

// An axios error holds the request's headers and body, so nothing of it is kept but the code.
function networkFault(call: CallFacts, error: unknown): unknown {
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
