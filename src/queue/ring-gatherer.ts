import { maxLanesPerRing, type RingOptions, type RingPriority } from "./queue.ts";

/** One job to be: lanes that are rung for together. */
export interface GatheredRing {
  readonly lanes: readonly string[];
  readonly priority: RingPriority;
  /** Milliseconds since the epoch; undefined for at once. */
  readonly at: number | undefined;
}

export interface RingGatherer {
  readonly ring: (target: string, lanes: readonly string[], options?: RingOptions) => void;
  /** Sends what was gathered now, and resolves when everything sent so far is over. */
  readonly flush: () => Promise<void>;
}

export interface RingGathererOptions {
  /** How long the first ring waits for others, in milliseconds. */
  readonly gatherMs: number;
  /** The least time from one sending to the next, in milliseconds: under load there are fewer jobs with more lanes. */
  readonly restMs: number;
  readonly now: () => number;
  /** Hands one target's rings to the backend. It never rejects. */
  readonly send: (target: string, rings: readonly GatheredRing[]) => Promise<void>;
}

/** Later rings come up to this much late, so that those of about the same time share a job. */
const dueStepMs = 50;

interface Batch {
  readonly priority: RingPriority;
  readonly at: number | undefined;
  readonly lanes: Set<string>;
}

/** Gathers the rings of a few milliseconds, so that the cost of the queue is paid a batch. A lane that is named twice meanwhile goes once. */
export function createRingGatherer({ gatherMs, restMs, now, send }: RingGathererOptions): RingGatherer {
  let gathered = new Map<string, Map<string, Batch>>();
  let timer: NodeJS.Timeout | undefined;
  let sentAt = Number.NEGATIVE_INFINITY;
  const sending = new Set<Promise<void>>();

  const sendAll = () => {
    clearTimeout(timer);
    timer = undefined;
    sentAt = now();
    const ready = gathered;
    gathered = new Map();
    for (const [target, batches] of ready) {
      const sent: Promise<void> = send(target, [...batches.values()].flatMap(split)).finally(() =>
        sending.delete(sent),
      );
      sending.add(sent);
    }
  };

  // A clock that was set back must not hold the rings up.
  const waitMs = (): number => Math.max(gatherMs, Math.min(restMs, sentAt + restMs - now()));

  return {
    ring: (target, lanes, { priority = "live", at } = {}) => {
      if (lanes.length === 0) return;
      const due = at === undefined || at <= now() ? undefined : Math.ceil(at / dueStepMs) * dueStepMs;
      const batches = gathered.get(target) ?? new Map<string, Batch>();
      gathered.set(target, batches);
      const key = `${priority} ${due ?? ""}`;
      const batch = batches.get(key) ?? { priority, at: due, lanes: new Set<string>() };
      batches.set(key, batch);
      for (const lane of lanes) batch.lanes.add(lane);
      timer ??= setTimeout(sendAll, waitMs());
    },
    flush: async () => {
      sendAll();
      await Promise.all(sending);
    },
  };
}

function split({ lanes, priority, at }: Batch): GatheredRing[] {
  const all = [...lanes];
  const count = Math.ceil(all.length / maxLanesPerRing);
  return Array.from({ length: count }, (_, index) => ({
    lanes: all.slice(index * maxLanesPerRing, (index + 1) * maxLanesPerRing),
    priority,
    at,
  }));
}
