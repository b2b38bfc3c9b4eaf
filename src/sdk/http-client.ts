import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import axios from "axios";
import type { AxiosAdapter, AxiosResponse } from "axios";
import pRetry from "p-retry";
import { AppError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { beforeRequest, learnFrom } from "./call-gate.ts";
import type { HttpClient, HttpClientOptions, HttpRequest, HttpResponse } from "./http.ts";
import {
  callConfig,
  createStop,
  headersOf,
  networkFault,
  notJson,
  parseAnswer,
  refusalFault,
  stopFault,
} from "./http-call.ts";
import type { CallConfig, HttpCall, HttpClientDeps, Limit } from "./http-call.ts";
import { attemptStream } from "./http-stream.ts";
import type { StreamClient } from "./http-stream.ts";
import { callFault } from "./http-fault.ts";
import type { CallFacts } from "./http-fault.ts";

interface Client extends StreamClient {
  readonly send: (config: CallConfig) => Promise<AxiosResponse<Buffer>>;
}

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
    ...createSend(httpAgent, httpsAgent, options.maxResponseBytes ?? 10 * 1024 * 1024),
    deps,
    budget: options.budget,
  };
  return {
    request: <T>(request: HttpRequest) =>
      onceOrRepeat(client, request, (limit) => attempt(client, request, limit)) as Promise<HttpResponse<T>>,
    stream: (request) => onceOrRepeat(client, request, (limit) => attemptStream(client, request, limit)),
    close: () => {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}

// The adapter is called without axios's per-call config merging and body transforms, which cost more than the call itself.
function createSend(
  httpAgent: HttpAgent,
  httpsAgent: HttpsAgent,
  maxContentLength: number,
): Pick<Client, "send" | "open"> {
  const adapter: AxiosAdapter = axios.getAdapter("http");
  const fixed = {
    httpAgent,
    httpsAgent,
    maxBodyLength: -1,
    maxRedirects: 0,
    proxy: false,
    validateStatus: null,
  } as const;
  const whole = { ...fixed, maxContentLength, responseType: "arraybuffer", decompress: true } as const;
  const streamed = { ...fixed, maxContentLength: -1, responseType: "stream", decompress: false } as const;
  return {
    send: async (config) => await adapter({ ...whole, ...config }),
    open: async (config) => await adapter({ ...streamed, ...config }),
  };
}

async function onceOrRepeat<T>(
  client: Client,
  request: HttpRequest,
  attemptOnce: (limit: Limit) => Promise<T>,
): Promise<T> {
  const limit: Limit = { deadline: performance.now() + client.timeoutMs };
  if (request.method !== "GET") return attemptOnce(limit);
  return pRetry(() => attemptOnce(limit), {
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
  const call: CallFacts = { method: request.method, path: request.path.split("?", 1)[0] || "/" };
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

function readAnswer(
  client: Client,
  request: HttpRequest,
  call: CallFacts,
  response: AxiosResponse<Buffer>,
): HttpResponse {
  const { status, data } = response;
  const good = (status >= 200 && status < 300) || request.accept?.includes(status) === true;
  if (!good) throw refusalFault(client, request, call, response, data);
  const body = parseAnswer(data);
  if (body !== notJson) return { status, headers: headersOf(response), body };
  if (request.answer === "any") return { status, headers: headersOf(response), body: undefined };
  throw callFault("target_protocol", call, `answered ${status} with something that is not JSON`, status);
}
