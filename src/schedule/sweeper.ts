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
   * `DueOptions`.
   */
  readonly sweep: (dueForMs?: number) => Promise<number>;
}

/** Every so many sweeps targets that are not short of rings are looked past: a long backlog of theirs may hide lanes of others. */
const thoroughEvery = 12;

export function createSweeper(engine: Engine): Sweeper {
  const orphans = createOrphanWatch(engine);
  let sweeps = 0;
  return {
    sweep: async (dueForMs) => {
      sweeps += 1;
      const except = sweeps % thoroughEvery === 0 ? await busyTargets(engine) : [];
      const options = { except, ...(dueForMs === undefined ? {} : { dueForMs }) };
      const lanes = await engine.ledger.dueLanes(lanesPerSweep, options);
      const byTarget = Map.groupBy(lanes, (lane) => lane.target);
      await orphans.look(byTarget.keys());
      let rung = 0;
      for (const [target, found] of byTarget) rung += await ringFor(engine, target, found);
      engine.metrics.swept(rung);
      return rung;
    },
  };
}

function writtenTo({ setup }: Engine): ReadonlySet<string> {
  return new Set(setup().config.flows.map((flow) => flow.target));
}

async function hasEnoughRings({ queue }: Engine, target: string): Promise<boolean> {
  return (await queue.depth(target)).waiting >= enoughRings;
}

async function busyTargets(engine: Engine): Promise<readonly string[]> {
  const busy: string[] = [];
  for (const target of writtenTo(engine)) if (await hasEnoughRings(engine, target)) busy.push(target);
  return busy;
}

async function ringFor(engine: Engine, target: string, lanes: readonly DueLane[]): Promise<number> {
  if (!writtenTo(engine).has(target) || (await hasEnoughRings(engine, target))) return 0;
  for (const priority of ["live", "backfill"] as const) {
    const keys = lanes.filter((lane) => lane.priority === priority).map((lane) => lane.lane);
    for (let start = 0; start < keys.length; start += maxLanesPerRing) {
      engine.queue.ring(target, keys.slice(start, start + maxLanesPerRing), { priority });
    }
  }
  return lanes.length;
}
