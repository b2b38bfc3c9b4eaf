import type { SettledAttempt } from "./store/webhooks.ts";
import type { WebhookAnswer } from "./webhook-call.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

/** How long a delivery is tried, from its first attempt on. */
export const triedForMs = 72 * hour;

/** The most that the pause after each attempt may be; the last one holds for all that follow. */
const ceilings = [
  5 * second,
  30 * second,
  2 * minute,
  10 * minute,
  30 * minute,
  hour,
  2 * hour,
  4 * hour,
  6 * hour,
  8 * hour,
];
const shortestMs = second;
/** A receiver may ask for no more than this. */
const longestRetryAfterMs = 24 * hour;

interface AttemptFacts {
  /** Attempts so far, this one counted. */
  readonly attempts: number;
  readonly firstAt: number;
  readonly now: number;
  /** In [0, 1). */
  readonly random: () => number;
}

type Outcome = Pick<SettledAttempt, "result" | "due_at" | "paused_until" | "disabled_reason">;

/**
 * What an answer means. 2xx is delivered. Everything else is tried again after a pause of full jitter, or as `Retry-After` says, for 72 hours.
 * 410 switches the webhook off. 429, 502, 503 and 504 with `Retry-After` let the whole webhook rest until then.
 */
export function outcomeOf(
  answer: Pick<WebhookAnswer, "status" | "retryAfter">,
  facts: AttemptFacts,
): Outcome {
  const { status } = answer;
  if (status !== null && status >= 200 && status < 300) return { result: "delivered" };
  if (status === 410) {
    // Stays to be sent, should somebody switch the webhook on again.
    return { result: "retry", due_at: timeText(facts.now), disabled_reason: "gone" };
  }
  const until = facts.firstAt + triedForMs;
  if (facts.now >= until) return { result: "failed" };
  const asked = retryAfterMs(answer.retryAfter, facts.now);
  const pauseMs = Math.max(asked ?? 0, jitterMs(facts));
  const rests = asked !== undefined && [429, 502, 503, 504].includes(status ?? 0);
  return {
    result: "retry",
    // The last attempt comes when the time is over, not long before. What the receiver asked for goes before that.
    due_at: timeText(Math.max(Math.min(facts.now + pauseMs, until), facts.now + (asked ?? 0))),
    ...(rests ? { paused_until: timeText(facts.now + asked) } : {}),
  };
}

function jitterMs({ attempts, random }: AttemptFacts): number {
  const ceiling = ceilings[Math.min(attempts, ceilings.length) - 1] ?? shortestMs;
  return Math.max(shortestMs, Math.floor(random() * ceiling));
}

/** Seconds, or an HTTP date. */
function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * second : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), longestRetryAfterMs);
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
