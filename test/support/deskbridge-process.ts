import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openEmbeddedPostgres } from "../../src/ledger/embedded.ts";
import { temporaryDataDir } from "./data-dir.ts";

export interface ProcessOptions {
  readonly verb?: "up" | "serve" | "work";
  readonly config: string;
  /** All the variables that the process gets, besides `PATH` and `HOME`. */
  readonly variables: Readonly<Record<string, string>>;
  /** The program, for one with other connectors than those of the project. */
  readonly program?: string;
  /** Options of Node.js, such as `--import`. */
  readonly nodeOptions?: readonly string[];
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A deskbridge in a process of its own. */
export interface DeskbridgeProcess {
  readonly pid: number;
  /** Where it answers; empty for `work`, and before it does. */
  readonly url: string;
  /** Everything that it has written so far. */
  readonly output: () => string;
  /** Resolves when the output holds this text; throws when the process ends first, or after a minute. */
  readonly printed: (text: string) => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<ProcessEnd>;
  /** Ends it at once, as a crash would. An embedded PostgreSQL goes on, for the next process on the same data directory. */
  readonly kill9: () => Promise<void>;
  /** Asks it to stop, and waits until it has. */
  readonly stop: () => Promise<ProcessEnd>;
}

/** A data directory, and the processes that work on it one after the other or side by side. */
export interface DeskbridgeHome {
  readonly dataDir: string;
  /** Starts a process. It is ready when this resolves; one that serves takes a free port. */
  readonly start: (options: ProcessOptions) => Promise<DeskbridgeProcess>;
  /** Starts a process and does not wait until it is ready, which it may never be. */
  readonly launch: (options: ProcessOptions) => DeskbridgeProcess;
  /** Ends what still runs, an embedded PostgreSQL that a kill left behind too, and removes the data. */
  readonly remove: () => Promise<void>;
}

const ownProgram = resolve(import.meta.dirname, "../../src/main.ts");
const readyWithinMs = 60_000;
const printedWithinMs = 60_000;

export async function deskbridgeHome(): Promise<DeskbridgeHome> {
  const folder = await temporaryDataDir();
  const processes: DeskbridgeProcess[] = [];
  const launchHere = (options: ProcessOptions): DeskbridgeProcess => {
    const launched = launch(folder.path, options);
    processes.push(launched);
    return launched;
  };
  return {
    dataDir: folder.path,
    start: async (options) => {
      const started = launchHere(options);
      if (options.verb === "work") await started.printed("deskbridge is at work");
      else {
        await started.printed("deskbridge is up at ");
        await untilReady(started);
      }
      return started;
    },
    launch: launchHere,
    remove: async () => {
      for (const process of processes) await process.kill9();
      await stopLeftDatabase(join(folder.path, "postgres"));
      await folder.remove();
    },
  };
}

function launch(dataDir: string, options: ProcessOptions): DeskbridgeProcess {
  const { verb = "up", config, variables, program = ownProgram, nodeOptions = [] } = options;
  const port = verb === "work" ? [] : ["--port", "0"];
  const words = [verb, "--config", config, "--data", dataDir, ...port];
  const child = spawn(process.execPath, [...nodeOptions, program, ...words], {
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
  }
  const ended = endOf(child);
  const end = async (signal: NodeJS.Signals): Promise<ProcessEnd> => {
    child.kill(signal);
    return ended;
  };
  return {
    pid: child.pid ?? 0,
    get url() {
      return /deskbridge is up at (\S+)/.exec(text)?.[1] ?? "";
    },
    output: () => text,
    printed: (wanted) => untilPrinted(child, () => text, wanted),
    kill: (signal) => void child.kill(signal),
    ended,
    kill9: async () => void (await end("SIGKILL")),
    stop: () => end("SIGTERM"),
  };
}

/** With the streams closed, so that the last words are there. */
async function endOf(child: ChildProcess): Promise<ProcessEnd> {
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

async function untilPrinted(child: ChildProcess, output: () => string, wanted: string): Promise<void> {
  const until = Date.now() + printedWithinMs;
  while (!output().includes(wanted)) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended || Date.now() > until) {
      const what = ended ? "ended before it said" : "did not say";
      throw new Error(`deskbridge ${what} "${wanted}":\n${output().slice(-2000)}`);
    }
    await pause(20);
  }
}

async function untilReady({ url, output }: DeskbridgeProcess): Promise<void> {
  const until = Date.now() + readyWithinMs;
  while (Date.now() < until) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.status === 200) return;
    await pause(50);
  }
  throw new Error(`deskbridge is not ready:\n${output().slice(-2000)}`);
}

async function stopLeftDatabase(dataDir: string): Promise<void> {
  if (!existsSync(dataDir)) return;
  const server = await openEmbeddedPostgres({ dataDir });
  await server.close();
}
