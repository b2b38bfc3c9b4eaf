import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "deskbridge/sdk";
import type { ConnectorContext, ErrorCode, HttpClient } from "deskbridge/sdk";
import type { Config } from "./config.ts";
import { list, object, text } from "./value.ts";
import type { Json } from "./value.ts";

export interface AdminQuery {
  readonly document: string;
  readonly variables?: Json;
  /** Points of the rate limit that this query must leave untouched. */
  readonly reserve?: number;
  readonly signal: AbortSignal;
}

/** The Admin GraphQL API of one shop. Throws classified errors; a throttled query is `target_rate_limited` with the time that its points need to come back. */
export interface AdminApi {
  /** The `data` of the answer. */
  readonly query: (query: AdminQuery) => Promise<Json>;
  readonly apiVersion: string;
}

/** Pauses up to this long are waited out here; for longer ones the engine is told when to come back. */
const longestPauseMs = 5000;
/** A token is renewed this long before it ends. */
const renewalMs = 60_000;

/** The API as the configuration lets us in, or undefined when it holds no credential for it. */
export function createAdminApi(settings: Config, context: ConnectorContext): AdminApi | undefined {
  if (settings.accessToken === undefined && settings.clientId === undefined) return undefined;
  const http = context.http({ baseUrl: settings.apiUrl ?? `https://${settings.shop}` });
  const tokens = createTokens(settings, http, context);
  const bucket = createBucket(context.now);
  const path = `/admin/api/${settings.apiVersion}/graphql.json`;
  const send = async (query: AdminQuery): Promise<Json> => {
    const headers = { "x-shopify-access-token": await tokens.current(query.signal) };
    const body = { query: query.document, variables: query.variables ?? {} };
    return object((await http.request({ method: "POST", path, headers, body, signal: query.signal })).body);
  };
  return {
    apiVersion: settings.apiVersion,
    query: async (query) => {
      await bucket.pace(query);
      const answer = await send(query).catch((error: unknown) => {
        if (!(error instanceof AppError) || error.code !== "target_unauthorized" || !tokens.drop())
          throw error;
        return send(query);
      });
      bucket.note(query.document, object(object(answer["extensions"])["cost"]));
      return dataOf(answer, (asked) => bucket.pauseMs(asked + (query.reserve ?? 0)));
    },
  };
}

interface Tokens {
  readonly current: (signal: AbortSignal) => Promise<string>;
  /** Forgets a token that was refused; false when there is no other to be had. */
  readonly drop: () => boolean;
}

function createTokens(settings: Config, http: HttpClient, { now }: ConnectorContext): Tokens {
  const { accessToken } = settings;
  if (accessToken !== undefined) return { current: async () => accessToken, drop: () => false };
  let token: { readonly value: string; readonly until: number } | undefined;
  let fetching: Promise<string> | undefined;
  const renew = async (): Promise<string> => {
    const body = {
      client_id: settings.clientId,
      client_secret: [settings.clientSecret].flat()[0],
      grant_type: "client_credentials",
    };
    const answer = object(
      (await http.request({ method: "POST", path: "/admin/oauth/access_token", body })).body,
    );
    const value = text(answer["access_token"]);
    if (value === undefined)
      throw new AppError("target_protocol", "The answer to the token request holds no access token.");
    const seconds = typeof answer["expires_in"] === "number" ? answer["expires_in"] : 3600;
    token = { value, until: now() + seconds * 1000 - renewalMs };
    return value;
  };
  return {
    current: async (signal) => {
      if (token !== undefined && now() < token.until) return token.value;
      // Callers share one request, so none of their signals may end it; the client's time limit does.
      fetching ??= renew().finally(() => {
        fetching = undefined;
      });
      const value = await fetching;
      signal.throwIfAborted();
      return value;
    },
    drop: () => {
      token = undefined;
      return true;
    },
  };
}

interface Bucket {
  /** Waits until the query can be expected to be let through, or throws when that takes long. */
  readonly pace: (query: AdminQuery) => Promise<void>;
  readonly note: (document: string, cost: Json) => void;
  /** Until so many points are there, in milliseconds. */
  readonly pauseMs: (points: number) => number;
}

// The vendor's leaky bucket as its last answer left it; it fills at the rate that it named.
function createBucket(now: () => number): Bucket {
  let state:
    | {
        readonly available: number;
        readonly maximum: number;
        readonly perSecond: number;
        readonly at: number;
      }
    | undefined;
  const costs = new Map<string, number>();
  const pauseMs = (points: number): number => {
    if (state === undefined) return 0;
    const available = Math.min(
      state.maximum,
      state.available + ((now() - state.at) / 1000) * state.perSecond,
    );
    const lacking = Math.min(points, state.maximum) - available;
    return lacking <= 0 ? 0 : Math.ceil((lacking / state.perSecond) * 1000);
  };
  return {
    pauseMs,
    pace: async ({ document, reserve, signal }) => {
      const pause = pauseMs((costs.get(document) ?? 0) + (reserve ?? 0));
      if (pause > longestPauseMs) throw throttled(pause);
      if (pause > 0) await sleep(pause, undefined, { signal });
    },
    note: (document, cost) => {
      const status = object(cost["throttleStatus"]);
      const [available, maximum, perSecond] = ["currentlyAvailable", "maximumAvailable", "restoreRate"].map(
        (name) => status[name],
      );
      if (typeof cost["requestedQueryCost"] === "number") costs.set(document, cost["requestedQueryCost"]);
      if (typeof available !== "number" || typeof maximum !== "number" || typeof perSecond !== "number")
        return;
      if (perSecond > 0) state = { available, maximum, perSecond, at: now() };
    },
  };
}

function throttled(retryAfterMs: number): AppError {
  return new AppError("target_rate_limited", "The shop's API has no points left for this query.", {
    retryAfterMs,
  });
}

const codeByError: Readonly<Record<string, ErrorCode>> = {
  ACCESS_DENIED: "target_unauthorized",
  UNAUTHORIZED: "target_unauthorized",
  SHOP_INACTIVE: "target_unauthorized",
  INTERNAL_SERVER_ERROR: "target_unavailable",
  TIMEOUT: "target_unavailable",
};

// The API answers 200 to what fails; the code is in the body.
function dataOf(answer: Json, pauseMs: (points: number) => number): Json {
  const [first] = list(answer["errors"]).map(object);
  if (first !== undefined) {
    const vendorCode = text(object(first["extensions"])["code"]) ?? "none";
    const asked = object(object(answer["extensions"])["cost"])["requestedQueryCost"];
    if (vendorCode === "THROTTLED")
      throw throttled(Math.max(500, pauseMs(typeof asked === "number" ? asked : 0)));
    const where = list(first["path"])
      .filter((step) => typeof step === "string")
      .join(".");
    // Only ids stand in our queries and their variables, so the vendor's words about them hold nothing personal.
    const words = text(first["message"])?.slice(0, 200) ?? "no reason given";
    throw new AppError(
      codeByError[vendorCode] ?? "target_rejected",
      `The shop's API refused the query${where === "" ? "" : ` at ${where}`}: ${words} (${vendorCode}). Check the app's scopes and the API version.`,
      { details: { vendorCode, path: where } },
    );
  }
  if (answer["data"] === undefined || answer["data"] === null) {
    throw new AppError("target_protocol", "The answer of the shop's API holds neither data nor errors.");
  }
  return object(answer["data"]);
}
