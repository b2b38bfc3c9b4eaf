import { randomUUID } from "node:crypto";
import { encodeName, type JobQueue } from "./backend.ts";
import type { TickHandler, Timetable } from "./queue.ts";
import type { TickWatch } from "./tick-watch.ts";

/** A schedule as this process has it. */
export interface ScheduleEntry {
  readonly timetable: Timetable;
  readonly handler: TickHandler;
  readonly stop: AbortController;
  /** Ticks that run now. */
  readonly running: Set<Promise<void>>;
  /** False until the backend has had the timetable from us. */
  established: boolean;
  /** How many more times it is looked at whether the backend has kept what we set. */
  toConfirm: number;
}

export interface Timetables {
  /** Sets the timetable, unless the backend has the same one already: setting it again would begin its period anew. */
  readonly establish: (name: string, entry: ScheduleEntry) => Promise<void>;
  /** Sets again what the backend has lost, and what a dead process holds up. */
  readonly upkeep: () => Promise<void>;
}

/** A field that is gone when the backend's data is gone. */
const epochField = "deskbridge-epoch";
/**
 * A tick that is taken while its timetable is replaced may put the old one back. Who replaced it looks again this many times, and no more, so
 * that two processes with different configurations do not set theirs against each other for ever.
 */
const confirmations = 3;
/** A tick this late that no job stands for was lost. */
const lostAfterMs = 60_000;
/** A tick planned for so much later than the timetable says was planned by a process whose clock is ahead: it would be waited for as long. */
const aheadMs = 5_000;

/**
 * Keeps BullMQ's job schedulers in step with the entries of this process. What is missing is taken for removed on purpose, unless the
 * backend's data as a whole was lost, which shows in a mark that is kept beside it.
 */
export function createTimetables(
  queue: JobQueue,
  entries: ReadonlyMap<string, ScheduleEntry>,
  watch: TickWatch,
): Timetables {
  const backend = queue.getBackend();
  let epoch: string | undefined;

  const currentEpoch = async () => {
    const found = await backend.getQueueMetaField(epochField);
    const fresh = randomUUID();
    if (found === null) await backend.setQueueMeta({ [epochField]: fresh });
    return found ?? fresh;
  };
  const establish = async (name: string, entry: ScheduleEntry) => {
    epoch ??= await currentEpoch();
    const found = await queue.getJobScheduler(encodeName(name));
    if (found === undefined || !isSame(found, entry.timetable)) {
      await set(queue, name, entry.timetable);
      entry.toConfirm = confirmations;
    }
    entry.established = true;
  };
  const restore = async (name: string, entry: ScheduleEntry, active: Active, everythingLost: boolean) => {
    if (!entry.established) return establish(name, entry);
    const found = await queue.getJobScheduler(encodeName(name));
    if (found === undefined) return everythingLost ? set(queue, name, entry.timetable) : undefined;
    if (entry.toConfirm > 0) {
      entry.toConfirm -= 1;
      if (!isSame(found, entry.timetable)) return set(queue, name, entry.timetable);
    }
    return comesAgain(queue, name, entry.timetable, found.next ?? 0, active);
  };

  return {
    establish,
    upkeep: async () => {
      const found = await currentEpoch();
      const everythingLost = epoch !== undefined && found !== epoch;
      const jobs = await queue.getJobs(["active"]);
      watch.look(jobs);
      const active = new Map(jobs.map((tick) => [tick.id, { silent: watch.isSilent(tick) }]));
      for (const [name, entry] of entries) await restore(name, entry, active, everythingLost);
      // Only now, so that a fault on the way makes the next upkeep try the rest again.
      epoch = found;
    },
  };
}

/** Ticks that are under way in whatever process, by the ids of their jobs. */
type Active = ReadonlyMap<string | undefined, { readonly silent: boolean }>;

async function set(queue: JobQueue, name: string, timetable: Timetable): Promise<void> {
  const tick = { name: "tick", data: { schedule: name } };
  await queue.upsertJobScheduler(encodeName(name), repeatOf(timetable), tick);
}

/** Sees to it that a timetable's next tick comes: it may have been planned too late, have been lost, or have been taken by a process that died. */
async function comesAgain(
  queue: JobQueue,
  name: string,
  timetable: Timetable,
  next: number,
  active: Active,
): Promise<void> {
  const everyMs = "everyMs" in timetable ? timetable.everyMs : Number.POSITIVE_INFINITY;
  if (next > Date.now() + everyMs + aheadMs) {
    // Only another period begins anew; the same one again would keep the time that was planned.
    await set(queue, name, { everyMs: everyMs + 1 });
    return set(queue, name, timetable);
  }
  const tickId = `repeat:${encodeName(name)}:${next}`;
  // A tick plans the next one when it is taken: with a process that died before that, none would come any more.
  if (active.get(tickId)?.silent === true) return set(queue, name, timetable);
  if (next > Date.now() - lostAfterMs) return undefined;
  return (await queue.getJob(tickId)) === undefined ? set(queue, name, timetable) : undefined;
}

function repeatOf(timetable: Timetable) {
  if ("everyMs" in timetable) return { every: timetable.everyMs };
  return { pattern: timetable.cron, tz: timetable.timezone };
}

function isSame(
  found: { readonly every?: number; readonly pattern?: string; readonly tz?: string },
  timetable: Timetable,
): boolean {
  if ("everyMs" in timetable) return Number(found.every) === timetable.everyMs;
  return found.pattern === timetable.cron && found.tz === timetable.timezone;
}
