import type { Pause, TargetHealth } from "./attempt.ts";

/** The last outcomes count, at most so many and so old. */
const lastOutcomes = 20;
const outcomesForMs = 60_000;
/** It opens when there are at least so many of them and half of them are failures. */
const fewestOutcomes = 8;
const firstPauseMs = 5000;
const longestPauseMs = 300_000;

interface BreakerOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** The leave to make one attempt. Reports how it went, once; answers with a pause when that opens the breaker. */
export type Admission = (health: TargetHealth) => Pause | undefined;

/**
 * Keeps a target that fails from being called for nothing. Closed, it counts; when half of the last calls failed it opens, and the target
 * is paused. After that, and after any other pause, it is half open: one attempt at a time goes through as a probe, until one goes well.
 */
export interface Breaker {
  /** Undefined when nothing may be attempted now, because a probe is under way. */
  readonly admit: () => Admission | undefined;
  /** The target was paused for another reason, such as a refused credential: the first attempts after it are probes. */
  readonly doubt: () => void;
  readonly isHalfOpen: () => boolean;
}

export function createBreaker({ now, random }: BreakerOptions): Breaker {
  const window = createWindow(now);
  let openings = 0;
  let halfOpen = false;
  let probing = false;
  /** What was let in before the last change of state says nothing about the time since. */
  let era = 0;

  const enterHalfOpen = (): void => {
    halfOpen = true;
    probing = false;
    window.clear();
    era += 1;
  };

  const open = (): Pause => {
    enterHalfOpen();
    const ceiling = Math.min(longestPauseMs, firstPauseMs * 2 ** openings);
    openings += 1;
    // Not all processes at the same moment.
    const forMs = Math.round(ceiling * (0.75 + random() / 2));
    return { forMs, reason: "breaker_open" };
  };

  const endProbe = (health: TargetHealth): Pause | undefined => {
    probing = false;
    if (health === "failing") return open();
    if (health === "well") {
      halfOpen = false;
      openings = 0;
      era += 1;
    }
    return undefined;
  };

  return {
    admit: () => {
      if (probing) return undefined;
      probing = halfOpen;
      const admittedIn = era;
      return (health) => {
        if (admittedIn !== era) return undefined;
        if (halfOpen) return endProbe(health);
        if (health === "unknown") return undefined;
        return window.fails(health === "failing") ? open() : undefined;
      };
    },
    doubt: () => {
      if (!halfOpen) enterHalfOpen();
    },
    isHalfOpen: () => halfOpen,
  };
}

/** The last outcomes of calls. */
function createWindow(now: () => number) {
  let outcomes: readonly { readonly at: number; readonly failed: boolean }[] = [];
  return {
    clear: (): void => {
      outcomes = [];
    },
    /** Takes one more in; whether there are enough of them now, and half of them failed. */
    fails: (failed: boolean): boolean => {
      // With nothing but successes there is nothing to keep.
      if (!failed && outcomes.length === 0) return false;
      const at = now();
      const recent = outcomes.filter((one) => at - one.at <= outcomesForMs);
      outcomes = [...recent, { at, failed }].slice(-lastOutcomes);
      const failures = outcomes.filter((one) => one.failed).length;
      return outcomes.length >= fewestOutcomes && failures * 2 >= outcomes.length;
    },
  };
}
