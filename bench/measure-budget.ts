import { setTimeout as pause } from "node:timers/promises";
import type { CallLimit } from "./call-limit.ts";
import { sharedNow } from "./calls.ts";
import type { Receipts } from "./child-stub.ts";
import { checkAnswers, CountError } from "./count-check.ts";
import { sendLoad } from "./load.ts";
import type { Database } from "./database.ts";
import type { Stage } from "./stage.ts";
import type { System } from "./system.ts";
import { startSystem } from "./system.ts";

/** How a rate limit was used while more waited than it lets through. */
export interface BudgetUse {
  /** Calls that the desk took, as a share of those that it would have taken in the time from the first window to the last. */
  readonly used: number;
  /** Calls that the desk refused with 429 after the first minute, and before. */
  readonly rejected: number;
  readonly rejectedBefore: number;
  readonly calls: number;
  readonly seconds: number;
}

/** That of deskbridge-limited.yaml. */
const limit: CallLimit = { calls: 40, perSeconds: 20 };
const processes = 3;
const firstMinuteMs = 60_000;

/** Lets operations pile up in the ledger, then three processes at them, to a desk that takes 40 calls in any 20 seconds. */
export async function measureBudget(stage: Stage): Promise<BudgetUse> {
  const { operations, seconds } = stage.options.budget;
  const run = stage.nextRun("budget");
  const database = await stage.freshDatabase();
  const workers: System[] = [];
  try {
    await fill(stage, database, run, operations);
    await stage.stub.call("expect", { run, count: operations, limit });
    const startedAt = sharedNow();
    for (let index = 0; index < processes; index += 1)
      workers.push(await startSystem(stage, "work", database, "redis", "limited"));
    await pause(seconds * 1000 - (sharedNow() - startedAt));
    const receipts = await stage.stub.call("receipts", undefined);
    checkOnce(run, receipts);
    return useOf(receipts, limit);
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
    await database.drop();
  }
}

async function fill(stage: Stage, database: Database, run: string, count: number): Promise<void> {
  const server = await startSystem(stage, "serve", database, "redis", "limited");
  try {
    const { sent } = await sendLoad(stage, { url: server.hookUrl, run, from: 0, count });
    checkAnswers(run, sent.statuses, count);
  } finally {
    await server.stop();
  }
}

function checkOnce(run: string, { repeated, strange }: Receipts): void {
  if (repeated > 0) throw new CountError(`${run}: ${repeated} tickets arrived more than once`);
  if (strange.length > 0) throw new CountError(`${run}: the desk was asked for ${strange[0]}`);
}

/**
 * What was used, by the rate from the end of the first full window to the last call: whole windows arrive at once, so that a count from the
 * first call on would gain up to a window.
 */
export function useOf({ arrivedAt, refusedAt }: Receipts, { calls, perSeconds }: CallLimit): BudgetUse {
  const arrivals = arrivedAt.filter((at) => at !== null).toSorted((one, other) => one - other);
  const [first = 0, firstFull = 0, last = 0] = [arrivals[0], arrivals[calls - 1], arrivals.at(-1)];
  const allowed = (calls * (last - firstFull)) / (perSeconds * 1000);
  const late = refusedAt.filter((at) => at > first + firstMinuteMs).length;
  return {
    used: allowed > 0 ? (arrivals.length - calls) / allowed : 0,
    rejected: late,
    rejectedBefore: refusedAt.length - late,
    calls: arrivals.length,
    seconds: Math.round((last - first) / 1000),
  };
}
