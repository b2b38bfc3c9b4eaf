import type { Flow } from "../flows/flow.ts";
import { routeEvent } from "../flows/route.ts";
import type { NewReplay, ReplayEvent, ReplayRange, Replays } from "../ledger/replay.ts";
import { eventOf } from "../ledger/reader.ts";
import type { EventType } from "../model/event.ts";
import type { Queue } from "../queue/queue.ts";
import { ringLanes } from "../queue/ring-lanes.ts";

/** Which past events to run through which flow. Times are those of receipt, RFC 3339; `since` inclusive, `until` exclusive. */
export interface ReplayRequest {
  readonly flow: Flow;
  readonly since: string;
  readonly until: string;
  /** Those of the flow's event types that are meant; all of them when absent. */
  readonly types?: readonly EventType[];
  /** New deliveries at most. */
  readonly limit?: number;
}

/** What a replay has come to. */
export interface ReplayCounts {
  /** New deliveries. */
  readonly replayed: number;
  /** Events left out because a delivery of theirs by this flow is not over yet. */
  readonly pending: number;
  /** Events left out because the flow's lane fails on them. */
  readonly failed: number;
  /** How far the search has come, between 0 and 1. */
  readonly fraction: number;
}

interface ReplayParts {
  readonly replays: Replays;
  readonly queue: Queue;
  readonly onProgress: (counts: ReplayCounts) => void;
}

/**
 * Makes new deliveries of past events, by the flow as it is configured now, behind live traffic and in the order in which the events came. What
 * an earlier delivery is on record as having carried out is not sent again: the worker sees to that. Ends early when the signal is aborted;
 * run again, it leaves out what is pending and sends nothing twice.
 */
export async function replay(
  request: ReplayRequest,
  { replays, queue, onProgress }: ReplayParts,
  signal: AbortSignal,
): Promise<ReplayCounts> {
  const { flow, limit = Infinity } = request;
  let counts: ReplayCounts = { replayed: 0, pending: 0, failed: 0, fraction: 0 };
  for await (const { events, fraction } of pagesOf(request, replays, signal)) {
    const { ready, pending, failed } = sortOut(flow, events, limit - counts.replayed);
    const made = ready.length === 0 ? [] : await replays.redeliver(flow.name, ready);
    await ringLanes(queue, made, { priority: "backfill" });
    counts = {
      replayed: counts.replayed + made.length,
      // What another process has begun on meanwhile.
      pending: counts.pending + pending + ready.length - made.length,
      failed: counts.failed + failed,
      fraction,
    };
    onProgress(counts);
    if (counts.replayed >= limit) break;
  }
  return counts;
}

/** The events of a request, page by page, each with how far the search has come. */
export async function* pagesOf(
  { flow, since, until, types = flow.events }: ReplayRequest,
  replays: Replays,
  signal: AbortSignal,
): AsyncGenerator<{ readonly events: readonly ReplayEvent[]; readonly fraction: number }> {
  const bounds = await replays.bounds();
  if (bounds === undefined) return;
  const range: ReplayRange = { flow: flow.name, connections: flow.connections, types, since, until };
  let after = bounds.first - 1;
  while (after < bounds.last && !signal.aborted) {
    const page = await replays.page(range, after);
    after = page.last;
    const fraction = Math.min(1, (after - bounds.first + 1) / (bounds.last - bounds.first + 1));
    yield { events: page.events, fraction };
  }
}

interface Sorted {
  readonly ready: readonly NewReplay[];
  readonly pending: number;
  readonly failed: number;
}

function sortOut(flow: Flow, events: readonly ReplayEvent[], most: number): Sorted {
  const ready: NewReplay[] = [];
  let pending = 0;
  let failed = 0;
  for (const row of events) {
    if (ready.length >= most) break;
    const [delivery] = routeEvent([flow], eventOf(row), "backfill");
    if (row.pending) pending += 1;
    else if (delivery === undefined || delivery.dead !== undefined) failed += 1;
    else ready.push({ sequence: row.sequence, target: delivery.target, lane: delivery.lane });
  }
  return { ready, pending, failed };
}
