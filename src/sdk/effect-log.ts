import type { LinkClaim, RemoteObject } from "./desk.ts";

/**
 * How far a write to a target without idempotency keys has come. `planned`: it has certainly not been made. `sent`: it may have been.
 * `done`: it has, and made or changed `object`.
 */
export type EffectState = "planned" | "sent" | "done";

/** One write on record. */
export interface EffectRecord {
  readonly step: string;
  readonly state: EffectState;
  readonly object?: RemoteObject;
  /** The object that it was to add to. */
  readonly place?: RemoteObject;
  /** How many times it was noted as sent. */
  readonly tries: number;
  /** How long ago the call was begun, in milliseconds of the log's own clock; 0 for one that was never sent. */
  readonly sentAgoMs: number;
  /** How long ago the call ended without telling whether it took effect; absent when its end was not seen. */
  readonly endedAgoMs?: number;
}

/** Which write of which effect. */
export interface EffectStep {
  readonly effectKey: string;
  readonly step: string;
}

/** One of its tries: what a worker says that was overtaken by a later try is not written down. */
export interface EffectTry extends EffectStep {
  readonly tries: number;
}

/** A write that is about to be sent. */
export interface EffectIntent extends EffectStep {
  readonly claims?: LinkClaim;
  readonly place?: RemoteObject;
  /** After how long another effect's claim to the key may be taken over, in milliseconds since its call was begun. */
  readonly claimHoldsMs: number;
}

/**
 * What the log says to an intent: go on with this try, the key names an object already, another effect is making one, or another worker has taken
 * the delivery over.
 */
export type IntentAnswer =
  | { readonly kind: "noted"; readonly tries: number }
  | { readonly kind: "taken"; readonly object: RemoteObject }
  | { readonly kind: "busy" }
  | { readonly kind: "lost" };

/** The record of writes to one connection. Only `sent` waits for the disk; what the others note is durable with the next thing that is. */
export interface EffectLog {
  readonly read: (effectKey: string) => Promise<readonly EffectRecord[]>;
  /** Durable when it resolves with `noted`; with anything else nothing was written. */
  readonly sent: (intent: EffectIntent) => Promise<IntentAnswer>;
  /** The write has been made; a key that was claimed names the object from now on. */
  readonly done: (step: EffectTry, object: RemoteObject) => Promise<void>;
  /** The call is over and the write has certainly not been made; a claimed key is free again. */
  readonly planned: (step: EffectTry) => Promise<void>;
  /** The target has answered, but not whether the call took effect. */
  readonly ended: (step: EffectTry) => Promise<void>;
  readonly link: (kind: string, key: string) => Promise<RemoteObject | undefined>;
  /** Changes nothing when the key has come to name another object than the one with the id that was `seen`, or than none. */
  readonly setLink: (
    kind: string,
    key: string,
    object: RemoteObject,
    seen: string | undefined,
  ) => Promise<void>;
}
