import { eventPointNames } from "../src/telemetry/crash-point.ts";
import type { QueueKind, TargetKind } from "./setting.ts";
import { queueKinds, targetKinds } from "./setting.ts";

/** Moments that the target decides: it has the call, and the caller is killed. */
export const targetPointNames = [
  /** During the call, which the target then never acts on. */
  "call.received",
  /** During the call, which the target acts on a moment later, when nobody listens any more. */
  "call.late",
  /** The target has acted; its answer never arrives. */
  "call.committed",
] as const;
export type TargetPointName = (typeof targetPointNames)[number];

/** Moments that the process itself passes on the way of an event. */
type EventPointName = (typeof eventPointNames)[number];

export type PointName = EventPointName | TargetPointName;

/** Where a process is killed. */
export interface Point {
  readonly name: PointName;
  /** The kill comes at one of the first so many passages: few enough that every run gets there. */
  readonly passages: number;
  readonly targets: readonly TargetKind[];
  /** Passed only in the wake of another crash, which comes first. */
  readonly after?: Point;
}

/** How many passages every run has for certain, at least. */
const passages: Readonly<Record<EventPointName, number>> = {
  "ingress.received": 12,
  "ingress.appended": 12,
  "ingress.acknowledged": 12,
  "poll.page": 3,
  "poll.committed": 3,
  "ring.gathered": 5,
  "ring.taken": 4,
  "work.claimed": 4,
  "work.mapped": 16,
  "effect.sent": 30,
  "effect.answered": 30,
  "effect.recorded": 30,
  "effect.looked_up": 1,
  "work.attempted": 6,
  "work.settled": 6,
};

const lookupOnly: readonly EventPointName[] = ["effect.sent", "effect.recorded", "effect.looked_up"];

const answered: Point = {
  name: "effect.answered",
  passages: passages["effect.answered"],
  targets: targetKinds,
};

const processPoints: readonly Point[] = eventPointNames.map((name) => ({
  name,
  passages: passages[name],
  targets: lookupOnly.includes(name) ? ["lookup"] : targetKinds,
  ...(name === "effect.looked_up" ? { after: answered } : {}),
}));

const targetPoints: readonly Point[] = targetPointNames.map((name) => ({
  name,
  passages: 30,
  targets: targetKinds,
}));

/** Every point, in the order of the way of an event. */
export const points: readonly Point[] = [...processPoints, ...targetPoints];

/** One point, one kind of target, one kind of queue. */
export interface Cell {
  readonly point: Point;
  readonly target: TargetKind;
  readonly queue: QueueKind;
}

/** Each point in one of its settings, all settings in turn. */
export function cellsInTurn(wanted: readonly Point[]): readonly Cell[] {
  return wanted.map((point, index) => {
    const own = cellsOf([point]);
    return own[index % own.length] as Cell;
  });
}

export function cellsOf(wanted: readonly Point[]): readonly Cell[] {
  return wanted.flatMap((point) =>
    point.targets.flatMap((target) => queueKinds.map((queue) => ({ point, target, queue }))),
  );
}

export function isTargetPoint(name: PointName): name is TargetPointName {
  return targetPointNames.some((known) => known === name);
}
