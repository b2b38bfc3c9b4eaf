import { AppError, toAppError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import type { EffectCall, IdempotencySupport, Links, OnceOutcome, OnceWrite } from "./desk.ts";
import { currentCallContext, runWithCallContext } from "./call-context.ts";
import type { EffectIntent, EffectLog, EffectRecord, IntentAnswer } from "./effect-log.ts";

/** How long a call may go on after it was begun, as long as a target does not say otherwise. */
const usualCallSeconds = 30;
/** Added to the target's own times before another effect's claim is taken over: our lookup of the key may be this old by then. */
const claimReserveMs = 60_000;
const busyMs = 2000;

/** Moments between which the state of a write on record changes; a test may end the process at them. */
type OnceMoment = "effect.sent" | "effect.answered" | "effect.recorded" | "effect.looked_up";

interface OnceFacts {
  readonly effectKey: string;
  readonly signal: AbortSignal;
  readonly idempotency: IdempotencySupport;
  /** Not asked for on a target with idempotency keys, unless the driver uses links. */
  readonly log: () => EffectLog;
  /** Passed at its moments where given. */
  readonly pass?: (moment: OnceMoment) => void;
}

/** What a driver gets along with an operation. Reads what is on record of the effect first, except for a target with idempotency keys. */
export async function createEffectCall(facts: OnceFacts): Promise<EffectCall> {
  const { effectKey, signal, idempotency, log } = facts;
  const records = idempotency.kind === "key" ? [] : await log().read(effectKey);
  const byStep = new Map(records.map((record) => [record.step, record]));
  return {
    effectKey,
    signal,
    once: (write) => (idempotency.kind === "key" ? send(write) : once(write, byStep.get(write.step), facts)),
    begun: (step) => (byStep.get(step)?.state ?? "planned") !== "planned",
    links: createLinks(log),
  };
}

function createLinks(log: () => EffectLog): Links {
  const seen = new Map<string, string | undefined>();
  const placeOf = (kind: string, key: string): string => `${kind}\n${key}`;
  return {
    get: async (kind, key) => {
      const object = await log().link(kind, key);
      seen.set(placeOf(kind, key), object?.id);
      return object;
    },
    set: async (kind, key, object) => {
      const place = placeOf(kind, key);
      await log().setLink(kind, key, object, seen.get(place));
      seen.set(place, object.id);
    },
  };
}

async function send(write: OnceWrite): Promise<OnceOutcome> {
  return { how: "sent", object: await write.send() };
}

async function once(
  write: OnceWrite,
  record: EffectRecord | undefined,
  facts: OnceFacts,
): Promise<OnceOutcome> {
  const { effectKey, idempotency, pass } = facts;
  const log = facts.log();
  const step = { effectKey, step: write.step };
  if (record?.state === "done") {
    // A person who vouched for the write did not name its object.
    return { how: "recorded", object: record.object ?? { id: "" } };
  }
  if (record?.state === "sent") {
    const found = await lookUp(write, record, idempotency);
    pass?.("effect.looked_up");
    const [object] = found;
    if (object !== undefined) {
      await log.done({ ...step, tries: record.tries }, object);
      return { how: "found", object, ...(found.length > 1 ? { matches: found.length } : {}) };
    }
  }
  const intent: EffectIntent = {
    ...step,
    ...(write.claims === undefined ? {} : { claims: write.claims }),
    ...(write.place === undefined ? {} : { place: write.place }),
    claimHoldsMs: callMs(idempotency) + lagMs(idempotency) + claimReserveMs,
  };
  const answer = await log.sent(intent);
  if (answer.kind === "taken") return { how: "taken", object: answer.object };
  const note: Note = { tries: triesOf(answer), at: performance.now() };
  pass?.("effect.sent");
  const object = await sendNoted(write, intent, note, facts);
  pass?.("effect.answered");
  await log.done({ ...step, tries: note.tries }, object);
  pass?.("effect.recorded");
  return { how: "sent", object };
}

/** The intent as it is on record: which try it is, and when it was noted, on this process's monotonic clock. */
interface Note {
  tries: number;
  at: number;
}

/** From when on an intent is noted anew before its call is begun: lookups reckon from the note, and a call may have waited for its turn. */
const staleNoteMs = 2000;

function triesOf(answer: IntentAnswer): number {
  if (answer.kind === "noted") return answer.tries;
  if (answer.kind === "lost") throw new AppError("lease_lost", "another worker has taken the delivery over");
  throw pending("another delivery is making the same object", busyMs, "busy");
}

async function sendNoted(
  write: OnceWrite,
  intent: EffectIntent,
  note: Note,
  facts: OnceFacts,
): ReturnType<OnceWrite["send"]> {
  const log = facts.log();
  const outer = currentCallContext();
  const beforeCall = async (): Promise<void> => {
    await outer?.beforeCall?.();
    if (performance.now() - note.at < staleNoteMs) return;
    note.tries = triesOf(await log.sent(intent));
    note.at = performance.now();
  };
  try {
    return await runWithCallContext({ priority: "live", ...outer, beforeCall }, write.send);
  } catch (thrown) {
    const error = toAppError(thrown);
    const tried = { effectKey: intent.effectKey, step: intent.step, tries: note.tries };
    // Cut off by our own shutdown, or overtaken by another worker: how the call ended was not seen.
    if (facts.signal.aborted || error.code === "lease_lost") throw thrown;
    if (hasNotActed(error)) {
      await log.planned(tried);
      throw thrown;
    }
    // Only the target's own answer says that it is through with the call.
    if (isAnswered(error)) await log.ended(tried);
    if (write.find === undefined) throw unknown(error);
    throw thrown;
  }
}

async function lookUp(
  write: OnceWrite,
  record: EffectRecord,
  idempotency: IdempotencySupport,
): ReturnType<NonNullable<OnceWrite["find"]>> {
  if (write.find === undefined || idempotency.kind === "none") throw unknown(undefined);
  // A call may begin as long after its note as the note is not stale.
  const waitMs =
    record.endedAgoMs === undefined
      ? staleNoteMs + callMs(idempotency) + lagMs(idempotency) - record.sentAgoMs
      : lagMs(idempotency) - record.endedAgoMs;
  if (waitMs > 0)
    throw pending("the target cannot tell yet whether an earlier try took effect", waitMs, "lag");
  return write.find(record.place);
}

function callMs(idempotency: IdempotencySupport): number {
  const seconds = idempotency.kind === "lookup" ? idempotency.callSeconds : undefined;
  return (seconds ?? usualCallSeconds) * 1000;
}

function lagMs(idempotency: IdempotencySupport): number {
  return idempotency.kind === "lookup" ? idempotency.lagSeconds * 1000 : 0;
}

/** Answers by which a target says that it did not do what it was asked. */
const refusals: readonly ErrorCode[] = [
  "target_rate_limited",
  "target_unauthorized",
  "target_not_found",
  "target_conflict",
  "target_rejected",
  "operation_invalid",
];

/** Faults of a connection that was never made, as the HTTP client tells them. A driver may say `reached: false` of others. */
const neverReached: readonly unknown[] = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"];

function hasNotActed(error: AppError): boolean {
  const { reached, reason } = error.details;
  return refusals.includes(error.code) || reached === false || neverReached.includes(reason);
}

/** A call that broke off may act still, and so may one that a gateway gave up on the target's behalf. */
function isAnswered({ details: { status } }: AppError): boolean {
  return typeof status === "number" && status !== 502 && status !== 504;
}

function pending(why: string, retryAfterMs: number, reason: "busy" | "lag"): AppError {
  return new AppError("effect_pending", why, {
    retryAfterMs: Math.ceil(retryAfterMs),
    details: { reason },
  });
}

function unknown(cause: AppError | undefined): AppError {
  return new AppError(
    "effect_unknown",
    "whether the target carried out the write is unknown, and it cannot be asked; look there, then resolve the dead letter",
    cause === undefined ? {} : { cause },
  );
}
