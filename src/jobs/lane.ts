import pRetry from "p-retry";
import { toAppError } from "../errors.ts";
import type { Lease, LeasedLane, Mail, Settled, Settlement } from "../ledger/ledger.ts";
import type { RingPriority } from "../queue/queue.ts";
import type { Pause, TargetHealth } from "./attempt.ts";
import { attemptDelivery } from "./attempt.ts";
import type { Admission, Breaker } from "./breaker.ts";
import type { Engine } from "./engine.ts";

/** How long a lane is ours without a word. A call takes 30 seconds at most, and a lease is prolonged before a call that could outlast it. */
export const leaseMs = 90_000;
const longestCallMs = 30_000;
const leaseReserveMs = longestCallMs + 15_000;

/** When a lane comes back that found a probe of its target under way. */
const probeWaitMs = 2000;

export interface LaneContext {
  readonly engine: Engine;
  readonly target: string;
  /** Aborted when the process is going down and its time is up: the call under way is cut off. */
  readonly abort: AbortSignal;
  /** Aborted once the process is going down: what is under way is finished, nothing more is begun. */
  readonly leaving: AbortSignal;
  /** Until when the target must be left alone, in milliseconds since the epoch. */
  readonly pausedUntil: () => number;
  readonly onPause: (pause: Pause) => Promise<void>;
  readonly breaker: Breaker;
  /** Of the ring that brought the lane. */
  readonly priority: RingPriority;
  /** Waits for one of the target's places; what it resolves with gives the place back. */
  readonly takePlace: () => Promise<() => void>;
}

/** Works a leased lane off, in order, until nothing in it is due, and gives it back. Never throws. */
export async function workLane(leased: LeasedLane, context: LaneContext): Promise<void> {
  const { engine, target } = context;
  try {
    let { lease, mail }: { lease: Lease | undefined; mail: readonly Mail[] } = leased;
    while (lease !== undefined) {
      const settled = await workMail(lease, mail, context);
      if (settled === undefined) return;
      lease = settled.lease;
      mail = settled.more;
      if (lease === undefined && settled.nextDueInMs !== undefined) {
        const at = Math.max(engine.now() + settled.nextDueInMs, context.pausedUntil());
        engine.queue.ring(target, [leased.lease.lane], { at });
      }
    }
  } catch (error) {
    const fault = toAppError(error);
    // The lane's mail is in the ledger still: whoever holds it now, or the sweeper when the lease has run out, goes on with it.
    engine.logger.warn({ target, lane: leased.lease.lane, code: fault.code, err: fault }, "lane given up");
  }
}

/**
 * Attempts the mail in order and settles what was attempted; undefined when nothing was and the lane has been given back. A place is held
 * for the attempts only: settling waits for the disk, and meanwhile the target can take calls for another lane.
 */
async function workMail(
  lease: Lease,
  mail: readonly Mail[],
  context: LaneContext,
): Promise<Settled | undefined> {
  const { engine, target } = context;
  let current = lease;
  const held: HeldLease = {
    lease: () => current,
    // Asked before every call, so it promises nothing where there is nothing to wait for.
    holdLease: () => {
      if (current.isCertain() && current.expiresAt - performance.now() > leaseReserveMs) return undefined;
      return engine.ledger.renew(current, leaseMs).then((renewed) => void (current = renewed));
    },
  };
  const givePlaceBack = await context.takePlace();
  const settlements = await attemptAll(mail, context, held).finally(givePlaceBack);
  if (settlements.length === 0) {
    await engine.ledger.release(current);
    const soonest = engine.now() + (context.breaker.isHalfOpen() ? probeWaitMs : 0);
    engine.queue.ring(target, [lease.lane], { at: Math.max(soonest, context.pausedUntil()) });
    return undefined;
  }
  engine.crashPoint("work.attempted");
  const settled = await settle(current, settlements, context);
  engine.crashPoint("work.settled");
  return settled;
}

interface HeldLease {
  readonly lease: () => Lease;
  readonly holdLease: () => Promise<void> | undefined;
}

/** Ends early when the process goes down, the target takes no calls, or a delivery keeps those behind it waiting. */
async function attemptAll(
  mail: readonly Mail[],
  context: LaneContext,
  held: HeldLease,
): Promise<readonly Settlement[]> {
  const settlements: Settlement[] = [];
  for (const letter of mail) {
    if (context.leaving.aborted || context.pausedUntil() > context.engine.now()) break;
    const admission = context.breaker.admit();
    if (admission === undefined) break;
    const settlement = await attemptAdmitted(letter, admission, context, held);
    settlements.push(settlement);
    if (settlement.status === "pending" || settlement.hold === true) break;
  }
  return settlements;
}

async function attemptAdmitted(
  letter: Mail,
  admission: Admission,
  context: LaneContext,
  held: HeldLease,
): Promise<Settlement> {
  const { engine, target, priority, leaving, abort: signal } = context;
  let health: TargetHealth = "unknown";
  try {
    await held.holdLease();
    const attempted = await attemptDelivery(letter, { engine, target, signal, leaving, priority, ...held });
    health = attempted.health;
    if (attempted.pause !== undefined) await context.onPause(attempted.pause);
    return attempted.settlement;
  } finally {
    const opened = admission(health);
    if (opened !== undefined) await context.onPause(opened);
  }
}

/** Keeps trying for as long as the lease is good: a result that is not recorded means that the operation is sent again. */
async function settle(
  lease: Lease,
  settlements: readonly Settlement[],
  context: LaneContext,
): Promise<Settled> {
  const { ledger } = context.engine;
  return pRetry(() => ledger.settle(lease, settlements, leaseMs), {
    retries: 20,
    minTimeout: 250,
    maxTimeout: 5000,
    maxRetryTime: Math.max(1000, lease.expiresAt - performance.now()),
    shouldRetry: ({ error }) => toAppError(error).code === "ledger_unavailable",
  });
}
