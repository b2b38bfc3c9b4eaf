import type { Queue, QueueWorker, TickHandler, Timetable } from "./queue.ts";

/** A timetable that there is to be, and what to do by it. */
export interface WantedTimetable {
  readonly timetable: Timetable;
  readonly handler: TickHandler;
}

/** The timetables whose names begin alike, kept as the configuration wants them. */
export interface TimetableSet {
  /** Sets what is new, replaces what has changed and removes what is not wanted any more, in the queue as well. */
  readonly keep: (wanted: ReadonlyMap<string, WantedTimetable>) => Promise<void>;
  readonly close: (withinMs: number) => Promise<void>;
}

/** Makes an empty set. Names that begin with `prefix` are its own, also those that an earlier process has set. */
export function createTimetableSet(queue: Queue, prefix: string): TimetableSet {
  const set = new Map<string, { readonly timetable: Timetable; readonly worker: QueueWorker }>();
  return {
    keep: async (wanted) => {
      for (const name of await queue.scheduled()) {
        if (name.startsWith(prefix) && !wanted.has(name)) await queue.unschedule(name);
      }
      for (const [name, { worker }] of set) {
        if (wanted.has(name)) continue;
        set.delete(name);
        await worker.close(0);
      }
      for (const [name, { timetable, handler }] of wanted) {
        const known = set.get(name);
        if (known !== undefined && isSame(known.timetable, timetable)) continue;
        await known?.worker.close(0);
        set.set(name, { timetable, worker: await queue.schedule(name, timetable, handler) });
      }
    },
    close: async (withinMs) => {
      await Promise.all([...set.values()].map(({ worker }) => worker.close(withinMs)));
    },
  };
}

function isSame(one: Timetable, other: Timetable): boolean {
  if ("everyMs" in one) return "everyMs" in other && one.everyMs === other.everyMs;
  return "cron" in other && one.cron === other.cron && one.timezone === other.timezone;
}
