import type { Queue, RingOptions } from "./queue.ts";
import { maxLanesPerRing } from "./queue.ts";

/** Rings for any number of lanes of any targets, each lane once. Resolves when the rings have reached the backend or have failed to. */
export async function ringLanes(
  queue: Queue,
  lanes: readonly { readonly target: string; readonly lane: string }[],
  options: RingOptions = {},
): Promise<void> {
  for (const [target, found] of Map.groupBy(lanes, (one) => one.target)) {
    const names = [...new Set(found.map((one) => one.lane))];
    for (let start = 0; start < names.length; start += maxLanesPerRing) {
      queue.ring(target, names.slice(start, start + maxLanesPerRing), options);
    }
  }
  await queue.flush();
}
