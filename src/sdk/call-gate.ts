import { AppError } from "../errors.ts";
import type { CallContext, CallPriority } from "./call-context.ts";
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
  return waitForTurn(gate, weight, context ?? { priority: "live" }, request);
}

async function waitForTurn(
  gate: CallGate,
  weight: number,
  context: CallContext,
  request: HttpRequest,
): Promise<void> {
  if (weight > 0) await takeInTime(gate, weight, context, request);
  try {
    await context.beforeCall?.();
  } catch (error) {
    if (weight > 0) gate.giveBack(weight);
    throw error;
  }
}

async function takeInTime(
  gate: CallGate,
  weight: number,
  { priority, leaving }: CallContext,
  { method, path, signal }: HttpRequest,
): Promise<void> {
  const end = firstOf(signal, leaving);
  try {
    await gate.take(weight, priority, end.signal);
  } catch (error) {
    const call = `${method} ${path.split("?", 1)[0] ?? ""}`;
    if (leaving?.aborted === true && signal?.aborted !== true) {
      throw new AppError("target_rate_limited", `${call}: given up before its turn; nothing was sent`, {
        details: { reason: givenUp },
      });
    }
    // Nothing was sent, so this is no timeout of the target's, after which nobody knows what it did.
    if (!(error instanceof DOMException) || error.name !== "TimeoutError") throw error;
    throw new AppError(
      "target_rate_limited",
      `${call}: no room in the rate budget in time; nothing was sent`,
    );
  } finally {
    end.release();
  }
}

const givenUp = "leaving";

/** Whether a call was given up before its turn because its caller is leaving: it says nothing about the target. */
export function isGivenUp({ code, details }: AppError): boolean {
  return code === "target_rate_limited" && details["reason"] === givenUp;
}

interface End {
  readonly signal: AbortSignal | undefined;
  readonly release: () => void;
}

/** Aborted with the first of two signals. `AbortSignal.any` would stay tied to them for as long as they live, which is as long as a worker. */
function firstOf(caller: AbortSignal | undefined, leaving: AbortSignal | undefined): End {
  if (leaving === undefined) return { signal: caller, release: () => undefined };
  const either = new AbortController();
  const release = [caller, leaving].map((signal) => {
    const onAbort = (): void => either.abort(signal?.reason);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    return () => signal?.removeEventListener("abort", onAbort);
  });
  return { signal: either.signal, release: () => release.forEach((remove) => remove()) };
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
