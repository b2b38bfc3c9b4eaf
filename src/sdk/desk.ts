import type { OperationInput, OperationName } from "../model/operation.ts";

/**
 * What the target can do to make a write happen once. `key`: it takes an idempotency key and remembers it for `windowSeconds`. `lookup`: it
 * has no keys, but what was written can be found again, `lagSeconds` after the write at the latest. `none`: neither.
 */
export type IdempotencySupport =
  | { readonly kind: "key"; readonly windowSeconds: number }
  | { readonly kind: "lookup"; readonly lagSeconds: number }
  | { readonly kind: "none" };

/** Goes with every write. */
export interface EffectCall {
  /** Stable over retries and restarts, unique per effect, at most 255 printable ASCII characters. */
  readonly effectKey: string;
  readonly signal: AbortSignal;
}

/** What the operation did on the desk. */
export type EffectResult =
  | "created"
  | "appended"
  | "reopened"
  | "followed_up"
  | "updated"
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
  /** True when the target recognised the effect key and did nothing again. */
  readonly replayed?: boolean;
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
