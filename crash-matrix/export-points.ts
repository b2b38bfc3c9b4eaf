import { exportPointNames } from "../src/telemetry/crash-point.ts";
import type { Cell, Point } from "./cell.ts";
import { runExportCell } from "./run-export-cell.ts";
import { queueKinds, sinkKinds } from "./setting.ts";

/** A moment on the way of a chunk of rows to a warehouse. */
export interface ExportPoint {
  readonly name: (typeof exportPointNames)[number];
  /** The kill comes at one of the first so many passages: the first run of an export has a few, and traffic brings more. */
  readonly passages: number;
}

const passages = 6;

function cellsOf(point: ExportPoint): readonly Cell[] {
  return sinkKinds.flatMap((sink) =>
    queueKinds.map((queue) => ({
      point: point.name,
      target: sink,
      queue,
      run: (stage, seed) => runExportCell(stage, { point, sink, queue }, seed),
    })),
  );
}

/** In the order of the way of a chunk. */
export const exportPoints: readonly Point[] = exportPointNames.map((name) => ({
  name,
  cells: cellsOf({ name, passages }),
}));
