import { cpuMsOf } from "./process-cost.ts";
import type { Stage } from "./stage.ts";
import { percentile } from "./statistics.ts";

/** CPU time an event, user and system, in milliseconds. */
export interface CpuPerEvent {
  /** Of the measured processes of ours. */
  readonly process: number;
  readonly redis: number;
  readonly postgres: number;
}

/** What one round of a measurement found. */
export interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMsPerEvent: CpuPerEvent;
  /** How the senders fared, where webhooks were sent. */
  readonly ackP99Ms?: number;
}

/** Reads how much CPU time has been used since it was made. */
export type CpuMeter = (events: number) => CpuPerEvent;

export function startCpuMeter(stage: Stage, pids: readonly number[]): CpuMeter {
  const read = () => ({
    process: pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0),
    redis: cpuMsOf(stage.redis.pid),
    postgres: cpuMsOf(stage.postgresPid),
  });
  const before = read();
  return (events) => {
    const now = read();
    return {
      process: (now.process - before.process) / events,
      redis: (now.redis - before.redis) / events,
      postgres: (now.postgres - before.postgres) / events,
    };
  };
}

/** Rate and percentiles of something that took `elapsedMs` for all and `eachMs` for each event. */
export function figuresOf(
  events: number,
  elapsedMs: number,
  eachMs: readonly number[],
  cpuMsPerEvent: CpuPerEvent,
): Figures {
  return {
    perSecond: (events / elapsedMs) * 1000,
    p50Ms: percentile(eachMs, 0.5),
    p99Ms: percentile(eachMs, 0.99),
    cpuMsPerEvent,
  };
}
