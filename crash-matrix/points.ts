import type { Cell, Point } from "./cell.ts";
import type { EventPoint } from "./event-points.ts";
import { eventPoints } from "./event-points.ts";
import { exportPoints } from "./export-points.ts";
import { runEventCell } from "./run-event-cell.ts";
import { queueKinds } from "./setting.ts";

function cellsOfEventPoint(point: EventPoint): readonly Cell[] {
  return point.targets.flatMap((target) =>
    queueKinds.map((queue) => ({
      point: point.name,
      target,
      queue,
      run: (stage, seed) => runEventCell(stage, { point, target, queue }, seed),
    })),
  );
}

/** Every point there is: those on the way of an event, in its order, then those on the way of rows to a warehouse. */
export const points: readonly Point[] = [
  ...eventPoints.map((point) => ({ name: point.name, cells: cellsOfEventPoint(point) })),
  ...exportPoints,
];
