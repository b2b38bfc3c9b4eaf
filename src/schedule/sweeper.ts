import { maxLanesPerRing } from "../queue/queue.ts";
import type { Engine } from "../jobs/engine.ts";
import type { DueLane } from "../ledger/ledger.ts";
import { createOrphanWatch } from "./orphans.ts";

/** A target whose queue still holds this many rings is not short of them: its lanes are not rung for again. */
const enoughRings = 100;
const lanesPerSweep = 5000;

/** Looks after lanes that nobody works on. */
export interface Sweeper {
  /**
   * Rings again for every lane that has due mail and no worker: after a crash between commit and ring, a lost queue, a worker that died. Mail
   * for a target that is no longer written to becomes dead letters after a while. Returns how many lanes it rang for. `dueForMs` as in
   * `Ledger.dueLanes`.
   */
  readonly sweep: (dueForMs?: number) => Promise<number>;
}

export function createSweeper(engine: Engine): Sweeper {
  const orphans = createOrphanWatch(engine);
  return {
    sweep: async (dueForMs) => {
      const lanes = await engine.ledger.dueLanes(lanesPerSweep, dueForMs);
      const byTarget = Map.groupBy(lanes, (lane) => lane.target);
      await orphans.look(byTarget.keys());
      let rung = 0;
      for (const [target, found] of byTarget) rung += await ringFor(engine, target, found);
      engine.metrics.swept(rung);
      return rung;
    },
  };
}

async function ringFor(engine: Engine, target: string, lanes: readonly DueLane[]): Promise<number> {
  const { queue } = engine;
  if (!engine.setup().config.flows.some((flow) => flow.target === target)) return 0;
  const { waiting } = await queue.depth(target);
  if (waiting >= enoughRings) return 0;
  for (const priority of ["live", "backfill"] as const) {
    const keys = lanes.filter((lane) => lane.priority === priority).map((lane) => lane.lane);
    for (let start = 0; start < keys.length; start += maxLanesPerRing) {
      queue.ring(target, keys.slice(start, start + maxLanesPerRing), { priority });
    }
  }
  return lanes.length;
}
