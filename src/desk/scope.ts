/** What an API key may do. `admin` includes every other scope; `write` does not include `read`. */
export const scopes = [
  "tickets:read",
  "tickets:write",
  "contacts:read",
  "contacts:write",
  "orders:read",
  "orders:write",
  "webhooks:manage",
  "metrics:read",
  "admin",
] as const;

export type Scope = (typeof scopes)[number];

/** The id of the key from the environment, which the worker of this process uses too. */
export const bootstrapId = "key_bootstrap";

/** Who sends a request: an API key, or an end user. */
export interface Caller {
  /** `key_7`, or `key_bootstrap` for the key from the environment; `con_7` for an end user. */
  readonly id: string;
  readonly name: string;
  /** None for an end user. */
  readonly scopes: ReadonlySet<Scope>;
  readonly endUser?: EndUser;
}

/** A contact who sends requests about what is theirs. */
export interface EndUser {
  readonly contact: number;
  /** When their token runs out, in milliseconds since the epoch. */
  readonly until: number;
}

export function mayUse(caller: Caller, scope: Scope): boolean {
  return caller.scopes.has(scope) || caller.scopes.has("admin");
}
