import { readdirSync, readFileSync } from "node:fs";

/** Linux counts CPU time for user space in hundredths of a second, whatever the kernel's own tick is. */
const tickMs = 10;

interface ProcessTimes {
  readonly parent: number;
  /** User and system time of all its threads, in milliseconds. */
  readonly ownMs: number;
  /** The same of its children that have ended and were waited for. */
  readonly endedChildrenMs: number;
}

/** Reads a line of `/proc/<pid>/stat`; the name in parentheses may hold anything, so counting starts behind it. */
export function parseStat(line: string): ProcessTimes {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const field = (place: number): number => Number(fields[place - 3]);
  return {
    parent: field(4),
    ownMs: (field(14) + field(15)) * tickMs,
    endedChildrenMs: (field(16) + field(17)) * tickMs,
  };
}

/** CPU time that a process has used so far with its children, those that ended and those that run, in milliseconds. */
export function cpuMsOf(pid: number): number {
  const all = new Map<number, ProcessTimes>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = readProcFile(`/proc/${name}/stat`);
    if (line !== undefined) all.set(Number(name), parseStat(line));
  }
  const own = all.get(pid);
  if (own === undefined) throw new Error(`there is no process ${pid}`);
  let total = own.ownMs + own.endedChildrenMs;
  for (const times of all.values()) {
    if (times.parent === pid) total += times.ownMs + times.endedChildrenMs;
  }
  return total;
}

/** Resident memory of one process, in mebibytes. */
export function residentMb(pid: number): number {
  const status = readProcFile(`/proc/${pid}/status`) ?? "";
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error(`there is no process ${pid}`);
  return Number(kib) / 1024;
}

/** A process may end between the listing and the reading. */
function readProcFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
