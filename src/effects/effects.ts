import { hash } from "node:crypto";
import { AppError } from "../errors.ts";
import type { Event } from "../model/event.ts";
import type { Operation } from "../model/operation.ts";
import type { Desk, EffectCall, EffectReceipt } from "../sdk/desk.ts";
import type { EffectLog } from "../sdk/effect-log.ts";
import { createEffectCall } from "../sdk/write-once.ts";
import type { CrashPoint } from "../telemetry/crash-point.ts";

/**
 * The stable key of one effect: the same event, flow, place in the flow and operation give the same key on every attempt, in every process. It
 * is 43 characters of base64url, so that no target can read a customer's data out of it.
 */
export function effectKey(event: Event, flow: string, index: number, operation: Operation["name"]): string {
  const parts = [event.source, event.id, flow, String(index), operation];
  return hash("sha256", parts.join("\n"), "base64url");
}

/** Why operations may not be sent to this desk, or undefined when they may. */
export function refusalOf(desk: Desk, operations: readonly Operation["name"][]): string | undefined {
  const missing = operations.find((name) => desk.operations[name] === undefined);
  return missing === undefined ? undefined : `does not offer the operation ${missing}`;
}

/** What is known of an effect besides its operation. */
export interface EffectFacts {
  readonly effectKey: string;
  readonly signal: AbortSignal;
  /** The record of this delivery's writes, for a target that takes no keys. */
  readonly log: () => EffectLog;
  /** The target was called for this effect before, so long ago that it has forgotten the key. */
  readonly keyForgotten: boolean;
  readonly crashPoint: CrashPoint;
}

/**
 * Carries out one operation on a desk, once, by the path that the desk's declared abilities leave: with its effect key, with a record of each
 * write and a lookup, or at most once. Throws `effect_pending` and `effect_unknown` besides what the desk throws.
 */
export async function carryOut(desk: Desk, operation: Operation, facts: EffectFacts): Promise<EffectReceipt> {
  const refusal = refusalOf(desk, [operation.name]);
  if (refusal !== undefined) throw new AppError("capability_missing", `the target ${refusal}`);
  const { idempotency } = desk;
  const { effectKey: key, signal, log, crashPoint } = facts;
  // Name and input come out of the same parsed operation; TypeScript cannot follow that through the table.
  const run = desk.operations[operation.name] as (input: unknown, call: EffectCall) => Promise<EffectReceipt>;
  if (idempotency.kind === "key" && facts.keyForgotten) return askFirst(operation, run, facts);
  const call = await createEffectCall({ effectKey: key, signal, idempotency, log, pass: crashPoint });
  const receipt = await run(operation.input, call);
  if (idempotency.kind === "key") crashPoint("effect.answered");
  return receipt;
}

/** With its key forgotten the target would do it again, so the operation as a whole is a write that only a person can vouch for. */
async function askFirst(
  operation: Operation,
  run: (input: unknown, call: EffectCall) => Promise<EffectReceipt>,
  { effectKey: key, signal, log, crashPoint }: EffectFacts,
): Promise<EffectReceipt> {
  const [known] = await log().read(key);
  const none = { kind: "none" } as const;
  const call = await createEffectCall({ effectKey: key, signal, idempotency: none, log, pass: crashPoint });
  if (known === undefined) {
    // On record as sent, so that it can be resolved like any other.
    const answer = await log().sent({ effectKey: key, step: "operation", claimHoldsMs: 0 });
    if (answer.kind === "lost") throw leaseLost();
    throw new AppError(
      "effect_unknown",
      "an earlier try may have carried this out, and the target has forgotten its key by now; look there, then resolve the dead letter",
    );
  }
  let receipt: EffectReceipt = {
    result: "unchanged",
    kind: operation.name.split(".")[0] ?? "",
    replayed: true,
  };
  await call.once({
    step: "operation",
    send: async () => {
      receipt = await run(operation.input, call);
      return { id: receipt.id ?? "" };
    },
  });
  return receipt;
}

function leaseLost(): AppError {
  return new AppError("lease_lost", "another worker has taken the delivery over");
}
