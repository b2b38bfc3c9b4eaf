import type { eventPointNames } from "../src/telemetry/crash-point.ts";
import type { TargetKind } from "./setting.ts";
import { targetKinds } from "./setting.ts";

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

/** A moment on the way of an event. */
export interface EventPoint {
  readonly name: (typeof eventPointNames)[number] | TargetPointName;
  /** The kill comes at one of the first so many passages: few enough that a run gets there soon. */
  readonly passages: number;
  readonly targets: readonly TargetKind[];
  /** Passed only in the wake of another crash, which comes first. */
  readonly after?: EventPoint;
}

const everywhere = (name: EventPoint["name"], passages: number): EventPoint => ({
  name,
  passages,
  targets: targetKinds,
});
const lookupOnly = (name: EventPoint["name"], passages: number): EventPoint => ({
  name,
  passages,
  targets: ["lookup"],
});

const answered = everywhere("effect.answered", 30);

/** In the order of the way of an event. */
export const eventPoints: readonly EventPoint[] = [
  everywhere("ingress.received", 12),
  everywhere("ingress.appended", 12),
  everywhere("ingress.acknowledged", 12),
  everywhere("poll.page", 3),
  everywhere("poll.committed", 3),
  everywhere("ring.gathered", 5),
  everywhere("ring.taken", 4),
  everywhere("work.claimed", 4),
  everywhere("work.mapped", 16),
  lookupOnly("effect.sent", 30),
  answered,
  lookupOnly("effect.recorded", 30),
  { ...lookupOnly("effect.looked_up", 1), after: answered },
  everywhere("work.attempted", 6),
  everywhere("work.settled", 6),
  ...targetPointNames.map((name) => everywhere(name, 30)),
];

/** The definition of a point by its name. Throws when there is none. */
export function eventPoint(name: EventPoint["name"]): EventPoint {
  const found = eventPoints.find((point) => point.name === name);
  if (found === undefined) throw new Error(`there is no point ${name}`);
  return found;
}

export function isTargetPoint(name: EventPoint["name"]): name is TargetPointName {
  return targetPointNames.some((known) => known === name);
}
