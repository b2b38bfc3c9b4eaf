import { AppError } from "../errors.ts";

interface BatcherOptions<In, Out> {
  /** Most items in one batch. */
  readonly maxItems: number;
  /** Most items that may wait for a batch; one more is refused with `ledger_busy`. */
  readonly maxWaiting: number;
  /** Batches under way at the same time. */
  readonly parallel: number;
  /**
   * How long the first item of a batch waits for others when the last batch ended less than this time ago, in milliseconds. Else, and when
   * not told, it waits one turn of the event loop, so that everything that is ready now can join.
   */
  readonly gatherMs?: number;
  /** Carries out a batch; the results are in the order of the items. Throws when nothing of the batch happened. */
  readonly run: (items: readonly In[]) => Promise<readonly Out[]>;
  /** True for a fault of the batch as a whole (no database), false for one that a single item may have caused. */
  readonly isShared: (error: unknown) => boolean;
}

interface Entry<In, Out> {
  readonly item: In;
  readonly resolve: (value: Out) => void;
  readonly reject: (error: unknown) => void;
}

/** Gathers calls that are made at the same time into batches: what arrives while a batch is under way makes up the next one. */
export interface Batcher<In, Out> {
  readonly submit: (item: In) => Promise<Out>;
  /** Items that wait for a batch. */
  readonly waiting: () => number;
}

export function createBatcher<In, Out>(options: BatcherOptions<In, Out>): Batcher<In, Out> {
  let queue: Entry<In, Out>[] = [];
  let running = 0;
  let scheduled = false;
  let endedAt = Number.NEGATIVE_INFINITY;
  const { gatherMs = 0 } = options;

  const schedule = (): void => {
    if (scheduled || running >= options.parallel || queue.length === 0) return;
    scheduled = true;
    if (performance.now() - endedAt < gatherMs) setTimeout(pump, gatherMs);
    else setImmediate(pump);
  };

  const pump = (): void => {
    scheduled = false;
    while (running < options.parallel && queue.length > 0) {
      const entries = queue.slice(0, options.maxItems);
      queue = queue.slice(options.maxItems);
      running += 1;
      void runBatch(entries, options).finally(() => {
        running -= 1;
        endedAt = performance.now();
        schedule();
      });
    }
  };

  const submit = (item: In): Promise<Out> =>
    new Promise((resolve, reject) => {
      if (queue.length >= options.maxWaiting) {
        const message = `${queue.length} calls are waiting for the database; try again shortly`;
        reject(new AppError("ledger_busy", message, { retryAfterMs: 1000 }));
        return;
      }
      queue.push({ item, resolve, reject });
      schedule();
    });

  return { submit, waiting: () => queue.length };
}

async function runBatch<In, Out>(
  entries: readonly Entry<In, Out>[],
  options: BatcherOptions<In, Out>,
): Promise<void> {
  try {
    const results = await options.run(entries.map((entry) => entry.item));
    entries.forEach((entry, index) => entry.resolve(results[index] as Out));
  } catch (error) {
    // One bad item must not take its neighbours along: without a shared cause each is tried by itself.
    if (entries.length > 1 && !options.isShared(error)) {
      for (const entry of entries) await runBatch([entry], options);
    } else for (const entry of entries) entry.reject(error);
  }
}
