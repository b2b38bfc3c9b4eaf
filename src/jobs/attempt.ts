import { AppError, toAppError } from "../errors.ts";
import { carryOut, effectKey } from "../effects/effects.ts";
import type { AttemptRecord, Mail, Settlement } from "../ledger/ledger.ts";
import type { Event } from "../model/event.ts";
import type { EffectReceipt } from "../sdk/desk.ts";
import { backoffMs, maxAttempts } from "./backoff.ts";
import type { Engine } from "./engine.ts";

/** How long a target is left alone that said "slow down" without saying for how long, and one that refused our credential. */
const unsaidPauseMs = 5000;
const credentialPauseMs = 60_000;

/** How an attempt ended. The engine's next step follows from the kind alone. */
type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "skipped"; readonly reason: string }
  /** Try this delivery again; the attempt counts. */
  | { readonly kind: "retry"; readonly dueInMs: number; readonly error: AppError }
  /** Come back after `dueInMs`; the attempt does not count. With `pauses`, the target takes nothing from anybody before then. */
  | { readonly kind: "snooze"; readonly dueInMs: number; readonly error: AppError; readonly pauses: boolean }
  | { readonly kind: "dead"; readonly error: AppError };

type Receipt = EffectReceipt & { readonly operation: string };

/** For how long the target must be left alone, in milliseconds, and why. */
export interface Pause {
  readonly forMs: number;
  readonly reason: string;
}

export interface Attempted {
  readonly settlement: Settlement;
  readonly pause: Pause | undefined;
}

interface AttemptContext {
  readonly engine: Engine;
  readonly target: string;
  readonly signal: AbortSignal;
  /** Makes sure that the lane is still ours, before anything is sent. */
  readonly holdLease: () => Promise<void>;
}

/** Makes one attempt at a delivery: enrich, decide, map, send. Never throws for the delivery's sake; only a lost lease gets out. */
export async function attemptDelivery(mail: Mail, context: AttemptContext): Promise<Attempted> {
  const { engine, target } = context;
  const startedAt = engine.now();
  const clock = performance.now();
  const receipts: Receipt[] = [];
  let outcome: Outcome;
  try {
    const event = await enrich(mail.event, context);
    try {
      outcome = await deliver(mail, event, context, receipts);
    } catch (error) {
      outcome = outcomeOf(error, mail, context, true);
    }
  } catch (error) {
    // What an event's own system answers says nothing about the target: it is not paused for it.
    outcome = outcomeOf(error, mail, context, false);
  }
  const durationMs = performance.now() - clock;
  const settlement = toSettlement(mail, outcome, { startedAt, durationMs, receipts });
  report(mail, context, outcome, settlement, durationMs);
  const pause =
    outcome.kind === "snooze" && outcome.pauses
      ? { forMs: outcome.dueInMs, reason: `${target}: ${outcome.error.code}` }
      : undefined;
  return { settlement, pause };
}

async function deliver(
  mail: Mail,
  event: Event,
  context: AttemptContext,
  receipts: Receipt[],
): Promise<Outcome> {
  const { engine, target, signal } = context;
  const { flows, connections } = engine.setup();
  const flow = flows.get(mail.flow);
  if (flow === undefined) throw new AppError("flow_removed", `flow ${mail.flow} is no longer configured`);
  const desk = connections.get(target)?.connection.desk;
  if (desk === undefined)
    throw new AppError("connection_unknown", `connection ${target} is not a configured desk`);

  const verdict = flow.when(event);
  if (!verdict.pass) return { kind: "skipped", reason: verdict.reason };
  const operations = flow.map(event);
  for (const [index, operation] of operations.entries()) {
    await engine.budget.take(target, 1, signal);
    await context.holdLease();
    const stopTimer = engine.metrics.targetCall(target, operation.name);
    try {
      const receipt = await carryOut(desk, operation, {
        effectKey: effectKey(event, flow.name, index),
        signal,
      });
      receipts.push({ operation: operation.name, ...receipt });
    } finally {
      stopTimer();
    }
  }
  return { kind: "done" };
}

async function enrich(event: Event, { engine, signal, holdLease }: AttemptContext): Promise<Event> {
  const enricher = engine.setup().connections.get(event.source)?.connection.enrich;
  if (enricher === undefined) return event;
  await holdLease();
  return enricher(event, signal);
}

function outcomeOf(thrown: unknown, mail: Mail, context: AttemptContext, pauses: boolean): Outcome {
  const error = toAppError(thrown);
  if (error.code === "lease_lost") throw error;
  const { engine, signal } = context;
  // Cut off by our own shutdown: the next process does it again, under the same effect key.
  if (signal.aborted) return { kind: "snooze", dueInMs: 0, error, pauses: false };
  switch (error.retry) {
    case "retry_after":
      return { kind: "snooze", dueInMs: error.retryAfterMs ?? unsaidPauseMs, error, pauses };
    case "reconnect":
      return { kind: "snooze", dueInMs: credentialPauseMs, error, pauses };
    case "stop":
      return { kind: "dead", error };
    case "retry": {
      const attempts = mail.attempts + 1;
      if (attempts >= maxAttempts) return { kind: "dead", error };
      return {
        kind: "retry",
        dueInMs: Math.max(error.retryAfterMs ?? 0, backoffMs(attempts, engine.random)),
        error,
      };
    }
  }
}

function toSettlement(
  mail: Mail,
  outcome: Outcome,
  facts: Pick<AttemptRecord, "startedAt" | "durationMs"> & { readonly receipts: readonly Receipt[] },
): Settlement {
  const receipts = facts.receipts.map((receipt) => ({ ...receipt }));
  const base = { ...facts, receipts, outcome: outcome.kind };
  const { delivery } = mail;
  switch (outcome.kind) {
    case "done":
      return { delivery, status: "done", counts: true, attempt: base };
    case "skipped":
      return { delivery, status: "skipped", counts: true, attempt: { ...base, message: outcome.reason } };
    case "dead":
    case "retry":
    case "snooze": {
      const attempt = { ...base, code: outcome.error.code, message: outcome.error.message };
      const counts = outcome.kind !== "snooze";
      if (outcome.kind === "dead") return { delivery, status: "dead", counts, attempt };
      return { delivery, status: "pending", dueInMs: outcome.dueInMs, counts, attempt };
    }
  }
}

function report(
  mail: Mail,
  { engine, target }: AttemptContext,
  outcome: Outcome,
  settlement: Settlement,
  durationMs: number,
): void {
  engine.metrics.delivery(target, mail.flow, outcome.kind, engine.now() - mail.receivedAt);
  const line = {
    delivery: mail.delivery,
    sequence: mail.sequence,
    flow: mail.flow,
    target,
    outcome: outcome.kind,
    attempt: mail.attempts + 1,
    ms: Math.round(durationMs),
    ...(settlement.attempt.code === undefined ? {} : { code: settlement.attempt.code }),
  };
  if (outcome.kind === "dead") engine.logger.error(line, "delivery is dead");
  else if (outcome.kind === "retry" || outcome.kind === "snooze")
    engine.logger.warn(line, "delivery postponed");
  else engine.logger.info(line, "delivery over");
}
