import { createDice } from "../demo/day/dice.ts";
import type { ExportPoint } from "./export-points.ts";
import { judgeWarehouse } from "./export-judge.ts";
import { wasKilled } from "./run-event-cell.ts";
import type { RunResult } from "./run.ts";
import { openRun } from "./run.ts";
import type { QueueKind, SinkKind } from "./setting.ts";
import type { Stage } from "./stage.ts";
import { openWarehouse } from "./warehouse.ts";

export interface ExportCell {
  readonly point: ExportPoint;
  readonly sink: SinkKind;
  readonly queue: QueueKind;
}

/** Kills at the point, so many times in a row: what a crash left behind is met by the next one. */
const kills = 2;

/**
 * Kills deskbridge at the cell's point while it exports its own desk every second and traffic flows, starts it again each time, lets it settle, and compares the
 * rows of the warehouse with the desk's.
 */
export async function runExportCell(
  stage: Stage,
  { point, sink, queue }: ExportCell,
  seed: string,
): Promise<RunResult> {
  const dice = createDice(`crash ${seed}`);
  const stores = await stage.freshStores(queue);
  const run = await openRun(stage, {
    seed,
    target: "keyed",
    stores,
    config: stage.exportConfig(sink),
    verdict: async (dataDir) => {
      const warehouse = await openWarehouse(sink, stores.databaseUrl, dataDir);
      try {
        return await judgeWarehouse(stores.databaseUrl, warehouse);
      } finally {
        await warehouse.close();
      }
    },
  });
  const live = async (): Promise<number> => {
    let missed = 0;
    for (let time = 0; time < kills; time += 1) {
      const process = run.launch({ crashAt: `${point.name}@${dice.below(point.passages) + 1}` });
      run.progress.note();
      if (await wasKilled(process, run.progress)) continue;
      missed += 1;
      await process.kill9();
    }
    run.launch();
    return missed;
  };
  try {
    const [missed] = await Promise.all([live().finally(run.traffic.end), run.send()]);
    return await run.finish(missed);
  } finally {
    await run.close();
  }
}
