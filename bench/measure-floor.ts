import { startChild } from "./calls.ts";
import type { FloorClient, FloorHandlers } from "./child-floor.ts";
import { checkDesk } from "./count-check.ts";
import type { Figures } from "./figures.ts";
import { figuresOf, startCpuMeter } from "./figures.ts";
import type { Stage } from "./stage.ts";

/**
 * The least that a worker on BullMQ has to do: jobs that were enqueued beforehand, each of them one POST to the desk stub, no ledger. The
 * latency is that of a job in hand, from its start to the desk's answer.
 */
export async function measureFloor(stage: Stage, client: FloorClient): Promise<Figures> {
  const { events, warmUp, concurrency, profile } = stage.options;
  const run = stage.nextRun("floor");
  const count = warmUp + events;
  const flags =
    profile === undefined
      ? []
      : ["--cpu-prof", `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${run}.cpuprofile`];
  const floor = startChild<FloorHandlers>("./child-floor.ts", flags);
  try {
    const order = { redisPort: stage.redis.port, stubUrl: stage.stubUrl, run, count, concurrency, client };
    await stage.stub.call("expect", { run, count });
    await floor.call("enqueue", order);
    const warm = stage.stub.call("reached", warmUp);
    await floor.call("work", order);
    const startedAt = await warm;
    const meter = startCpuMeter(stage, [floor.pid]);
    const endedAt = await stage.stub.call("reached", count);
    const cpu = meter(events);
    const handledMs = await floor.call("finish", undefined);
    await checkDesk(stage, run);
    return figuresOf(events, endedAt - startedAt, handledMs.slice(-events), cpu);
  } finally {
    await floor.stop();
  }
}
