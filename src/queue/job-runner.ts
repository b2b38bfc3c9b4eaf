import { WaitingError } from "bullmq";
import { setTimeout as delay } from "node:timers/promises";
import type { JobWorker, RingJob } from "./backend.ts";
import type { FaultLog } from "./fault-log.ts";
import type { QueueWorker } from "./queue.ts";

/** A processor that can be cut short: `release` ends what is in flight for BullMQ's part, while its own work may still go on. */
export interface Interruptible {
  readonly process: (job: RingJob, token: string | undefined) => Promise<void>;
  readonly release: () => void;
}

/**
 * Wraps a processor. A job that was released stays ours until its lock runs out; then the stall check puts it back for another worker,
 * which is also what happens to the jobs of a process that died.
 */
export function interruptible(
  process: (job: RingJob, token: string | undefined) => Promise<void>,
): Interruptible {
  const { promise: released, resolve } = Promise.withResolvers<"released">();
  return {
    process: async (job, token) => {
      if ((await Promise.race([process(job, token), released])) === "released") throw new WaitingError();
    },
    release: () => resolve("released"),
  };
}

/** How long after its time a close goes on waiting for the backend's own clean-up. */
const graceMs = 1_000;

/** Runs a BullMQ worker until it is closed, starting its loop again should it ever end by itself. */
export function runJobWorker(
  worker: JobWorker,
  work: Interruptible,
  stop: AbortController,
  faults: FaultLog,
): QueueWorker {
  worker.on("error", (error) => faults.report("queue worker fault", error, { queue: worker.name }));
  void keepRunning(worker, stop.signal, faults);
  let closing: Promise<void> | undefined;
  return {
    close: (withinMs) => (closing ??= closeWorker(worker, work, stop, withinMs)),
  };
}

async function keepRunning(worker: JobWorker, signal: AbortSignal, faults: FaultLog): Promise<void> {
  while (!signal.aborted) {
    try {
      await worker.run();
    } catch (error) {
      faults.report("queue worker stopped", error, { queue: worker.name });
    }
    await delay(500, undefined, { signal }).catch(() => undefined);
  }
}

async function closeWorker(
  worker: JobWorker,
  work: Interruptible,
  stop: AbortController,
  withinMs: number,
): Promise<void> {
  stop.abort();
  const closed = worker.close().then(
    () => true,
    () => true,
  );
  const deadline = new AbortController();
  const after = (ms: number) => delay(ms, false, { signal: deadline.signal }).catch(() => false);
  if (!(await Promise.race([closed, after(withinMs)]))) {
    work.release();
    // With the backend away its connections may not say goodbye; the process must still be able to end.
    if (!(await Promise.race([closed, after(graceMs)]))) worker.disconnect().catch(() => undefined);
  }
  deadline.abort();
}
