import { LRUCache } from "lru-cache";
import { AppError } from "../errors.ts";
import type { Caller } from "./scope.ts";
import { bootstrapId } from "./scope.ts";

/** How many requests a caller may send in how long. */
export interface RequestLimit {
  readonly requests: number;
  readonly seconds: number;
}

/** Undefined is no limit. */
export interface RequestLimits {
  /** For each API key that was made. */
  readonly key: RequestLimit | undefined;
  /** For each end user. */
  readonly endUser: RequestLimit | undefined;
  /** For the key of the environment, which the worker of this process uses too. */
  readonly own: RequestLimit | undefined;
}

/** Generous: what one process can answer is less than the key of the environment may ask. */
export const usualLimits: RequestLimits = {
  key: { requests: 60_000, seconds: 60 },
  endUser: { requests: 600, seconds: 60 },
  own: { requests: 1_000_000, seconds: 60 },
};

/** Headers after draft-ietf-httpapi-ratelimit-headers, in lower case; none where there is no limit. */
export type LimitHeaders = Readonly<Record<string, string>>;

/** Counts the requests of each caller, in this process. */
export interface Limiter {
  /** Takes `cost` requests from what the caller has left and tells the rest. `allowed` is false, and nothing is taken, where it has less. */
  readonly take: (caller: Caller, cost?: number) => Standing;
}

export interface Standing {
  readonly allowed: boolean;
  readonly headers: LimitHeaders;
  /** How long until the request is allowed, in milliseconds; 0 when it is. */
  readonly waitMs: number;
}

interface Bucket {
  left: number;
  at: number;
}

interface Policy {
  readonly name: string;
  readonly limit: RequestLimit;
  readonly header: string;
}

/** Callers that are remembered at a time: whoever has not been heard of for longest is forgotten, with a full bucket. */
const mostCallers = 20_000;

/**
 * A bucket for each caller: it holds `requests`, and fills again evenly over `seconds`. `now` is in milliseconds. A limit holds in one process:
 * behind a balancer a caller gets it once from each.
 */
export function createLimiter(limits: RequestLimits, now: () => number): Limiter {
  const buckets = new LRUCache<string, Bucket>({ max: mostCallers });
  const policies = {
    key: policyOf("key", limits.key),
    endUser: policyOf("end-user", limits.endUser),
    own: policyOf("own", limits.own),
  };
  return {
    take: (caller, cost = 1) => {
      const policy =
        caller.endUser !== undefined
          ? policies.endUser
          : caller.id === bootstrapId
            ? policies.own
            : policies.key;
      if (policy === undefined) return unlimited;
      const bucket = buckets.get(caller.id) ?? { left: policy.limit.requests, at: now() };
      buckets.set(caller.id, bucket);
      return takeFrom(bucket, policy, cost, now());
    },
  };
}

/** What many small refills lose, as a part of one request. */
const rounding = 1e-6;

const unlimited: Standing = { allowed: true, headers: {}, waitMs: 0 };

function policyOf(name: string, limit: RequestLimit | undefined): Policy | undefined {
  return limit && { name, limit, header: `"${name}";q=${limit.requests};w=${Math.ceil(limit.seconds)}` };
}

function takeFrom(bucket: Bucket, { name, limit, header }: Policy, cost: number, now: number): Standing {
  const perMs = limit.requests / (limit.seconds * 1000);
  // A clock that was set back fills nothing, and takes nothing away.
  const full = bucket.left + Math.max(0, now - bucket.at) * perMs;
  const left = Math.min(limit.requests, full);
  const allowed = cost <= left + rounding;
  bucket.left = allowed ? Math.max(0, left - cost) : left;
  bucket.at = now;
  const untilFull = Math.ceil((limit.requests - bucket.left) / perMs / 1000);
  return {
    allowed,
    // The moment from which it would be allowed, to the same rounding.
    waitMs: allowed ? 0 : Math.ceil((cost - rounding - left) / perMs),
    headers: {
      "ratelimit-policy": header,
      ratelimit: `"${name}";r=${Math.floor(bucket.left)};t=${untilFull}`,
    },
  };
}

/** What a caller is told that has nothing left. */
export function limitError({ waitMs }: Standing): AppError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new AppError("rate_limited", `the limit of this caller is used up; come again in ${seconds} s`, {
    retryAfterMs: seconds * 1000,
  });
}
