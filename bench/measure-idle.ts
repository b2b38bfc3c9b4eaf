import { setTimeout as pause } from "node:timers/promises";
import { checkDesk, checkLedger } from "./count-check.ts";
import type { Stage } from "./stage.ts";
import { percentile } from "./statistics.ts";
import type { QueueBackend } from "./system.ts";
import { startSystem } from "./system.ts";

export interface Idle {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const warmUp = 20;
const events = 100;

/** From the sending of a webhook to its ticket when nothing else goes on: one at a time, on a running `up`. */
export async function measureIdle(stage: Stage, queue: QueueBackend): Promise<Idle> {
  const run = stage.nextRun("idle");
  const count = warmUp + events;
  const database = await stage.freshDatabase();
  const system = await startSystem(stage, "up", database, queue);
  try {
    await stage.stub.call("expect", { run, count });
    await stage.sender.call("prepare", { url: system.hookUrl, run, from: 0, count });
    await stage.sender.call("connect", 1);
    const wayMs: number[] = [];
    for (let index = 0; index < count; index += 1) {
      // Not in step with any timer of the system.
      await pause(5 + Math.random() * 20);
      const arrived = stage.stub.call("reached", index + 1);
      const sentAt = await stage.sender.call("sendOne", index);
      wayMs.push((await arrived) - sentAt);
    }
    await checkLedger(database, run, count);
    await checkDesk(stage, run);
    const measured = wayMs.slice(warmUp);
    return { p50Ms: percentile(measured, 0.5), p99Ms: percentile(measured, 0.99) };
  } finally {
    await system.stop();
    await database.drop();
  }
}
