import { toAppError } from "../errors.ts";
import type { Claim, LeasedLane } from "../ledger/ledger.ts";
import type { Ring, RingOutcome } from "../queue/queue.ts";
import type { Pause } from "./attempt.ts";
import type { Engine } from "./engine.ts";
import type { LaneContext } from "./lane.ts";
import { leaseMs, workLane } from "./lane.ts";
import { createSlots } from "./slots.ts";

/** Rings handled at a time: while the lanes of one are worked on, those of the next are being leased. */
const ringsAtOnce = 2;

/** Works for one target. */
export interface TargetWorker {
  /** Finishes what is under way within this many milliseconds, then cuts it off; nothing is lost either way. */
  readonly close: (withinMs: number) => Promise<void>;
}

/** Starts to work on a target's rings, on up to `concurrency` lanes at a time in this process. */
export async function startWorker(
  engine: Engine,
  target: string,
  concurrency: number,
): Promise<TargetWorker> {
  const abort = new AbortController();
  const slots = createSlots(concurrency);
  const underWay = new Set<Promise<void>>();
  const pause = createPause(engine, target);
  let stopping = false;
  const context: LaneContext = {
    engine,
    target,
    abort: abort.signal,
    stopping: () => stopping,
    pausedUntil: pause.until,
    onPause: pause.declare,
  };

  const begin = async (lane: LeasedLane): Promise<void> => {
    const giveBack = await slots.take();
    engine.metrics.lanesLeased(target, 1);
    const work = workLane(lane, context).finally(() => {
      engine.metrics.lanesLeased(target, -1);
      underWay.delete(work);
      giveBack();
    });
    underWay.add(work);
  };

  const handle = async (ring: Ring): Promise<RingOutcome> => {
    const claim = await claimLanes(engine, ring);
    if (claim.kind === "paused") return { kind: "snooze", until: pause.learn(claim.forMs) };
    // The ring is over when its last lane has been begun: leases carry the work from here, so a slow lane does not hold up the next ring.
    for (const lane of claim.lanes) await begin(lane);
    return { kind: "done" };
  };

  const rings = await engine.queue.work(target, ringsAtOnce, handle);
  return {
    close: async (withinMs) => {
      stopping = true;
      const deadline = setTimeout(() => abort.abort(), withinMs);
      await rings.close(withinMs);
      await Promise.all(underWay);
      clearTimeout(deadline);
    },
  };
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
