import type { OperationInput, OperationName } from "../model/operation.ts";

/**
 * What the target can do to make a write happen once. `key`: it takes an idempotency key and remembers it for `windowSeconds`. `lookup`: it
 * has no keys, but what was written can be found again, `lagSeconds` after the target acted at the latest; a call that we gave up may act
 * up to `callSeconds` after it began, 30 unless told. `none`: neither, so a write is made at most once.
 */
export type IdempotencySupport =
  | { readonly kind: "key"; readonly windowSeconds: number }
  | { readonly kind: "lookup"; readonly lagSeconds: number; readonly callSeconds?: number }
  | { readonly kind: "none" };

/** An object on the target. */
export interface RemoteObject {
  readonly id: string;
  /** Its number as agents see it. */
  readonly number?: string;
  readonly url?: string;
}

/** One write of an operation that must not be made twice. */
export interface OnceWrite {
  /** Names the write within its operation, such as `create`. What is on record goes by it, so it stays the same over releases. */
  readonly step: string;
  /** Makes the write; called when it is certain that no earlier try has taken effect. */
  readonly send: () => Promise<RemoteObject>;
  /** The object that the write adds to, such as a message's ticket. */
  readonly place?: RemoteObject;
  /** What the target holds of an earlier try, oldest first. Absent where it cannot be found again. `place` is the earlier try's. */
  readonly find?: (place: RemoteObject | undefined) => Promise<readonly RemoteObject[]>;
  /** For a write that makes the object that a key of ours names: no other write makes one for the same key meanwhile. */
  readonly claims?: LinkClaim;
}

/** A key of ours for an object on the target, which is to be made. */
export interface LinkClaim {
  /** What kind of object: `ticket`, `contact`. */
  readonly kind: string;
  readonly key: string;
  /** The id of the object that the key names so far, where the new one takes its place. */
  readonly replaces?: string;
}

/** How the object of a write came to be: by this call, by an earlier try (`found`, `recorded`), or by another effect that claimed its key first. */
export interface OnceOutcome {
  readonly how: "sent" | "found" | "recorded" | "taken";
  readonly object: RemoteObject;
  /** How many objects a lookup found, when more than one: the oldest was taken. */
  readonly matches?: number;
}

/** Which object on the target a key of ours names: durable, shared by all processes. */
export interface Links {
  readonly get: (kind: string, key: string) => Promise<RemoteObject | undefined>;
  /**
   * Notes an object that was found on the target or took another's place there. Left alone when the key has come to name something else since
   * this operation got it: what was found is older news then.
   */
  readonly set: (kind: string, key: string, object: RemoteObject) => Promise<void>;
}

/** Goes with every operation. */
export interface EffectCall {
  /** Stable over retries and restarts, unique per effect, at most 255 printable ASCII characters. */
  readonly effectKey: string;
  readonly signal: AbortSignal;
  /**
   * Makes a write once. On a target with idempotency keys it just sends. On any other the intent is durable before the call; when an earlier
   * try may have arrived, the target is asked first. Throws `effect_pending` while it is too early to ask, `effect_unknown` when it
   * cannot be asked, and whatever `send` and `find` throw.
   */
  readonly once: (write: OnceWrite) => Promise<OnceOutcome>;
  /** Whether an earlier try of this effect got as far as this step. */
  readonly begun: (step: string) => boolean;
  readonly links: Links;
}

/** What the operation did on the desk. */
export type EffectResult =
  | "created"
  | "appended"
  | "reopened"
  | "followed_up"
  | "updated"
  | "sent"
  | "unchanged"
  | "ignored";

/** The target's answer to an operation, kept in the attempt. Holds ids and links, never message text or personal data. */
export interface EffectReceipt {
  readonly result: EffectResult;
  /** What kind of thing `id` is: `ticket`, `message`, `contact`, `order`. */
  readonly kind: string;
  /** The object's id on the target. */
  readonly id?: string;
  /** Its number as agents see it. */
  readonly number?: string;
  readonly url?: string;
  /** True when an earlier try had done it: the target recognised the effect key, or it was found there or on record. */
  readonly replayed?: boolean;
  /** How many objects answered to the key, when more than one: the operation went to the first. */
  readonly matches?: number;
}

export type DeskOperations = {
  readonly [N in OperationName]: (input: OperationInput<N>, call: EffectCall) => Promise<EffectReceipt>;
};

/**
 * A support desk. `operations` holds what it can do; an operation it cannot do is left out and refused when the configuration loads.
 * Every method throws a classified `AppError` (`target_*`).
 */
export interface Desk {
  readonly idempotency: IdempotencySupport;
  readonly operations: Partial<DeskOperations>;
}
