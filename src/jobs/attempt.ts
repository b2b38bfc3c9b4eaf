import type { AppError, ErrorCode } from "../errors.ts";
import { toAppError } from "../errors.ts";
import { keptOperations } from "../flows/kept-operations.ts";
import type { AttemptRecord, Mail, Settlement } from "../ledger/ledger.ts";
import type { Event } from "../model/event.ts";
import { runWithCallContext } from "../sdk/call-context.ts";
import { isGivenUp } from "../sdk/call-gate.ts";
import { backoffMs, maxAttempts } from "./backoff.ts";
import type { AttemptContext, Progress } from "./deliver.ts";
import { deliver } from "./deliver.ts";

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

/** For how long the target must be left alone, in milliseconds, and why. */
export interface Pause {
  readonly forMs: number;
  readonly reason: ErrorCode | "breaker_open";
}

/** What an attempt says about its target: it took our call, it is in trouble, or nothing. */
export type TargetHealth = "well" | "failing" | "unknown";

export interface Attempted {
  readonly settlement: Settlement;
  readonly pause: Pause | undefined;
  readonly health: TargetHealth;
}

/** Makes one attempt at a delivery: enrich, decide, map, send. Never throws for the delivery's sake; only a lost lease gets out. */
export async function attemptDelivery(mail: Mail, context: AttemptContext): Promise<Attempted> {
  const { engine, priority, holdLease, leaving } = context;
  const startedAt = engine.now();
  const clock = performance.now();
  const progress: Progress = { receipts: [], operations: undefined };
  const outcome = await runWithCallContext({ priority, beforeCall: holdLease, leaving }, () =>
    makeAttempt(mail, context, progress),
  );
  const durationMs = performance.now() - clock;
  const settlement = toSettlement(mail, outcome, context, { startedAt, durationMs, progress });
  report(mail, context, outcome, settlement, durationMs);
  const pause =
    outcome.kind === "snooze" && outcome.pauses
      ? { forMs: outcome.dueInMs, reason: outcome.error.code }
      : undefined;
  return { settlement, pause, health: healthOf(outcome, progress) };
}

async function makeAttempt(mail: Mail, context: AttemptContext, progress: Progress): Promise<Outcome> {
  try {
    const event = await enrich(mail.event, context);
    try {
      return await deliver(mail, event, context, progress);
    } catch (error) {
      return outcomeOf(error, mail, context, true);
    }
  } catch (error) {
    // What an event's own system answers says nothing about the target: it is not paused for it.
    return outcomeOf(error, mail, context, false);
  }
}

function healthOf(outcome: Outcome, { receipts, operations }: Progress): TargetHealth {
  // Before the mapping nothing was sent: the trouble, if any, is elsewhere.
  if (operations === undefined) return "unknown";
  if (outcome.kind === "done") return receipts.some(({ replayed }) => replayed !== true) ? "well" : "unknown";
  if (outcome.kind === "skipped") return "unknown";
  const { code } = outcome.error;
  if (troubles.includes(code)) return "failing";
  return answers.includes(code) ? "well" : "unknown";
}

/** Errors of a target that is in trouble, and those of one that is well and says no. */
const troubles: readonly ErrorCode[] = ["target_unavailable", "target_timeout", "target_protocol"];
const answers: readonly ErrorCode[] = ["target_rejected", "target_not_found", "target_conflict"];

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
  if (signal.aborted || isGivenUp(error)) return { kind: "snooze", dueInMs: 0, error, pauses: false };
  switch (error.retry) {
    case "retry_after": {
      // An effect whose outcome cannot be told yet holds up nothing but its own lane.
      const own = error.code === "effect_pending";
      return { kind: "snooze", dueInMs: error.retryAfterMs ?? unsaidPauseMs, error, pauses: pauses && !own };
    }
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

interface AttemptFacts {
  readonly startedAt: number;
  readonly durationMs: number;
  readonly progress: Progress;
}

function toSettlement(
  mail: Mail,
  outcome: Outcome,
  { engine }: AttemptContext,
  { startedAt, durationMs, progress }: AttemptFacts,
): Settlement {
  const { delivery } = mail;
  const { config, flows } = engine.setup();
  const base: AttemptRecord = {
    startedAt,
    durationMs,
    receipts: progress.receipts.map((receipt) => ({ ...receipt })),
    outcome: outcome.kind,
    config: config.version,
  };
  switch (outcome.kind) {
    case "done":
      return { delivery, status: "done", counts: true, attempt: base };
    case "skipped":
      return { delivery, status: "skipped", counts: true, attempt: { ...base, message: outcome.reason } };
    case "dead": {
      const operations =
        progress.operations === undefined ? undefined : keptOperations(progress.operations, config.secrets);
      const attempt = {
        ...withError(base, outcome.error),
        ...(operations === undefined ? {} : { operations }),
      };
      const hold = flows.get(mail.flow)?.onDead === "hold";
      return { delivery, status: "dead", counts: true, attempt, ...(hold ? { hold } : {}) };
    }
    case "retry":
    case "snooze": {
      const counts = outcome.kind === "retry";
      const attempt = withError(base, outcome.error);
      return { delivery, status: "pending", dueInMs: outcome.dueInMs, counts, attempt };
    }
  }
}

function withError(base: AttemptRecord, { code, message }: AppError): AttemptRecord {
  return { ...base, code, message };
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
