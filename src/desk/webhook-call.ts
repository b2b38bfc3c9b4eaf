import { Agent as HttpAgent, request as httpRequest } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { WebhookAddresses } from "./webhook-address.ts";
import { AddressRefused } from "./webhook-address.ts";
import { AppError } from "../errors.ts";

/** What came back of a call. Without a status there was no answer. */
export interface WebhookAnswer {
  readonly status: number | null;
  /** Why there was none, in a word: `timeout`, `refused_address`, `no_answer` or the system's code. */
  readonly error: string | null;
  /** As the header had it. */
  readonly retryAfter: string | undefined;
  /** The beginning of the answer's body. */
  readonly answer: string | null;
  readonly durationMs: number;
}

export interface WebhookCall {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Sends webhooks over connections that are kept for the next one. */
export interface WebhookCaller {
  /** Never throws. Follows no redirect, and ends within the time limit. */
  readonly call: (call: WebhookCall) => Promise<WebhookAnswer>;
  readonly close: () => void;
}

interface CallerOptions {
  readonly addresses: WebhookAddresses;
  /** 15 seconds unless told. */
  readonly timeLimitMs?: number;
}

const answerBytes = 4096;

export function createWebhookCaller({ addresses, timeLimitMs = 15_000 }: CallerOptions): WebhookCaller {
  const options = { keepAlive: true, maxFreeSockets: 64, timeout: 30_000, lookup: addresses.lookup };
  const agents = { "http:": new HttpAgent(options), "https:": new HttpsAgent(options) };
  const send = async ({ url, headers, body }: WebhookCall): Promise<Omit<WebhookAnswer, "durationMs">> => {
    const target = new URL(url);
    addresses.check(target);
    const secure = target.protocol === "https:";
    const settings = {
      method: "POST",
      agent: secure ? agents["https:"] : agents["http:"],
      headers: { ...headers, "content-length": body.length },
      signal: AbortSignal.timeout(timeLimitMs),
    };
    const begin = (): ClientRequest => (secure ? httpsRequest : httpRequest)(target, settings);
    const response = await responseTo(begin, body);
    const answer = await readBeginning(response);
    const retryAfter = response.headers["retry-after"];
    return { status: response.statusCode ?? null, error: null, retryAfter, answer };
  };
  return {
    call: async (call) => {
      const startedAt = performance.now();
      const outcome = await send(call).catch((error: unknown) => ({
        status: null,
        error: nameOf(error),
        retryAfter: undefined,
        answer: null,
      }));
      return { ...outcome, durationMs: Math.round(performance.now() - startedAt) };
    },
    close: () => {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

/** The receiver ended the exchange without an answer: it closed, or wanted to speak another protocol (101). */
class NoAnswer extends Error {
  readonly code = "no_answer";
}

/** The head of the answer. A kept connection that the receiver was just closing says nothing about the receiver: a new one is made. */
async function responseTo(begin: () => ClientRequest, body: Buffer): Promise<IncomingMessage> {
  const attempt = async (mayBeStale: boolean): Promise<IncomingMessage> => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = begin();
    request
      .on("response", resolve)
      .on("error", reject)
      // Comes after either of these; alone, it is all that is ever heard.
      .on("close", () => reject(new NoAnswer("there was no answer")))
      .end(body);
    try {
      return await promise;
    } catch (error) {
      const stale = mayBeStale && request.reusedSocket && (error as { code?: unknown }).code === "ECONNRESET";
      if (!stale) throw error;
      return attempt(false);
    }
  };
  return attempt(true);
}

/** Its status is what counts: an answer that is long or breaks off is an answer. */
async function readBeginning(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      // Leaving the loop destroys the connection, which is what a long answer deserves.
      if (length >= answerBytes * 4) break;
    }
  } catch {
    response.destroy();
  }
  return Buffer.concat(chunks).subarray(0, answerBytes).toString("utf8").replaceAll("\0", "\uFFFD");
}

function nameOf(error: unknown): string {
  if (error instanceof AddressRefused || error instanceof AppError) return "refused_address";
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown };
  if (name === "AbortError" || name === "TimeoutError") return "timeout";
  return typeof code === "string" ? code : "failed";
}
