import {
  type BackendFactory,
  type ConnectionOptions,
  type IQueueBackend,
  type Job,
  type Processor,
  Queue as BullQueue,
  type QueueOptions,
  Worker as BullWorker,
  type WorkerOptions,
} from "bullmq";
import { setTimeout as delay } from "node:timers/promises";
import { nextCronTime } from "./cron.ts";
import type { RingPriority } from "./queue.ts";

/** A job of ours: a ring's lanes, or the name of a scheduled tick. */
export interface JobData {
  readonly lanes?: readonly string[];
  readonly priority?: RingPriority;
  readonly schedule?: string;
}

export interface NewJob {
  readonly name: string;
  readonly data: JobData;
  readonly opts: { readonly priority?: number; readonly delay?: number };
}

export type RingJob = Job<JobData, void>;
export type JobQueue = BullQueue<JobData, void, string, JobData, void, string, IQueueBackend>;
export type JobWorker = BullWorker<JobData, void, string, IQueueBackend>;

/** Where BullMQ keeps its jobs. Queues and workers made here share the backend's connections. */
export interface Backend {
  /** Makes BullMQ's backend for one queue. */
  readonly factory: BackendFactory;
  /** BullMQ asks for one even where the factory brings its own. */
  readonly producerConnection: ConnectionOptions;
  readonly workerConnection: ConnectionOptions;
  /** Adds jobs in the way that is cheapest here. */
  readonly add: (queue: JobQueue, jobs: readonly NewJob[]) => Promise<void>;
  /** Prefix of the keys of one queue. */
  readonly prefix: (queue: string) => string;
  /** Rejects when the backend does not answer; the caller bounds its time. */
  readonly ping: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface WorkerTiming {
  /** How long a job is ours without a sign of life. */
  readonly lockMs: number;
  readonly stalledCheckMs: number;
}

/** BullMQ lets no colon into a queue's name or a scheduler's. */
export function encodeName(name: string): string {
  return encodeURIComponent(name).replaceAll(".", "%2E");
}

const settings = {
  // The same reading of cron expressions as the configuration's check.
  repeatStrategy: (
    afterMs: number,
    { pattern = "", tz }: { readonly pattern?: string; readonly tz?: string },
  ) => nextCronTime(pattern, tz, afterMs),
};

/** A queue that adds jobs and reads counts. */
export function openJobQueue(backend: Backend, name: string): JobQueue {
  const options: QueueOptions = {
    connection: backend.producerConnection,
    prefix: backend.prefix(name),
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    skipMetasUpdate: true,
    skipVersionCheck: true,
    settings,
  };
  return new BullQueue(name, options, backend.factory);
}

/** A worker that has not been started: `run` starts it. */
export function openJobWorker(
  backend: Backend,
  name: string,
  timing: WorkerTiming,
  concurrency: number,
  processor: Processor<JobData, void>,
): JobWorker {
  const options: WorkerOptions = {
    connection: backend.workerConnection,
    prefix: backend.prefix(name),
    autorun: false,
    concurrency,
    lockDuration: timing.lockMs,
    stalledInterval: timing.stalledCheckMs,
    // A job that stalled more often than this goes to `failed`, never to be seen again. A ring must not: it comes back however often its
    // workers died, and what is wrong with a delivery is counted in the ledger.
    maxStalledCount: 1_000_000,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
    runRetryDelay: 1_000,
    settings,
  };
  return new BullWorker(name, processor, options, backend.factory);
}

/** BullMQ asks again at once after an error that is no refused connection; a server that is starting or full would be asked without end. */
export function restAfterFaults<B extends IQueueBackend>(backend: B, restMs: number): B {
  const moveToActive = backend.moveToActive.bind(backend);
  return Object.assign(backend, {
    moveToActive: (...parameters: Parameters<IQueueBackend["moveToActive"]>) =>
      moveToActive(...parameters).catch(async (error: unknown) => {
        await delay(restMs);
        throw error;
      }),
  });
}
