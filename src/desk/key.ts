import { createHash, randomBytes } from "node:crypto";
import { AppError } from "../errors.ts";
import { formatObjectId, readObjectId } from "./object-id.ts";
import type { Scope } from "./scope.ts";
import { scopes as knownScopes } from "./scope.ts";
import type { KeyRow } from "./store/keys.ts";
import type { DeskStore } from "./store/store.ts";

/** An API key as it is shown. Times are RFC 3339 UTC; `lastUsedAt` is up to a minute behind. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** The key's first characters. */
  readonly hint: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

/** Making, listing and ending API keys, for the command line. */
export interface ApiKeys {
  /** Makes a key; `key` is shown this once and stored nowhere. Throws `bad_request` for an unknown scope or none. */
  readonly create: (name: string, scopes: readonly string[]) => Promise<ApiKey & { readonly key: string }>;
  readonly list: () => Promise<readonly ApiKey[]>;
  /** Ends a key, in other processes within five seconds; throws `not_found`. */
  readonly revoke: (id: string) => Promise<ApiKey>;
}

/** `onRevoke` is called after a key was ended, to forget what is remembered of it. */
export function createApiKeys(store: DeskStore, onRevoke: () => void): ApiKeys {
  return {
    create: async (name, scopes) => {
      const checked = parseScopes(scopes);
      const key = `dbk_${randomBytes(32).toString("base64url")}`;
      const row = await store.insertKey({
        name,
        hash: hashKey(key),
        hint: key.slice(0, 10),
        scopes: checked,
      });
      return { ...describe(row), key };
    },
    list: async () => (await store.listKeys()).map(describe),
    revoke: async (id) => {
      const row = await store.revokeKey(readObjectId("key", id) ?? 0);
      if (row === undefined)
        throw new AppError("not_found", `there is no API key ${id}; list them to see their ids`);
      onRevoke();
      return describe(row);
    },
  };
}

/** What is stored and looked up in place of a key. */
export function hashKey(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

function parseScopes(scopes: readonly string[]): readonly Scope[] {
  const unknown = scopes.filter((scope) => !(knownScopes as readonly string[]).includes(scope));
  if (scopes.length === 0 || unknown.length > 0) {
    const what = scopes.length === 0 ? "a key needs a scope" : `there is no scope ${unknown.join(", ")}`;
    throw new AppError("bad_request", `${what}; the scopes are ${knownScopes.join(", ")}`);
  }
  return [...new Set(scopes)] as Scope[];
}

function describe(row: KeyRow): ApiKey {
  return {
    id: formatObjectId("key", row.id),
    name: row.name,
    hint: row.hint,
    scopes: row.scopes,
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
  };
}
