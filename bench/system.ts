import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { endProcess } from "./calls.ts";
import type { Database } from "./database.ts";
import type { Stage } from "./stage.ts";
import { shop } from "./traffic.ts";

export type Verb = "up" | "serve" | "work";
/** What BullMQ runs on. */
export type QueueBackend = "redis" | "postgres";

/** A deskbridge, started from its command line as a user would. */
export interface System {
  readonly pid: number;
  /** Where the shop's webhooks go; empty for `work`. */
  readonly hookUrl: string;
  readonly stop: () => Promise<void>;
}

const program = fileURLToPath(new URL("../src/main.ts", import.meta.url));
/** The configurations of this folder: the desk takes whatever it gets, has a rate limit, or takes no idempotency keys. */
const configs = {
  open: fileURLToPath(new URL("deskbridge.yaml", import.meta.url)),
  limited: fileURLToPath(new URL("deskbridge-limited.yaml", import.meta.url)),
  lookup: fileURLToPath(new URL("deskbridge-lookup.yaml", import.meta.url)),
};
export type SystemConfig = keyof typeof configs;

const readyWithinMs = 60_000;

/** Starts one, with its output in a file so that nobody here has to read it along. Resolves when it serves, or works. */
export async function startSystem(
  stage: Stage,
  verb: Verb,
  database: Database,
  queue: QueueBackend,
  config: SystemConfig = "open",
): Promise<System> {
  const { options, folder } = stage;
  const output = join(folder, `${stage.nextRun(verb)}.log`);
  const profile =
    options.profile === undefined
      ? []
      : [
          "--cpu-prof",
          `--cpu-prof-dir=${options.profile}`,
          `--cpu-prof-name=${stage.nextRun(verb)}.cpuprofile`,
        ];
  const atPort = verb === "work" ? [] : ["--port", "0"];
  const args = [verb, "--config", configs[config], "--data", folder, ...atPort];
  const file = openSync(output, "w");
  const child = spawn(process.execPath, [...profile, program, ...args], {
    env: {
      PATH: process.env["PATH"],
      DATABASE_URL: database.url,
      ...(queue === "redis" ? { REDIS_URL: stage.redis.url } : {}),
      BENCH_CLIENT_SECRET: shop.clientSecret,
      BENCH_DESK_URL: stage.stubUrl,
      BENCH_DESK_KEY: "bench-desk-key-0123456789",
    },
    stdio: ["ignore", file, "inherit"],
  });
  closeSync(file);
  const stop = (): Promise<void> => endProcess(child);
  const deadline = performance.now() + readyWithinMs;
  for (;;) {
    const text = readFileSync(output, "utf8");
    const url = /deskbridge is up at (\S+)/.exec(text)?.[1];
    if (url !== undefined) return { pid: child.pid ?? 0, hookUrl: `${url}/hooks/shop`, stop };
    if (text.includes("deskbridge is at work")) return { pid: child.pid ?? 0, hookUrl: "", stop };
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error(`deskbridge ${verb} did not start; its output ends with: ${text.slice(-1000)}`);
    }
    await pause(10);
  }
}
