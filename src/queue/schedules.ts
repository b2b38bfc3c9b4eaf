import { DelayedError } from "bullmq";
import { setTimeout as delay } from "node:timers/promises";
import {
  type Backend,
  encodeName,
  type JobQueue,
  openJobQueue,
  openJobWorker,
  type RingJob,
  type WorkerTiming,
} from "./backend.ts";
import { withTimeLimit } from "./time-limit.ts";
import type { FaultLog } from "./fault-log.ts";
import { interruptible, runJobWorker } from "./job-runner.ts";
import type { Queue, QueueWorker } from "./queue.ts";
import { createTickWatch, type TickWatch, withSigns } from "./tick-watch.ts";
import { createTimetables, type ScheduleEntry, type Timetables } from "./timetables.ts";

export interface SchedulesOptions {
  readonly backend: Backend;
  readonly faults: FaultLog;
  readonly timing: WorkerTiming & { readonly upkeepMs: number; readonly answerMs: number };
  readonly onHandlerFault: (name: string, error: unknown) => void;
}

const queueName = "schedules";
/** Schedules of one process that may run at a time. */
const concurrency = 32;
/** A tick that this process has no handler for goes back this long, for one that has. */
const passOnMs = 250;
/** So many signs of life a living process gives in the time after which it would be taken for dead. */
const signsInSilence = 4;

/**
 * Schedules on one BullMQ queue. A tick is taken by one process that has a handler for it. Timetables that the backend has lost are set
 * again by any process that has them; one that was removed on purpose stays removed.
 */
export class Schedules implements Pick<Queue, "schedule" | "unschedule" | "scheduled" | "close"> {
  readonly #options: SchedulesOptions;
  readonly #queue: JobQueue;
  readonly #entries = new Map<string, ScheduleEntry>();
  readonly #timetables: Timetables;
  readonly #watch: TickWatch;
  readonly #upkeep: NodeJS.Timeout;
  #worker: QueueWorker | undefined;
  #keepingUp = false;

  constructor(options: SchedulesOptions) {
    const { backend, faults, timing } = options;
    this.#options = options;
    this.#queue = openJobQueue(backend, queueName);
    this.#queue.on("error", (error) => faults.report("schedule queue fault", error));
    this.#watch = createTickWatch(timing.lockMs, () => performance.now());
    this.#timetables = createTimetables(this.#queue, this.#entries, this.#watch);
    this.#upkeep = setInterval(() => void this.#keepUp(), timing.upkeepMs);
    this.#upkeep.unref();
  }

  schedule: Queue["schedule"] = async (name, timetable, handler) => {
    const { faults, timing } = this.#options;
    const entry: ScheduleEntry = {
      timetable,
      handler,
      stop: new AbortController(),
      running: new Set(),
      established: false,
      toConfirm: 0,
    };
    this.#entries.set(name, entry);
    this.#worker ??= this.#startWorker();
    try {
      await withTimeLimit(this.#timetables.establish(name, entry), timing.answerMs);
    } catch (error) {
      faults.report("timetable could not be set yet", error, { schedule: name });
    }
    return { close: (withinMs) => this.#forget(name, entry, withinMs) };
  };

  unschedule = async (name: string): Promise<void> => {
    this.#entries.delete(name);
    await this.#queue.removeJobScheduler(encodeName(name));
  };

  scheduled = async (): Promise<readonly string[]> => {
    const schedulers = await this.#queue.getJobSchedulers(0, -1, true);
    return schedulers.map(({ key }) => decodeURIComponent(key));
  };

  close = async (): Promise<void> => {
    clearInterval(this.#upkeep);
    await Promise.all([...this.#entries].map(([name, entry]) => this.#forget(name, entry, 0)));
    await this.#queue.close();
  };

  #startWorker(): QueueWorker {
    const { backend, faults, timing } = this.#options;
    const work = interruptible((job, token) => this.#tick(job, token));
    const bullWorker = openJobWorker(backend, queueName, timing, concurrency, work.process);
    return runJobWorker(bullWorker, work, new AbortController(), faults);
  }

  async #tick(job: RingJob, token: string | undefined): Promise<void> {
    const name = job.data.schedule ?? "";
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      await job.moveToDelayed(Date.now() + passOnMs, token);
      throw new DelayedError();
    }
    if (entry.running.size > 0 || (await this.#hasPredecessor(job))) return;
    const { onHandlerFault, timing } = this.#options;
    const run: Promise<void> = entry
      .handler(entry.stop.signal, plannedAt(job))
      .catch((error: unknown) => onHandlerFault(name, error))
      .finally(() => entry.running.delete(run));
    entry.running.add(run);
    await withSigns(job, timing.lockMs / signsInSilence, run);
  }

  /** Whether an earlier tick of the schedule still runs, in whatever process. Ticks become active in the order of their times. */
  async #hasPredecessor(job: RingJob): Promise<boolean> {
    const active = await this.#queue.getJobs(["active"]);
    this.#watch.look(active);
    return active.some(
      (other) =>
        other.data.schedule === job.data.schedule &&
        plannedAt(other) < plannedAt(job) &&
        !this.#watch.isSilent(other),
    );
  }

  async #keepUp(): Promise<void> {
    if (this.#entries.size === 0 || this.#keepingUp) return;
    this.#keepingUp = true;
    try {
      await this.#timetables.upkeep();
    } catch (error) {
      this.#options.faults.report("schedule upkeep failed", error);
    }
    this.#keepingUp = false;
  }

  async #forget(name: string, entry: ScheduleEntry, withinMs: number): Promise<void> {
    if (this.#entries.get(name) === entry) this.#entries.delete(name);
    entry.stop.abort();
    const limit = new AbortController();
    await Promise.race([
      Promise.all(entry.running),
      delay(withinMs, undefined, { signal: limit.signal }).catch(() => undefined),
    ]);
    limit.abort();
    if (this.#entries.size > 0 || this.#worker === undefined) return;
    const last = this.#worker;
    this.#worker = undefined;
    await last.close(0);
  }
}

/** BullMQ ends the id of a scheduler's job with the time that it is for. */
function plannedAt(job: RingJob): number {
  return Number(job.id?.split(":").at(-1));
}
