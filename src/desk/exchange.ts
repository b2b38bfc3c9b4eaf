import { z } from "zod";
import { formatObjectId } from "./object-id.ts";
import { formatEtag, hashRequest, parseIdempotencyKey, parseIfMatch, parsePart } from "./request.ts";
import type { Call, ReadRoute, Route, WriteContext, WriteRoute } from "./route.ts";
import type { Caller } from "./scope.ts";
import type { DeskStore } from "./store/store.ts";
import type { Write, Written } from "./store/write.ts";

/** A request to a route, however it came: by itself, or in a batch. */
export interface RouteRequest {
  readonly method: string;
  /** The address as it was sent, with its query. */
  readonly url: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: unknown;
  readonly body: unknown;
  readonly headers: {
    readonly "idempotency-key"?: string | readonly string[] | undefined;
    readonly "if-match"?: string | undefined;
    readonly "if-none-match"?: string | undefined;
  };
  readonly caller: Caller;
  /** Where the client reached this server; empty unless told. */
  readonly origin?: string;
}

/** What a route answers: JSON and the headers that are the route's own, in lower case. */
export interface RouteAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The parts of a request by the route's schemas; throws `bad_request`. */
export function parseCall(route: Route, request: RouteRequest): Call<unknown, unknown> {
  return {
    params: request.params,
    query: parseAsked(route.query, request.query, "query"),
    // A body that may be left out whole is written as {}.
    body: parseAsked(route.body, request.body, "body"),
    caller: request.caller,
    origin: request.origin ?? "",
  };
}

const nothing = z.strictObject({});

/** Where a route takes nothing, what is there is refused as any field is that it does not know: it would be ignored otherwise. */
function parseAsked(schema: z.ZodType | undefined, value: unknown, part: string): unknown {
  const parsed = parsePart(schema ?? nothing, value ?? {}, part);
  return schema === undefined ? undefined : parsed;
}

/** Carries a read out; 304 when the client has the version that it is of. */
export async function answerRead(
  route: ReadRoute,
  request: RouteRequest,
  store: DeskStore,
  context: WriteContext,
): Promise<RouteAnswer> {
  const { body, version } = await route.read(parseCall(route, request), store, context);
  if (version === undefined) return { status: 200, headers: {}, body };
  const etag = formatEtag(version);
  const isKnown = request.headers["if-none-match"] === etag;
  return { status: isKnown ? 304 : 200, headers: { etag }, body: isKnown ? "" : body };
}

/** What a request asks to be written; throws what is wrong with it. Nothing is written yet. */
export function planWrite(route: WriteRoute, request: RouteRequest, context: WriteContext): Write {
  const given = parseIdempotencyKey(request.headers["idempotency-key"]);
  const key = route.repeated === true ? undefined : given;
  const call = parseCall(route, request);
  const ifMatch = route.versioned === true ? parseIfMatch(request.headers["if-match"]) : undefined;
  const input = route.input(call, context);
  return {
    operation: route.operation,
    input: ifMatch === undefined ? input : { ...input, if_match: ifMatch },
    actor: call.caller.id,
    idempotency:
      key === undefined
        ? undefined
        : {
            scope: keySpaceOf(call.caller),
            key,
            hash: hashRequest(request.method, request.url, call.body),
          },
  };
}

/** What a write is answered with. */
export function answerWrite({ status, result, message, version, body, replayed }: Written): RouteAnswer {
  return {
    status,
    body,
    headers: {
      "deskbridge-result": result,
      ...(message === null ? {} : { "deskbridge-message-id": formatObjectId("message", message) }),
      ...(version === null ? {} : { etag: formatEtag(version) }),
      ...(replayed ? { "idempotency-replayed": "true" } : {}),
    },
  };
}

/**
 * All API keys share one space of idempotency keys: a write stays one write when the key it was sent with is renewed. Each end user has one of
 * their own: nobody is ever shown what another was answered.
 */
export function keySpaceOf({ id, endUser }: Caller): string {
  return endUser === undefined ? "api" : id;
}
