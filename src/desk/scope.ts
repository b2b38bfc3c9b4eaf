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

/** Who sends a request: an API key. */
export interface Caller {
  /** `key_7`, or `key_bootstrap` for the key from the environment. */
  readonly id: string;
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

export function mayUse(caller: Caller, scope: Scope): boolean {
  return caller.scopes.has(scope) || caller.scopes.has("admin");
}
