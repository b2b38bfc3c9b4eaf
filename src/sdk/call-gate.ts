import { AppError } from "../errors.ts";
import type { CallPriority } from "./call-context.ts";
import { currentCallContext } from "./call-context.ts";
import { parseRetryAfter } from "./http-fault.ts";
import type { HttpBudget, HttpRequest, RateAnswer, RateReading } from "./http.ts";

/** The rate budget of one account, as a client sees it. */
export interface CallGate {
  /** Resolves when a call of this weight may be made, at once; rejects with the signal's reason when it is aborted first. */
  readonly take: (weight: number, priority: CallPriority, signal: AbortSignal | undefined) => Promise<void>;
  /** A call that was granted is not made after all. */
  readonly giveBack: (weight: number) => void;
  /** What the vendor said about its limit. */
  readonly learn: (reading: RateReading) => void;
}

/**
 * Waits for what must come before a request is written: its budget, then the check of whoever runs the call. Undefined when there is
 * nothing to wait for, which costs next to nothing.
 */
export function beforeRequest(
  gate: CallGate | undefined,
  budget: HttpBudget | undefined,
  request: HttpRequest,
): Promise<void> | undefined {
  const context = currentCallContext();
  const beforeCall = context?.beforeCall;
  if (gate === undefined) return beforeCall?.() ?? undefined;
  const weight = budget?.weight?.(request) ?? 1;
  return waitForTurn(gate, weight, context?.priority ?? "live", beforeCall, request);
}

async function waitForTurn(
  gate: CallGate,
  weight: number,
  priority: CallPriority,
  beforeCall: (() => Promise<void> | void) | undefined,
  request: HttpRequest,
): Promise<void> {
  if (weight > 0) await takeInTime(gate, weight, priority, request);
  try {
    await beforeCall?.();
  } catch (error) {
    if (weight > 0) gate.giveBack(weight);
    throw error;
  }
}

async function takeInTime(
  gate: CallGate,
  weight: number,
  priority: CallPriority,
  { method, path, signal }: HttpRequest,
): Promise<void> {
  try {
    await gate.take(weight, priority, signal);
  } catch (error) {
    // Nothing was sent, so this is no timeout of the target's, after which nobody knows what it did.
    if (!(error instanceof DOMException) || error.name !== "TimeoutError") throw error;
    const call = `${method} ${path.split("?", 1)[0] ?? ""}`;
    throw new AppError(
      "target_rate_limited",
      `${call}: no room in the rate budget in time; nothing was sent`,
    );
  }
}

/** How long an account is left alone whose 429 did not say for how long. */
const unsaidPauseMs = 5_000;

/** Tells the gate what an answer says about the limit. A 429 closes it for its `Retry-After`, unless the reader knows better. */
export function learnFrom(
  gate: CallGate,
  budget: HttpBudget | undefined,
  answer: RateAnswer,
  now: number,
): void {
  const read = budget?.read?.(answer, now);
  if (answer.status !== 429) {
    if (read !== undefined) gate.learn(read);
    return;
  }
  const retryAfterMs =
    read?.retryAfterMs ?? parseRetryAfter(answer.headers, now) ?? read?.resetMs ?? unsaidPauseMs;
  gate.learn({ ...read, retryAfterMs });
}
