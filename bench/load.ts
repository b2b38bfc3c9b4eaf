import type { Load, Sent } from "./child-sender.ts";
import type { CpuPerEvent } from "./figures.ts";
import { startCpuMeter } from "./figures.ts";
import type { Stage } from "./stage.ts";

/** Signs so many webhooks, then sends them as fast as they are answered; counts the CPU time of these processes of ours meanwhile. */
export async function sendLoad(
  stage: Stage,
  load: Load,
  pids: readonly number[] = [],
): Promise<{ readonly sent: Sent; readonly cpu: CpuPerEvent }> {
  await stage.sender.call("prepare", load);
  await stage.sender.call("connect", stage.options.connections);
  const meter = startCpuMeter(stage, pids);
  const sent = await stage.sender.call("send", undefined);
  return { sent, cpu: meter(load.count) };
}
