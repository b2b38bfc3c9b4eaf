import { LRUCache } from "lru-cache";
import { AppError } from "../errors.ts";
import { hashKey } from "./key.ts";
import { bootstrapId } from "./scope.ts";
import { formatObjectId } from "./object-id.ts";
import type { Caller, Scope } from "./scope.ts";
import type { DeskStore } from "./store/store.ts";

/** Tells who a key belongs to. */
export interface KeyRing {
  /** The caller with this key; throws `unauthorized`. */
  readonly authenticate: (key: string) => Promise<Caller>;
  /** Forgets what is remembered of keys, so that the next use of each is looked up. */
  readonly forget: () => void;
  /** Writes down when keys were used. */
  readonly flush: () => Promise<void>;
}

interface KeyRingOptions {
  readonly store: DeskStore;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A key with every scope that is not in the database. */
  readonly bootstrapKey: string | undefined;
}

interface Looked {
  readonly caller: Caller | undefined;
  readonly keyId: number;
}

const cacheMs = 5000;

export function createKeyRing({ store, now, bootstrapKey }: KeyRingOptions): KeyRing {
  const uses = new Map<number, Date>();
  const bootstrapHash = bootstrapKey === undefined ? undefined : hashKey(bootstrapKey).toString("hex");
  const bootstrap: Caller = { id: bootstrapId, name: "bootstrap", scopes: new Set<Scope>(["admin"]) };
  // Unknown keys are remembered too, so that guessing does not reach the database each time.
  const cache = new LRUCache<string, Looked>({
    max: 1000,
    ttl: cacheMs,
    perf: { now },
    ttlResolution: 0,
    fetchMethod: async (hash) => {
      const row = await store.findKey(Buffer.from(hash, "hex"));
      if (row === undefined) return { caller: undefined, keyId: 0 };
      const caller = { id: formatObjectId("key", row.id), name: row.name, scopes: new Set(row.scopes) };
      return { caller, keyId: row.id };
    },
  });
  return {
    authenticate: async (key) => {
      const hash = hashKey(key).toString("hex");
      if (hash === bootstrapHash) return bootstrap;
      const { caller, keyId } = await cache.forceFetch(hash);
      if (caller === undefined) {
        throw new AppError("unauthorized", "the API key is not known, or was revoked");
      }
      uses.set(keyId, new Date(now()));
      return caller;
    },
    forget: () => cache.clear(),
    flush: async () => {
      if (uses.size === 0) return;
      const taken = new Map(uses);
      uses.clear();
      await store.touchKeys(taken);
    },
  };
}
