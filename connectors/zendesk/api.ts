import { AppError } from "deskbridge/sdk";
import type { ConnectorContext, HttpRequest, HttpResponse, RateAnswer, RateReading } from "deskbridge/sdk";
import type { z } from "zod";
import type { Config } from "./config.ts";
import { createCredential } from "./credential.ts";

/** The Support API of one account. Paths begin with `/api/v2`; errors are those of the HTTP client. */
export interface ZendeskApi {
  /** Address of the account, without a slash at its end. */
  readonly address: string;
  /** Sends with the credential. A token that is refused is renewed once: a 401 has done nothing. */
  readonly send: (request: HttpRequest) => Promise<HttpResponse>;
  /** Sends, and holds the answer to a schema: `target_protocol` when it is something else. */
  readonly ask: <S extends z.ZodType>(request: HttpRequest, schema: S) => Promise<z.output<S>>;
}

export function createApi(settings: Config, context: ConnectorContext): ZendeskApi {
  const address = settings.apiUrl ?? `https://${settings.subdomain}.zendesk.com`;
  const http = context.http({
    baseUrl: address,
    budget: { weight: ({ path }) => (path.startsWith("/oauth/") ? 0 : 1), read: readRate },
  });
  const credential = createCredential(settings, http, context);
  const sendWith = (authorization: string, request: HttpRequest): Promise<HttpResponse> =>
    http.request({ ...request, headers: { ...request.headers, authorization } });
  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    const authorization = await credential.header(request.signal);
    try {
      return await sendWith(authorization, request);
    } catch (error) {
      if (!isRefusedToken(error) || !credential.renew(authorization)) throw error;
      return sendWith(await credential.header(request.signal), request);
    }
  };
  return {
    address: address.replace(/\/+$/, ""),
    send,
    ask: async (request, schema) => parseAnswer(request, await send(request), schema),
  };
}

/** The answer's body by a schema; `target_protocol` when it is something else. */
export function parseAnswer<S extends z.ZodType>(
  { method, path }: HttpRequest,
  { status, body }: HttpResponse,
  schema: S,
): z.output<S> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const lacking = parsed.error.issues.map((issue) => issue.path.join(".")).filter((one) => one !== "");
  throw new AppError(
    "target_protocol",
    `${method} ${path} answered ${status}, but not as the Support API does; check subdomain and what stands between`,
    { details: { status, lacking: lacking.slice(0, 5) } },
  );
}

function isRefusedToken(error: unknown): boolean {
  return (
    error instanceof AppError &&
    error.code === "target_unauthorized" &&
    error.details["status"] === 401 &&
    error.details["reached"] !== false
  );
}

/**
 * The account's limit as each answer tells it: `X-Rate-Limit` and `-Remaining`, and `ratelimit-*` on lists. A 429 while the account
 * has calls left is about one ticket or one kind of request, and closes nothing else.
 */
export function readRate({ status, headers }: RateAnswer): RateReading | undefined {
  const limit = count(headers["x-rate-limit"] ?? headers["ratelimit-limit"]);
  const remaining = count(headers["x-rate-limit-remaining"] ?? headers["ratelimit-remaining"]);
  const resetSeconds = count(headers["ratelimit-reset"]);
  const isLocal = status === 429 && remaining !== undefined && remaining > 0;
  const reading = {
    ...(limit === undefined ? {} : { limit }),
    ...(remaining === undefined ? {} : { remaining }),
    ...(resetSeconds === undefined ? {} : { resetMs: resetSeconds * 1000 }),
    ...(isLocal ? { retryAfterMs: 0 } : {}),
  };
  return Object.keys(reading).length === 0 ? undefined : reading;
}

function count(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,9}$/.test(value.trim()) ? Number(value) : undefined;
}
