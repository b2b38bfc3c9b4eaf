import { createDice } from "../demo/day/dice.ts";
import type { DeskbridgeProcess } from "../test/support/deskbridge-process.ts";
import type { Fault, FaultPlan } from "../test/support/vendor-faults.ts";
import type { EventPoint, TargetPointName } from "./event-points.ts";
import { isTargetPoint } from "./event-points.ts";
import type { Progress } from "./progress.ts";
import type { RunResult } from "./run.ts";
import { lateMs, openRun } from "./run.ts";
import type { QueueKind, TargetKind } from "./setting.ts";
import type { Stage } from "./stage.ts";

/** With nothing going on for so long, a process will not get to its point any more. It may take half a minute to start where many do at the same time. */
const idleMs = 180_000;

export interface EventCell {
  readonly point: EventPoint;
  readonly target: TargetKind;
  readonly queue: QueueKind;
}

/** Kills deskbridge at the cell's point with traffic flowing, starts it again, lets it settle, and counts on the target. */
export async function runEventCell(
  stage: Stage,
  { point, target, queue }: EventCell,
  seed: string,
  forgetful = false,
): Promise<RunResult> {
  const dice = createDice(`crash ${seed}`);
  const kills = (point.after === undefined ? [point] : [point.after, point]).map((at) =>
    killAt(at, dice.below(at.passages) + 1),
  );
  let current: DeskbridgeProcess | undefined;
  const run = await openRun(stage, {
    seed,
    target,
    stores: await stage.freshStores(queue),
    forgetful,
    faults: planOf(kills, () => current?.kill("SIGKILL")),
  });
  const live = async (): Promise<number> => {
    let missed = 0;
    for (const { crashAt } of kills) {
      current = run.launch({ crashAt });
      run.progress.note();
      if (await wasKilled(current, run.progress)) continue;
      missed += 1;
      await current.kill9();
    }
    current = run.launch();
    return missed;
  };
  try {
    const [missed] = await Promise.all([live().finally(run.traffic.end), run.send()]);
    return await run.finish(missed);
  } finally {
    await run.close();
  }
}

/** Whether the process came to its point, or will not any more. */
export async function wasKilled({ ended }: DeskbridgeProcess, progress: Progress): Promise<boolean> {
  const limit = new AbortController();
  const end = await Promise.race([ended, progress.standstill(idleMs, limit.signal)]);
  limit.abort();
  return end?.signal === "SIGKILL";
}

/** How a process is to be killed: by itself, or at a write by the target that has it. */
interface Kill {
  readonly crashAt: string | undefined;
  readonly atWrite: { readonly name: TargetPointName; readonly write: number } | undefined;
}

function killAt({ name }: EventPoint, passage: number): Kill {
  return isTargetPoint(name)
    ? { crashAt: undefined, atWrite: { name, write: passage } }
    : { crashAt: `${name}@${passage}`, atWrite: undefined };
}

function planOf(kills: readonly Kill[], kill: () => void): FaultPlan {
  const faults: Readonly<Record<TargetPointName, readonly Fault[]>> = {
    "call.received": [
      { kind: "run", when: "before", run: kill },
      { kind: "drop", when: "before" },
    ],
    "call.late": [
      { kind: "run", when: "before", run: kill },
      { kind: "delay", when: "before", ms: lateMs },
      { kind: "drop", when: "after" },
    ],
    "call.committed": [
      { kind: "run", when: "after", run: kill },
      { kind: "drop", when: "after" },
    ],
  };
  return ({ write }) => {
    const hit = kills.find(({ atWrite }) => atWrite?.write === write)?.atWrite;
    return hit === undefined ? undefined : faults[hit.name];
  };
}
