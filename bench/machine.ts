import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { significant } from "./statistics.ts";

/** What the figures were taken on. Everything that takes part runs on these cores. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGb: number;
  readonly node: string;
  readonly kernel: string;
  /** The load average of the last minute before the first measurement: above 0.3 or so others were at work too. */
  readonly loadBefore: number;
}

export function describeMachine(): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? "unknown",
    memoryGb: significant(totalmem() / 1024 ** 3),
    node: process.version,
    kernel: readFileSync("/proc/sys/kernel/osrelease", "utf8").trim(),
    loadBefore: significant(loadavg()[0] ?? 0),
  };
}
