import { checkAnswers, checkDesk, checkLedger } from "./count-check.ts";
import type { Figures } from "./figures.ts";
import { figuresOf, startCpuMeter } from "./figures.ts";
import { sendLoad } from "./load.ts";
import type { Database } from "./database.ts";
import type { Stage } from "./stage.ts";
import { percentile } from "./statistics.ts";
import type { QueueBackend, System } from "./system.ts";
import { startSystem } from "./system.ts";

/** `one` is `up`; `two` is `serve` and `work` side by side, as they are run where one process is not enough. */
export type Layout = "one" | "two";

/** Signed webhooks, as fast as they are answered, to tickets on the stub. The latency is from the sending of a webhook to its ticket. */
export async function measureEndToEnd(stage: Stage, queue: QueueBackend, layout: Layout): Promise<Figures> {
  const { events, warmUp } = stage.options;
  const count = warmUp + events;
  const run = stage.nextRun("whole");
  const database = await stage.freshDatabase();
  const systems: System[] = [];
  try {
    await stage.stub.call("expect", { run, count });
    const url = await startAll(stage, database, queue, layout, systems);
    await sendLoad(stage, { url, run, from: 0, count: warmUp });
    await stage.stub.call("reached", warmUp);
    const meter = startCpuMeter(
      stage,
      systems.map(({ pid }) => pid),
    );
    const { sent } = await sendLoad(stage, { url, run, from: warmUp, count: events });
    const endedAt = await stage.stub.call("reached", count);
    const cpu = meter(events);
    checkAnswers(run, sent.statuses, events);
    await checkLedger(database, run, count);
    const { arrivedAt } = await checkDesk(stage, run);
    const wayMs = sent.sentAt.map((at, index) => (arrivedAt[warmUp + index] ?? Number.NaN) - at);
    const figures = figuresOf(events, endedAt - sent.startedAt, wayMs, cpu);
    return { ...figures, ackP99Ms: percentile(sent.ackMs, 0.99) };
  } finally {
    for (const system of systems) await system.stop();
    await database.drop();
  }
}

async function startAll(
  stage: Stage,
  database: Database,
  queue: QueueBackend,
  layout: Layout,
  systems: System[],
): Promise<string> {
  const first = await startSystem(stage, layout === "one" ? "up" : "serve", database, queue);
  systems.push(first);
  if (layout === "two") systems.push(await startSystem(stage, "work", database, queue));
  return first.hookUrl;
}
