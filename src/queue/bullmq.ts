import type { Logger } from "pino";
import type { CrashPoint } from "../telemetry/crash-point.ts";
import { noCrashPoint } from "../telemetry/crash-point.ts";
import { AppError } from "../errors.ts";
import type { Backend, WorkerTiming } from "./backend.ts";
import { openPostgresBackend } from "./backend-postgres.ts";
import { openRedisBackend } from "./backend-redis.ts";
import { createFaultLog, type FaultLog } from "./fault-log.ts";
import type { Queue } from "./queue.ts";
import { Schedules } from "./schedules.ts";
import { TargetRings } from "./target-rings.ts";
import { withTimeLimit } from "./time-limit.ts";

export interface BullmqQueueOptions {
  /** `redis://`, `rediss://` (TLS), `redis+cluster://host:port,host:port` or `rediss+cluster://`. */
  readonly redisUrl?: string | undefined;
  /** Used when there is no `redisUrl`. */
  readonly postgresUrl?: string | undefined;
  readonly logger: Logger;
  /** Counts jobs handed to the backend, such as `metrics.rings`. */
  readonly onRings?: (target: string, outcome: "sent" | "failed", count: number) => void;
  /** Counts rings (by target) and ticks (by schedule) whose handler threw; the fault itself is logged here. */
  readonly onHandlerFault?: (name: string) => void;
  /** Keeps installations on one backend apart: the prefix of the Redis keys (`deskbridge` unless told), or the schema (`deskbridge_queue`). */
  readonly namespace?: string;
  readonly timing?: Partial<QueueTiming>;
  readonly crashPoint?: CrashPoint;
}

/** Times in milliseconds; each has a default that suits production. */
export interface QueueTiming extends WorkerTiming {
  /** How long rings are gathered when none were sent just before. */
  readonly gatherMs: number;
  /** The least time from one sending of rings to the next. */
  readonly restMs: number;
  /** How long adding jobs, or a question to the backend, may take. */
  readonly answerMs: number;
  /** How often lost timetables are looked for. */
  readonly upkeepMs: number;
}

const defaultTiming: QueueTiming = {
  gatherMs: 4,
  restMs: 15,
  answerMs: 5_000,
  upkeepMs: 5_000,
  lockMs: 30_000,
  stalledCheckMs: 30_000,
};
/** A tick is left out while the one before it runs, so one whose process died is to be found out soon; a tick that runs twice does no harm. */
const scheduleTiming: WorkerTiming = { lockMs: 5_000, stalledCheckMs: 2_500 };
const faultLinesEveryMs = 10_000;

/**
 * The queue on BullMQ: on Redis when there is a URL for it, else on PostgreSQL. Opens also while Redis is away, and works when it is back;
 * PostgreSQL must answer (`queue_unavailable`). The caller closes it, its workers first.
 */
export async function openBullmqQueue(options: BullmqQueueOptions): Promise<Queue> {
  const timing = { ...defaultTiming, ...options.timing };
  const faults = createFaultLog(options.logger, faultLinesEveryMs, () => performance.now());
  const backend = await openBackend(options, faults);
  const onHandlerFault = (name: string, error: unknown) => {
    options.onHandlerFault?.(name);
    faults.report("queue handler failed", error, { name });
  };
  const onRings = options.onRings ?? (() => undefined);
  const { crashPoint = noCrashPoint } = options;
  const rings = new TargetRings({ backend, faults, timing, onRings, onHandlerFault, crashPoint });
  const schedules = new Schedules({
    backend,
    faults,
    timing: { ...timing, ...scheduleTiming, ...options.timing },
    onHandlerFault,
  });
  const answered = async <T>(promise: Promise<T>): Promise<T> => {
    try {
      return await withTimeLimit(promise, timing.answerMs);
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      throw new AppError("queue_unavailable", "the queue backend failed to answer", { cause });
    }
  };
  return {
    ring: rings.ring,
    flush: rings.flush,
    work: rings.work,
    depth: (target) => answered(rings.depth(target)),
    schedule: schedules.schedule,
    unschedule: (name) => answered(schedules.unschedule(name)),
    scheduled: () => answered(schedules.scheduled()),
    ping: () => answered(backend.ping()),
    close: async () => {
      await Promise.all([schedules.close(), rings.close()]);
      await backend.close();
    },
  };
}

async function openBackend(options: BullmqQueueOptions, faults: FaultLog): Promise<Backend> {
  const { redisUrl, postgresUrl, namespace } = options;
  if (redisUrl !== undefined) return openRedisBackend(redisUrl, namespace ?? "deskbridge", faults);
  if (postgresUrl !== undefined)
    return openPostgresBackend(postgresUrl, namespace ?? "deskbridge_queue", faults);
  throw new AppError("internal", "the queue needs the URL of a Redis or of a PostgreSQL");
}
