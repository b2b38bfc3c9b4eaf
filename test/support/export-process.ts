import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";

/** What a command of the real program said, and how it ended. */
export interface ExportEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExportProcess {
  readonly pid: number;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Resolves when standard error holds this text; rejects when the process ends first. */
  readonly noted: (text: string) => Promise<void>;
  readonly ended: Promise<ExportEnd>;
}

const program = resolve(import.meta.dirname, "../../src/main.ts");

export interface ExportLimits {
  /** The largest file that it may write, in kilobytes: beyond that writing fails, as on a disk that is full. */
  readonly fileKilobytes?: number;
}

/** Starts `deskbridge export …` as a process of its own, with these variables only, besides `PATH` and `HOME`. */
export function startExport(
  words: readonly string[],
  variables: Readonly<Record<string, string>>,
  { fileKilobytes }: ExportLimits = {},
): ExportProcess {
  const limit = fileKilobytes === undefined ? "" : `ulimit -S -f ${fileKilobytes} && `;
  const command = ["-c", `${limit}exec "$@"`, "bash", process.execPath, program, "export", ...words];
  const child = spawn("bash", command, {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => void (text.stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text.stderr += chunk;
    for (const listener of listeners) listener();
  });
  const ended = endOf(child, text);
  return {
    pid: child.pid ?? 0,
    kill: (signal) => void child.kill(signal),
    ended,
    noted: (wanted) =>
      new Promise((found, missed) => {
        const look = (): void => {
          if (!text.stderr.includes(wanted)) return;
          listeners.delete(look);
          found();
        };
        listeners.add(look);
        look();
        void ended.then(({ stderr }) => missed(new Error(`it ended without saying ${wanted}: ${stderr}`)));
      }),
  };
}

async function endOf(
  child: ChildProcess,
  text: { readonly stdout: string; readonly stderr: string },
): Promise<ExportEnd> {
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout: text.stdout, stderr: text.stderr };
}
