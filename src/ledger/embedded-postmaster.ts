import { existsSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What PostgreSQL writes about its main process into its data directory. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly ready: boolean;
}

const pollMs = 20;

/** Reads `postmaster.pid`; undefined when there is none, or one that is still being written. */
export function readPostmaster(dataDirectory: string): Postmaster | undefined {
  const file = join(dataDirectory, "postmaster.pid");
  if (!existsSync(file)) return undefined;
  // Line by line: pid, data directory, start time, port, socket directory, listen address, shared memory key, status.
  const lines = readFileSync(file, "utf8").split("\n");
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!(pid > 1)) return undefined;
  return { pid, port, ready: lines[7]?.trim() === "ready" };
}

/** Whether the process runs and is the main process of the cluster in this data directory; pids are used again by other programs. */
export function isPostmasterOf(pid: number, dataDirectory: string): boolean {
  if (!isRunning(pid)) return false;
  const command = commandLine(pid);
  return command.includes(dataDirectory) || command.includes(realpathSync(dataDirectory));
}

/** A file that names a living process of another program would keep PostgreSQL from starting; one of a dead process it clears itself. */
export function clearForeignPidFile(dataDirectory: string): void {
  const postmaster = readPostmaster(dataDirectory);
  if (postmaster === undefined || !isRunning(postmaster.pid) || isPostmasterOf(postmaster.pid, dataDirectory))
    return;
  rmSync(join(dataDirectory, "postmaster.pid"), { force: true });
}

/** Stops the cluster: first by ending its sessions (a clean shutdown), then by force. Resolves when its process is gone. */
export async function stopPostmaster(pid: number, dataDirectory: string): Promise<void> {
  const steps = [
    { signal: "SIGINT", waitMs: 20_000 },
    { signal: "SIGQUIT", waitMs: 5_000 },
    { signal: "SIGKILL", waitMs: 5_000 },
  ] as const;
  for (const { signal, waitMs } of steps) {
    if (!isPostmasterOf(pid, dataDirectory)) return;
    send(pid, signal);
    // A stopped (SIGSTOP) process takes no other signal until it is continued.
    send(pid, "SIGCONT");
    const deadline = performance.now() + waitMs;
    while (isRunning(pid) && performance.now() < deadline) await delay(pollMs);
    if (!isRunning(pid)) return;
  }
}

/** Resolves true when the cluster is ready for connections, false when the process is gone before that or the time is over. */
export async function waitUntilReady(pid: number, dataDirectory: string, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const postmaster = readPostmaster(dataDirectory);
    if (postmaster?.pid === pid && postmaster.ready) return true;
    if (!isRunning(pid)) return false;
    await delay(pollMs);
  }
  return false;
}

/** Whether a process has this pid and has not ended. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return !isZombie(pid);
}

/** A process that has ended but whose parent has not collected it still has its pid; in a container that may last. */
function isZombie(pid: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    // The state follows the program's name, which is in parentheses and may hold some itself.
    return /^\s*[ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8").split(")").at(-1) ?? "");
  } catch {
    return true;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already.
  }
}

function commandLine(pid: number): string {
  if (process.platform === "linux") {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    } catch {
      return "";
    }
  }
  return spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" }).stdout;
}
