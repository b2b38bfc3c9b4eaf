import pRetry from "p-retry";
import { toAppError } from "../errors.ts";
import type { Lease, LeasedLane, Mail, Settled, Settlement } from "../ledger/ledger.ts";
import type { Pause } from "./attempt.ts";
import { attemptDelivery } from "./attempt.ts";
import type { Engine } from "./engine.ts";

/** How long a lane is ours without a word. A call takes 30 seconds at most, and a lease is prolonged before a call that could outlast it. */
export const leaseMs = 90_000;
const longestCallMs = 30_000;
const leaseReserveMs = longestCallMs + 15_000;

export interface LaneContext {
  readonly engine: Engine;
  readonly target: string;
  /** Aborted when the process is going down and its time is up: the call under way is cut off. */
  readonly abort: AbortSignal;
  /** True once the process is going down: what is under way is finished, nothing more is begun. */
  readonly stopping: () => boolean;
  /** Until when the target must be left alone, in milliseconds since the epoch. */
  readonly pausedUntil: () => number;
  readonly onPause: (pause: Pause) => Promise<void>;
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
  const holdLease = async (): Promise<void> => {
    if (current.isCertain() && current.expiresAt - performance.now() > leaseReserveMs) return;
    current = await engine.ledger.renew(current, leaseMs);
  };
  const givePlaceBack = await context.takePlace();
  const settlements = await attemptAll(mail, context, holdLease).finally(givePlaceBack);
  if (settlements.length === 0) {
    await engine.ledger.release(current);
    engine.queue.ring(target, [lease.lane], { at: Math.max(engine.now(), context.pausedUntil()) });
    return undefined;
  }
  return settle(current, settlements, context);
}

/** Ends early when the process goes down, the target is paused, or a delivery has to be tried again before those behind it. */
async function attemptAll(
  mail: readonly Mail[],
  context: LaneContext,
  holdLease: () => Promise<void>,
): Promise<readonly Settlement[]> {
  const { engine, target } = context;
  const settlements: Settlement[] = [];
  for (const letter of mail) {
    if (context.stopping() || context.pausedUntil() > engine.now()) break;
    await holdLease();
    const { settlement, pause } = await attemptDelivery(letter, {
      engine,
      target,
      signal: context.abort,
      holdLease,
    });
    settlements.push(settlement);
    if (pause !== undefined) await context.onPause(pause);
    if (settlement.status === "pending") break;
  }
  return settlements;
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
