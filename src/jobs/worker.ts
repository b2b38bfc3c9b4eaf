import { toAppError } from "../errors.ts";
import type { Claim, LeasedLane } from "../ledger/ledger.ts";
import type { Ring, RingOutcome, RingPriority } from "../queue/queue.ts";
import type { Pause } from "./attempt.ts";
import { createBreaker } from "./breaker.ts";
import type { Engine } from "./engine.ts";
import type { LaneContext } from "./lane.ts";
import { leaseMs, workLane } from "./lane.ts";
import type { Room } from "./room.ts";
import { createRoom } from "./room.ts";
import { createSlots } from "./slots.ts";

/** Rings handled at a time: while the lanes of some are worked on, those of the next are being leased, in one statement. */
const ringsAtOnce = 4;

/**
 * Lanes that wait for a place, for each place there is: enough that none stays empty while the next rings are claimed. From `most` on no more
 * are leased, down to `low`.
 */
const waitingPerPlace = { most: 5, low: 2 };

/** All lanes leased, for each place. Those that neither wait nor have a place are waiting for the disk, which may be stuck. */
const leasedPerPlace = { most: 25, low: 20 };

type WorkerContext = Omit<LaneContext, "priority">;

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
  const leaving = new AbortController();
  const waiting = createRoom(concurrency * waitingPerPlace.most, concurrency * waitingPerPlace.low);
  const leased = createRoom(concurrency * leasedPerPlace.most, concurrency * leasedPerPlace.low);
  const { learn, ...care } = createPause(engine, target);
  const context: WorkerContext = {
    engine,
    target,
    abort: abort.signal,
    leaving: leaving.signal,
    ...care,
    takePlace: createSlots(concurrency).take,
  };

  const { begin, allOver } = createLaneRunner(context, waiting, leased);

  const handle = async (ring: Ring): Promise<RingOutcome> => {
    await waiting.enter(ring.lanes.length);
    await leased.enter(ring.lanes.length);
    let begun = 0;
    try {
      if (leaving.signal.aborted) return { kind: "snooze", until: engine.now() };
      const claim = await claimLanes(engine, ring);
      if (claim.kind === "paused") return { kind: "snooze", until: learn(claim.forMs) };
      engine.crashPoint("work.claimed");
      begun = claim.lanes.length;
      for (const lane of claim.lanes) begin(lane, ring.priority);
    } finally {
      waiting.leave(ring.lanes.length - begun);
      leased.leave(ring.lanes.length - begun);
    }
    // The ring is over: leases carry the work from here, so a slow lane does not hold up the next ring.
    return { kind: "done" };
  };

  const rings = await engine.queue.work(target, ringsAtOnce, handle);
  return {
    close: async (withinMs) => {
      leaving.abort();
      const deadline = setTimeout(() => abort.abort(), withinMs);
      waiting.lift();
      leased.lift();
      await rings.close(withinMs);
      await allOver();
      clearTimeout(deadline);
    },
  };
}

/** Runs leased lanes side by side and keeps account of them: each leaves `waiting` with its first place, and `leased` when it is over. */
function createLaneRunner(context: WorkerContext, waiting: Room, leased: Room) {
  const { engine, target } = context;
  const underWay = new Set<Promise<void>>();
  const begin = (lane: LeasedLane, priority: RingPriority): void => {
    let waits = true;
    const takePlace = async (): Promise<() => void> => {
      const giveBack = await context.takePlace();
      if (waits) waiting.leave(1);
      waits = false;
      return giveBack;
    };
    engine.metrics.lanesLeased(target, 1);
    const work = workLane(lane, { ...context, priority, takePlace }).finally(() => {
      engine.metrics.lanesLeased(target, -1);
      underWay.delete(work);
      leased.leave(1);
    });
    underWay.add(work);
  };
  return { begin, allOver: async () => void (await Promise.all(underWay)) };
}

/** What this process knows of a target's health: its breaker, and its pause, declared by an attempt of ours or learned from the ledger. */
function createPause(engine: Engine, target: string) {
  const breaker = createBreaker(engine);
  let pausedUntil = 0;
  const learn = (forMs: number): number => {
    const until = engine.now() + forMs;
    breaker.doubt();
    pausedUntil = Math.max(pausedUntil, until);
    return until;
  };
  return {
    breaker,
    learn,
    pausedUntil: (): number => pausedUntil,
    onPause: async ({ forMs, reason }: Pause): Promise<void> => {
      if (engine.now() + forMs <= pausedUntil) return;
      learn(forMs);
      engine.metrics.targetPaused(target, reason);
      // A target that slows us down is at work; any other pause wants somebody to look.
      const level = reason === "target_rate_limited" ? "warn" : "error";
      engine.logger[level]({ target, forMs, reason }, "target paused");
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
