import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** A demo in a process of its own. */
export interface DemoProcess {
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Resolves when standard output holds this text; throws when the process ends first. */
  readonly printed: (text: string) => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
}

const program = resolve(import.meta.dirname, "../../demo/main.ts");

/** Starts the demo with these arguments, in this folder. It gets these variables only, besides `PATH` and `HOME`. */
export function startDemo(
  words: readonly string[],
  variables: Readonly<Record<string, string>>,
  cwd: string,
): DemoProcess {
  const child = spawn(process.execPath, [program, ...words], {
    cwd,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => void (text.stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => void (text.stderr += chunk));
  return {
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    printed: async (wanted) => {
      while (!text.stdout.includes(wanted)) {
        if (child.exitCode !== null)
          throw new Error(`the demo ended before it said "${wanted}": ${text.stderr}`);
        await pause(20);
      }
    },
    kill: (signal) => void child.kill(signal),
    ended: codeOf(child),
  };
}

async function codeOf(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, "close")) as [number | null];
  return code;
}
