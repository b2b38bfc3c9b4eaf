import { createHash } from "node:crypto";
import { AppError } from "../errors.ts";
import type { Event } from "../model/event.ts";
import type { Operation } from "../model/operation.ts";
import type { Desk, EffectCall, EffectReceipt } from "../sdk/desk.ts";

/**
 * The stable key of one effect: the same event, flow and place in the flow give the same key on every attempt, in every process. It
 * is 43 characters of base64url, so that no target can read a customer's data out of it.
 */
export function effectKey(event: Event, flow: string, index: number): string {
  const parts = [event.source, event.id, flow, String(index)];
  return createHash("sha256").update(parts.join("\n")).digest("base64url");
}

/** Why operations may not be sent to this desk, or undefined when they may. */
export function refusalOf(desk: Desk, operations: readonly Operation["name"][]): string | undefined {
  // A target without keys needs every effect on record before and after the call; until that is there it is refused, not risked.
  if (desk.idempotency.kind !== "key") {
    return "takes no idempotency keys; this version writes only to targets that do";
  }
  const missing = operations.find((name) => desk.operations[name] === undefined);
  return missing === undefined ? undefined : `does not offer the operation ${missing}`;
}

/** Sends one operation to a desk that takes idempotency keys; sending it again with the same key changes nothing there. */
export async function carryOut(desk: Desk, operation: Operation, call: EffectCall): Promise<EffectReceipt> {
  const refusal = refusalOf(desk, [operation.name]);
  if (refusal !== undefined) throw new AppError("capability_missing", `the target ${refusal}`);
  // Name and input come out of the same parsed operation; TypeScript cannot follow that through the table.
  const run = desk.operations[operation.name] as (input: unknown, call: EffectCall) => Promise<EffectReceipt>;
  return run(operation.input, call);
}
