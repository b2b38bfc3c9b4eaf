import { DelayedError } from "bullmq";
import type { CrashPoint } from "../telemetry/crash-point.ts";
import {
  type Backend,
  encodeName,
  type JobQueue,
  type NewJob,
  openJobQueue,
  openJobWorker,
  type RingJob,
  type WorkerTiming,
} from "./backend.ts";
import { withTimeLimit } from "./time-limit.ts";
import type { FaultLog } from "./fault-log.ts";
import { interruptible, runJobWorker } from "./job-runner.ts";
import type {
  Queue,
  QueueDepth,
  QueueWorker,
  Ring,
  RingOptions,
  RingOutcome,
  RingPriority,
} from "./queue.ts";
import {
  createRingGatherer,
  type GatheredRing,
  type RingGatherer,
  type RingGathererOptions,
} from "./ring-gatherer.ts";

export interface TargetRingsOptions {
  readonly backend: Backend;
  readonly faults: FaultLog;
  readonly timing: WorkerTiming &
    Pick<RingGathererOptions, "gatherMs" | "restMs"> & { readonly answerMs: number };
  readonly onRings: (target: string, outcome: "sent" | "failed", count: number) => void;
  readonly onHandlerFault: (name: string, error: unknown) => void;
  readonly crashPoint: CrashPoint;
}

type RingHandler = (ring: Ring, signal: AbortSignal) => Promise<RingOutcome>;

/** BullMQ takes jobs without a priority first, then those of the lowest number. */
const bullPriority: Readonly<Record<RingPriority, number>> = { live: 0, backfill: 10, export: 20 };
const lastCloseMs = 1_000;

/** The rings of all targets: one BullMQ queue a target, opened when it is first used. */
export class TargetRings implements Pick<Queue, "ring" | "flush" | "work" | "close"> {
  readonly #options: TargetRingsOptions;
  readonly #gatherer: RingGatherer;
  readonly #queues = new Map<string, JobQueue>();
  readonly #workers = new Set<QueueWorker>();
  #closed = false;

  constructor(options: TargetRingsOptions) {
    this.#options = options;
    this.#gatherer = createRingGatherer({
      gatherMs: options.timing.gatherMs,
      restMs: options.timing.restMs,
      now: Date.now,
      send: (target, rings) => this.#send(target, rings),
    });
  }

  ring = (target: string, lanes: readonly string[], options?: RingOptions): void => {
    if (!this.#closed) this.#gatherer.ring(target, lanes, options);
  };

  flush = (): Promise<void> => this.#gatherer.flush();

  work = async (target: string, concurrency: number, handler: RingHandler): Promise<QueueWorker> => {
    const { backend, timing, faults, onHandlerFault, crashPoint } = this.#options;
    const stop = new AbortController();
    const work = interruptible((job, token) => {
      crashPoint("ring.taken");
      return handleRing(job, token, target, (ring) => handler(ring, stop.signal), onHandlerFault);
    });
    const bullWorker = openJobWorker(backend, queueName(target), timing, concurrency, work.process);
    const worker = runJobWorker(bullWorker, work, stop, faults);
    this.#workers.add(worker);
    return { close: (withinMs) => worker.close(withinMs).finally(() => this.#workers.delete(worker)) };
  };

  /** Counts what waits; the caller bounds its time. */
  async depth(target: string): Promise<QueueDepth> {
    const counts = await this.#queue(target).getJobCounts("waiting", "prioritized", "active", "delayed");
    const { waiting = 0, prioritized = 0, active = 0, delayed = 0 } = counts;
    return { waiting: waiting + prioritized, active, delayed };
  }

  close = async (): Promise<void> => {
    this.#closed = true;
    await this.#gatherer.flush();
    await Promise.all([...this.#workers].map((worker) => worker.close(lastCloseMs)));
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  };

  async #send(target: string, rings: readonly GatheredRing[]): Promise<void> {
    const { backend, timing, onRings, faults, crashPoint } = this.#options;
    crashPoint("ring.gathered");
    try {
      await withTimeLimit(backend.add(this.#queue(target), rings.map(toJob)), timing.answerMs);
      onRings(target, "sent", rings.length);
    } catch (error) {
      onRings(target, "failed", rings.length);
      faults.report("rings failed; the sweeper makes up for them", error, { target });
    }
  }

  #queue(target: string): JobQueue {
    const name = queueName(target);
    const existing = this.#queues.get(name);
    if (existing !== undefined) return existing;
    const queue = openJobQueue(this.#options.backend, name);
    queue.on("error", (error) => this.#options.faults.report("queue fault", error, { queue: name }));
    this.#queues.set(name, queue);
    return queue;
  }
}

function queueName(target: string): string {
  return `target-${encodeName(target)}`;
}

function toJob({ lanes, priority, at }: GatheredRing): NewJob {
  const opts = {
    ...(bullPriority[priority] > 0 ? { priority: bullPriority[priority] } : {}),
    ...(at === undefined ? {} : { delay: Math.max(0, at - Date.now()) }),
  };
  return { name: "ring", data: { lanes, priority }, opts };
}

async function handleRing(
  job: RingJob,
  token: string | undefined,
  target: string,
  handler: (ring: Ring) => Promise<RingOutcome>,
  onHandlerFault: (name: string, error: unknown) => void,
): Promise<void> {
  const { lanes = [], priority = "live" } = job.data;
  let outcome: RingOutcome;
  try {
    outcome = await handler({ target, lanes, priority });
  } catch (error) {
    // Not passed on to BullMQ: it would keep the error's text in its backend.
    onHandlerFault(target, error);
    return;
  }
  if (outcome.kind === "done") return;
  await job.moveToDelayed(outcome.until, token);
  throw new DelayedError();
}
