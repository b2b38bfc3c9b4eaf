import { AppError, usedOfLimitHeader } from "deskbridge/sdk";
import type { ConnectorContext, HttpRequest, HttpResponse } from "deskbridge/sdk";
import type { z } from "zod";
import { addressOf } from "./config.ts";
import type { Config } from "./config.ts";
import { createCredential, tokenPath } from "./credential.ts";
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

/** Tells how much of the limit is used, as `10/40`. */
const limitHeader = "x-gorgias-account-api-call-limit";
/** The most that a list gives at once. */
const pageSize = 100;

export function createApi(settings: Config, context: ConnectorContext): GorgiasApi {
  const http = context.http({
    baseUrl: addressOf(settings),
    budget: { weight: ({ path }) => (path === tokenPath ? 0 : 1), read: usedOfLimitHeader(limitHeader) },
  });
  const credential = createCredential(settings, http, context);
  const sendWith = (authorization: string, request: HttpRequest): Promise<HttpResponse> =>
    http.request({ ...request, headers: { authorization } });
  const request: GorgiasApi["request"] = async (asked) => {
    const authorization = await credential.header();
    try {
      return await sendWith(authorization, asked);
    } catch (error) {
      // Refused, so nothing was done: the same may be asked again with a new token.
      if (!isRefused(error) || !credential.renew(authorization)) throw error;
      return sendWith(await credential.header(), asked);
    }
  };
  const page: GorgiasApi["page"] = async (list, cursor) => readPage(request, list, cursor);
  return {
    request,
    page,
    pages: (list) => allPages(page, list),
  };
}

function isRefused(error: unknown): boolean {
  return error instanceof AppError && error.details["status"] === 401;
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
