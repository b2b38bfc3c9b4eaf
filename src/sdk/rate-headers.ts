import type { RateReader, RateReading } from "./http.ts";

/** The names of a vendor's headers, in lower case. */
interface RateHeaderNames {
  readonly limit?: string;
  readonly remaining?: string;
  /** When the window begins anew. */
  readonly reset?: string;
  /** Whether `reset` says in how many seconds, or when in seconds since the epoch. `seconds` unless told. */
  readonly resetAs?: "seconds" | "epoch";
}

/** Reads a limit that is told in a header a figure, as in `x-rate-limit: 700` and `x-rate-limit-remaining: 699`. */
export function rateHeaders({ limit, remaining, reset, resetAs = "seconds" }: RateHeaderNames): RateReader {
  return ({ headers }, now) => {
    const said = (name: string | undefined): number | undefined =>
      name === undefined ? undefined : numberIn(headers[name]);
    const at = said(reset);
    const resetMs = at === undefined ? undefined : at * 1000 - (resetAs === "epoch" ? now : 0);
    return reading(said(limit), said(remaining), resetMs);
  };
}

/** Reads a limit that is told as what was used of it, as in `x-api-call-limit: 10/40`. */
export function usedOfLimitHeader(name: string): RateReader {
  return ({ headers }) => {
    const match = /^\s*(\d+)\s*\/\s*(\d+)\s*$/.exec(headers[name] ?? "");
    if (match === null) return undefined;
    const limit = Number(match[2]);
    return reading(limit, Math.max(0, limit - Number(match[1])), undefined);
  };
}

/**
 * Reads the headers of the IETF's drafts: `ratelimit-limit`, `ratelimit-remaining` and `ratelimit-reset`; or `ratelimit` and `ratelimit-policy`
 * with `limit=`, `remaining=`, `reset=`, or with `q=`, `r=`, `t=`. Of several policies the one with the least left counts.
 */
export const ietfRateHeaders: RateReader = (answer, now) => {
  const { headers } = answer;
  const items = itemsIn(headers["ratelimit"]);
  if (items.length === 0) return separate(answer, now);
  const policies = itemsIn(headers["ratelimit-policy"]);
  const readings = items.map((item) => {
    const policy = policies.find(({ name }) => name === item.name) ?? policies[0];
    const limit = item.values["limit"] ?? item.values["q"] ?? policy?.values["q"];
    const seconds = item.values["reset"] ?? item.values["t"];
    const remaining = item.values["remaining"] ?? item.values["r"];
    return reading(limit, remaining, seconds === undefined ? undefined : seconds * 1000);
  });
  return readings.toSorted((one, other) => leftOf(one) - leftOf(other))[0];
};

const separate = rateHeaders({
  limit: "ratelimit-limit",
  remaining: "ratelimit-remaining",
  reset: "ratelimit-reset",
});

/** Reads with each in turn; what the first one says counts, and what it does not say is taken from the next. */
export function firstRateReading(...readers: readonly RateReader[]): RateReader {
  return (answer, now) => {
    const found = readers.flatMap((read) => read(answer, now) ?? []);
    return found.length === 0 ? undefined : found.reduceRight((rest, first) => ({ ...rest, ...first }));
  };
}

function reading(
  limit: number | undefined,
  remaining: number | undefined,
  resetMs: number | undefined,
): RateReading | undefined {
  if (limit === undefined && remaining === undefined) return undefined;
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(remaining === undefined ? {} : { remaining }),
    ...(resetMs === undefined ? {} : { resetMs: Math.max(0, resetMs) }),
  };
}

function leftOf(found: RateReading | undefined): number {
  return found?.remaining ?? Number.POSITIVE_INFINITY;
}

/** The number that a header begins with; a policy may follow it, as in `100;w=60` and `100, 100;w=60`. */
function numberIn(text: string | undefined): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:[,;]|$)/.exec(text ?? "");
  return match === null ? undefined : Number(match[1]);
}

interface Item {
  readonly name: string;
  readonly values: Readonly<Record<string, number>>;
}

/** `"name";r=5;t=30, "other";r=1` as items; `limit=100, remaining=5` is one item without a name. */
function itemsIn(text: string | undefined): readonly Item[] {
  if (text === undefined) return [];
  const parts = text.includes('"') ? text.split(",") : [text];
  return parts.flatMap((part) => {
    const pairs = [...part.matchAll(/([a-z]+)\s*=\s*(\d+)/gi)];
    if (pairs.length === 0) return [];
    const values = Object.fromEntries(pairs.map(([, key = "", value]) => [key.toLowerCase(), Number(value)]));
    return [{ name: /"([^"]*)"/.exec(part)?.[1] ?? "", values }];
  });
}
