import { toAppError } from "../errors.ts";
import type { Claim, LeasedLane } from "../ledger/ledger.ts";
import type { Ring, RingOutcome } from "../queue/queue.ts";
import type { Pause } from "./attempt.ts";
import type { Engine } from "./engine.ts";
import type { LaneContext } from "./lane.ts";
import { leaseMs, workLane } from "./lane.ts";
import { createRoom } from "./room.ts";
import { createSlots } from "./slots.ts";

/** Rings handled at a time: while the lanes of some are worked on, those of the next are being leased, in one statement. */
const ringsAtOnce = 4;

/**
 * Lanes leased for each that may call the target at a time: besides those that do there are some whose results are on their way to the disk,
 * and some that wait in line so that no place stays empty. From `most` on no more are leased, down to `low`.
 */
const leasedPerPlace = { most: 5, low: 3 };

/** Works for one target. */
export interface TargetWorker {
  /** Finishes what is under way within this many milliseconds, then cuts it off; nothing is lost either way. */
  readonly close: (withinMs: number) => Promise<void>;
}

/** Starts to work on a target's rings; in this process up to `concurrency` lanes call the target at a time. */
export async function startWorker(
  engine: Engine,
  target: string,
  concurrency: number,
): Promise<TargetWorker> {
  const abort = new AbortController();
  const room = createRoom(concurrency * leasedPerPlace.most, concurrency * leasedPerPlace.low);
  const pause = createPause(engine, target);
  let stopping = false;
  const context: LaneContext = {
    engine,
    target,
    abort: abort.signal,
    stopping: () => stopping,
    pausedUntil: pause.until,
    onPause: pause.declare,
    takePlace: createSlots(concurrency).take,
  };

  const { begin, allOver } = createLaneRunner(context, () => room.leave(1));

  const handle = async (ring: Ring): Promise<RingOutcome> => {
    await room.enter(ring.lanes.length);
    let leased = 0;
    try {
      if (stopping) return { kind: "snooze", until: engine.now() };
      const claim = await claimLanes(engine, ring);
      if (claim.kind === "paused") return { kind: "snooze", until: pause.learn(claim.forMs) };
      leased = claim.lanes.length;
      claim.lanes.forEach(begin);
    } finally {
      room.leave(ring.lanes.length - leased);
    }
    // The ring is over: leases carry the work from here, so a slow lane does not hold up the next ring.
    return { kind: "done" };
  };

  const rings = await engine.queue.work(target, ringsAtOnce, handle);
  return {
    close: async (withinMs) => {
      stopping = true;
      const deadline = setTimeout(() => abort.abort(), withinMs);
      room.lift();
      await rings.close(withinMs);
      await allOver();
      clearTimeout(deadline);
    },
  };
}

/** Runs leased lanes side by side and keeps account of them. */
function createLaneRunner(context: LaneContext, onOver: () => void) {
  const { engine, target } = context;
  const underWay = new Set<Promise<void>>();
  const begin = (lane: LeasedLane): void => {
    engine.metrics.lanesLeased(target, 1);
    const work = workLane(lane, context).finally(() => {
      engine.metrics.lanesLeased(target, -1);
      underWay.delete(work);
      onOver();
    });
    underWay.add(work);
  };
  return { begin, allOver: async () => void (await Promise.all(underWay)) };
}

/** What this process knows of a target's pause: declared by one of its own attempts, or learned from the ledger. */
function createPause(engine: Engine, target: string) {
  let pausedUntil = 0;
  const learn = (forMs: number): number => {
    const until = engine.now() + forMs;
    pausedUntil = Math.max(pausedUntil, until);
    return until;
  };
  return {
    until: (): number => pausedUntil,
    learn,
    declare: async ({ forMs, reason }: Pause): Promise<void> => {
      if (engine.now() + forMs <= pausedUntil) return;
      learn(forMs);
      engine.logger.warn({ target, forMs, reason }, "target paused");
      await engine.ledger.pauseTarget(target, forMs, reason);
    },
  };
}

async function claimLanes(engine: Engine, ring: Ring): Promise<Claim> {
  try {
    return await engine.ledger.claim(ring.target, ring.lanes, leaseMs);
  } catch (error) {
    const fault = toAppError(error);
    if (fault.code !== "ledger_unavailable") throw fault;
    // The database is away: the same ring again in a moment, rather than leave it to the sweeper.
    return { kind: "paused", forMs: 1000 };
  }
}
