import { maxLanesPerRing } from "../queue/queue.ts";
import type { Engine } from "../jobs/engine.ts";

/** A target whose queue still holds this many rings is not short of them: its lanes are not rung for again. */
const enoughRings = 100;
const lanesPerSweep = 5000;

/**
 * Rings again for every lane that has due mail and no worker: after a crash between commit and ring, a lost queue, a worker that died. Returns
 * how many lanes it found. `dueForMs` as in `Ledger.dueLanes`.
 */
export async function sweep(engine: Engine, dueForMs?: number): Promise<number> {
  const { ledger, queue, metrics } = engine;
  const lanes = await ledger.dueLanes(lanesPerSweep, dueForMs);
  const byTarget = Map.groupBy(lanes, (lane) => lane.target);
  let rung = 0;
  for (const [target, found] of byTarget) {
    if (!engine.setup().connections.has(target)) continue;
    const { waiting } = await queue.depth(target);
    if (waiting >= enoughRings) continue;
    for (const priority of ["live", "backfill"] as const) {
      const keys = found.filter((lane) => lane.priority === priority).map((lane) => lane.lane);
      for (let start = 0; start < keys.length; start += maxLanesPerRing) {
        queue.ring(target, keys.slice(start, start + maxLanesPerRing), { priority });
      }
      rung += keys.length;
    }
  }
  metrics.swept(rung);
  return rung;
}
