import type { AxiosResponse, GenericAbortSignal } from "axios";
import type { Readable } from "node:stream";
import { beforeRequest, learnFrom } from "./call-gate.ts";
import { callConfig, createStop, headersOf, networkFault, refusalFault, stopFault } from "./http-call.ts";
import type { CallConfig, CallSettings, HttpCall, Limit } from "./http-call.ts";
import type { HttpStream, HttpStreamRequest } from "./http.ts";
import { callFault } from "./http-fault.ts";
import type { CallFacts } from "./http-fault.ts";
import { createChunkReader } from "./chunk-reader.ts";
import { AppError } from "../errors.ts";

/** A client whose answers come as streams. */
export interface StreamClient extends CallSettings {
  readonly open: (config: CallConfig) => Promise<AxiosResponse<Readable>>;
}

/** As much of a refusal is read, to find the target's reason in it. */
const refusalBytes = 64 * 1024;

/** One attempt to get an answer as a stream. Its end is told to `onCall` when the body has been read. */
export async function attemptStream(
  client: StreamClient,
  request: HttpStreamRequest,
  limit: Limit,
): Promise<HttpStream> {
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
  const tell = (code: HttpCall["code"]): void =>
    client.deps.onCall?.({ ...call, status, code, durationMs: performance.now() - startedAt });
  const stop = createStop(request.signal, limit.deadline - startedAt);
  try {
    const response = await client.open(streamConfig(client, request, stop.signal));
    status = response.status;
    if (gate !== undefined)
      learnFrom(gate, client.budget, { status, headers: headersOf(response) }, client.deps.now());
    const facts = { data: response.data, silenceMs: request.silenceMs ?? client.timeoutMs, call, status };
    if (status >= 200 && status < 300) {
      requireEnd(call, response);
      return { status, headers: headersOf(response), body: openBody({ ...facts, request, tell }) };
    }
    const head = await readHead(openBody({ ...facts, request, tell: () => undefined }));
    throw refusalFault(client, request, call, response, head);
  } catch (error) {
    const fault =
      stop.fired() === undefined ? networkFault(call, error) : stopFault(call, stop.fired(), request);
    tell(codeOf(fault));
    throw fault;
  } finally {
    stop.release();
  }
}

/** Not compressed: what is packed cannot be told from what is cut off, and desks are near. */
function streamConfig(
  client: CallSettings,
  request: HttpStreamRequest,
  signal: GenericAbortSignal,
): CallConfig {
  const headers = { accept: "*/*", "accept-encoding": "identity", ...request.headers };
  return callConfig(client, { ...request, headers }, signal);
}

/** An answer that ends with its connection looks whole wherever it breaks off. */
function requireEnd(call: CallFacts, response: AxiosResponse<Readable>): void {
  const { "content-length": length, "transfer-encoding": encoding } = headersOf(response);
  if (length !== undefined || encoding?.includes("chunked") === true) return;
  response.data.destroy();
  throw callFault("target_protocol", call, "the answer does not say where it ends", response.status);
}

interface BodyFacts {
  readonly data: Readable;
  readonly request: HttpStreamRequest;
  readonly silenceMs: number;
  readonly call: CallFacts;
  readonly status: number;
  readonly tell: (code: HttpCall["code"]) => void;
}

/** The body of an answer. From here on the caller's signal ends it, read or not. */
function openBody(facts: BodyFacts): AsyncIterable<Buffer> {
  const { data, request, call, tell } = facts;
  const { signal } = request;
  let isRead = false;
  // Between two reads nobody listens, and an unheard `error` ends the process; the next read gets it.
  data.on("error", () => undefined);
  const onAbort = (): void => void data.destroy(stopFault(call, "caller", request) as Error);
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener("abort", onAbort);
  data.once("close", () => {
    signal?.removeEventListener("abort", onAbort);
    if (!isRead) tell("aborted");
  });
  const chunks = readBody(facts);
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        isRead = true;
        return chunks.next();
      },
      // Also where nothing was read: a generator that has not begun knows of nothing to clean up.
      return: async () => {
        data.destroy();
        return chunks.return();
      },
    }),
  };
}

async function* readBody(facts: BodyFacts): AsyncGenerator<Buffer, void> {
  const { data, silenceMs, call, status, tell } = facts;
  let code: HttpCall["code"] = "aborted";
  const chunks = createChunkReader(data);
  let isWaiting = false;
  const onSilence = (): void => {
    // A reader who takes their time is not silence of the target's.
    if (isWaiting) data.destroy(callFault("target_timeout", call, "the answer stopped coming", status));
  };
  // One for all chunks: a large answer has hundreds of thousands.
  const timer = setTimeout(onSilence, silenceMs);
  try {
    for (;;) {
      isWaiting = true;
      timer.refresh();
      const chunk = await chunks.next();
      isWaiting = false;
      if (chunk === undefined) break;
      yield chunk;
    }
    code = undefined;
  } catch (error) {
    const fault = bodyFault(facts, error);
    code = codeOf(fault);
    throw fault;
  } finally {
    clearTimeout(timer);
    data.destroy();
    tell(code);
  }
}

function bodyFault({ request, call, status }: BodyFacts, error: unknown): unknown {
  if (error instanceof AppError || request.signal?.aborted === true) return error;
  return callFault("target_protocol", call, "the answer was cut off", status);
}

function codeOf(fault: unknown): HttpCall["code"] {
  return fault instanceof AppError ? fault.code : "aborted";
}

async function readHead(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= refusalBytes) break;
    }
  } catch (error) {
    // What was to be said is not worth more than the status; our own stop is.
    if (!(error instanceof AppError)) throw error;
  }
  return Buffer.concat(chunks);
}
