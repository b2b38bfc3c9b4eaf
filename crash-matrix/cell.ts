import type { RunResult } from "./run.ts";
import type { QueueKind } from "./setting.ts";
import type { Stage } from "./stage.ts";

/** One point in one setting, a row of the table: what writes where, and what the queue is on. */
export interface Cell {
  readonly point: string;
  readonly target: string;
  readonly queue: QueueKind;
  /** Plays it once; the same seed gives the same kills and traffic. */
  readonly run: (stage: Stage, seed: string) => Promise<RunResult>;
}

/** A named moment at which a process is killed, in every setting in which it can be. */
export interface Point {
  readonly name: string;
  readonly cells: readonly Cell[];
}

export function cellsOf(points: readonly Point[]): readonly Cell[] {
  return points.flatMap(({ cells }) => cells);
}

/** Each point in one of its settings, all settings in turn. */
export function cellsInTurn(points: readonly Point[]): readonly Cell[] {
  return points.map(({ cells }, index) => cells[index % cells.length] as Cell);
}
