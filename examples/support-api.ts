import { setTimeout as pause } from "node:timers/promises";

/** Where the Support API is and who calls it. */
export interface SupportApiOptions {
  readonly url: string;
  readonly key: string;
}

export type Json = Readonly<Record<string, unknown>>;

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: object;
  /** Makes a write happen once, however often it is sent. */
  readonly idempotencyKey?: string;
}

/** An answer in the 2xx. */
export interface Answer<T = Json> {
  readonly status: number;
  /** What a write did: `created`, `appended`, `unchanged` … */
  readonly result: string | null;
  readonly body: T;
}

/** A refusal by the Support API, in its own words. */
export class SupportApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, problem: Json) {
    super(`${status} ${String(problem["code"])}: ${String(problem["detail"])}`);
    this.status = status;
    this.code = String(problem["code"]);
  }
}

const tries = 5;

/**
 * Calls the Support API. What may be sent again (reads, `PUT`, and writes with an idempotency key) is, when the network fails or the answer says
 * that it may succeed later. Throws `SupportApiError` for a refusal.
 */
export function createSupportApi({ url, key }: SupportApiOptions) {
  return async function call<T = Json>(request: Call): Promise<Answer<T>> {
    const { method, idempotencyKey } = request;
    const repeatable = method === "GET" || method === "PUT" || idempotencyKey !== undefined;
    for (let attempt = 1; ; attempt += 1) {
      const last = !repeatable || attempt === tries;
      let waitMs = 200 * 2 ** attempt;
      try {
        const answer = await fetch(new URL(request.path, url), init(key, request));
        const body = (await answer.json()) as Json;
        if (answer.ok)
          return { status: answer.status, result: answer.headers.get("deskbridge-result"), body: body as T };
        if (last || body["retryable"] !== true) throw new SupportApiError(answer.status, body);
        waitMs = Math.max(waitMs, Number(answer.headers.get("retry-after") ?? 0) * 1000);
      } catch (error) {
        if (last || error instanceof SupportApiError) throw error;
      }
      await pause(waitMs);
    }
  };
}

export type SupportApi = ReturnType<typeof createSupportApi>;

/** A variable of the environment that has to be there. */
export function required(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== "") return value;
  throw new Error(`set ${name}`);
}

/** The Support API by the variables `DESK_URL` and `DESK_KEY`. */
export function supportApiOfEnvironment(): SupportApi {
  return createSupportApi({ url: required("DESK_URL"), key: required("DESK_KEY") });
}

function init(key: string, { method, body, idempotencyKey }: Call): RequestInit {
  return {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(15_000),
  };
}
