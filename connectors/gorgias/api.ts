import { AppError, usedOfLimitHeader } from "deskbridge/sdk";
import type { ConnectorContext, HttpClient, HttpRequest, HttpResponse } from "deskbridge/sdk";
import { z } from "zod";
import { addressOf } from "./config.ts";
import type { Config } from "./config.ts";
import { pageOf, parseAnswer } from "./object.ts";

/** The account's API. Throws classified errors, as `HttpClient` does. */
export interface GorgiasApi {
  readonly request: (request: HttpRequest) => Promise<HttpResponse>;
  /** One page of a list, from `cursor` on; the first one unless told. */
  readonly page: <T extends z.ZodType>(list: ListRequest<T>, cursor?: string) => Promise<ListPage<T>>;
  /** All pages of a list, each one call, in the list's own order. */
  readonly pages: <T extends z.ZodType>(list: ListRequest<T>) => AsyncIterable<readonly z.output<T>[]>;
}

export interface ListPage<T extends z.ZodType> {
  readonly rows: readonly z.output<T>[];
  /** Where the next page begins; undefined for the last one. */
  readonly next: string | undefined;
}

export interface ListRequest<T extends z.ZodType> {
  readonly path: string;
  readonly item: T;
  /** What the list is of, for errors. */
  readonly what: string;
  readonly query?: NonNullable<HttpRequest["query"]>;
  readonly signal: AbortSignal;
}

const tokenPath = "/oauth/token";
/** A token is renewed this long before it ends. */
const renewalMs = 60_000;
/** Tells how much of the limit is used, as `10/40`. */
const limitHeader = "x-gorgias-account-api-call-limit";
/** The most that a list gives at once. */
const pageSize = 100;

export function createApi(settings: Config, context: ConnectorContext): GorgiasApi {
  const http = context.http({
    baseUrl: addressOf(settings),
    budget: { weight: ({ path }) => (path === tokenPath ? 0 : 1), read: usedOfLimitHeader(limitHeader) },
  });
  const credential = createCredential(settings, http, context.now);
  const send = async (request: HttpRequest): Promise<HttpResponse> =>
    http.request({ ...request, headers: { authorization: await credential.current() } });
  const request: GorgiasApi["request"] = async (asked) => {
    try {
      return await send(asked);
    } catch (error) {
      const isRefused = error instanceof AppError && error.code === "target_unauthorized";
      // Refused, so nothing was done: the same may be asked again with a new token.
      if (!isRefused || !credential.drop()) throw error;
      return send(asked);
    }
  };
  const page: GorgiasApi["page"] = async (list, cursor) => readPage(request, list, cursor);
  return {
    request,
    page,
    pages: (list) => allPages(page, list),
  };
}

async function* allPages<T extends z.ZodType>(
  page: GorgiasApi["page"],
  list: ListRequest<T>,
): AsyncGenerator<readonly z.output<T>[]> {
  let cursor: string | undefined;
  do {
    const { rows, next } = await page(list, cursor);
    yield rows;
    cursor = next;
  } while (cursor !== undefined);
}

async function readPage<T extends z.ZodType>(
  request: GorgiasApi["request"],
  { path, item, what, query, signal }: ListRequest<T>,
  cursor: string | undefined,
): Promise<ListPage<T>> {
  const answer = await request({ method: "GET", path, query: { limit: pageSize, ...query, cursor }, signal });
  const { data, meta } = parseAnswer(pageOf(item), `a list of ${what}`, answer);
  const next = meta?.next_cursor === "" ? undefined : (meta?.next_cursor ?? undefined);
  if (next !== undefined && next === cursor) {
    throw new AppError("target_protocol", `the next page of Gorgias's list of ${what} is the page itself`);
  }
  return { rows: data, next };
}

interface Credential {
  /** The value of `authorization`. */
  readonly current: () => Promise<string>;
  /** Forgets a token that was refused; false when there is no other to be had. */
  readonly drop: () => boolean;
}

const tokenAnswer = z.object({
  access_token: z.string().min(1),
  expires_in: z.number().positive().nullish(),
  refresh_token: z.string().min(1).nullish(),
});

function createCredential({ auth }: Config, http: HttpClient, now: () => number): Credential {
  if (auth.method === "key") {
    const value = basic(auth.email, auth.apiKey);
    return { current: async () => value, drop: () => false };
  }
  if (auth.method === "token") {
    return { current: async () => `Bearer ${auth.accessToken}`, drop: () => false };
  }
  let { refreshToken } = auth;
  let token: { readonly value: string; readonly until: number } | undefined;
  let fetching: Promise<string> | undefined;
  const renew = async (): Promise<string> => {
    const answer = await http.request({
      method: "POST",
      path: tokenPath,
      headers: { authorization: basic(auth.clientId, auth.clientSecret) },
      body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: refreshToken }),
    });
    const told = parseAnswer(tokenAnswer, "a token", answer);
    refreshToken = told.refresh_token ?? refreshToken;
    const value = `Bearer ${told.access_token}`;
    token = { value, until: now() + (told.expires_in ?? 3600) * 1000 - renewalMs };
    return value;
  };
  return {
    current: async () => {
      if (token !== undefined && now() < token.until) return token.value;
      // Callers share one request, so none of their signals may end it; the client's time limit does.
      fetching ??= renew().finally(() => {
        fetching = undefined;
      });
      return fetching;
    },
    drop: () => {
      token = undefined;
      return true;
    },
  };
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
