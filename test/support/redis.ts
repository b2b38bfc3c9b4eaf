import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { findRedis, type RedisBinary } from "./redis-binary.ts";

/** A real Redis of a test's own, on loopback, that keeps nothing on disk. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** Of the server that runs now. */
  readonly pid: number;
  /** Ends the server at once, as a crash would; its data is gone. */
  readonly kill9: () => Promise<void>;
  /** Starts an empty server on the same port, after ending the one that runs. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Starts a Redis, fetching the program first where the machine has none. The caller stops it. */
export async function startRedis(extraArguments: readonly string[] = []): Promise<TestRedis> {
  const redis = await findRedis();
  const port = await freePort();
  let server = await launch(redis, port, extraArguments);
  const end = async (signal: NodeJS.Signals) => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exit = once(server, "exit");
    server.kill(signal);
    await exit;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid ?? 0;
    },
    kill9: () => end("SIGKILL"),
    restart: async () => {
      await end("SIGKILL");
      server = await launch(redis, port, extraArguments);
    },
    stop: () => end("SIGTERM"),
  };
}

async function launch(
  redis: RedisBinary,
  port: number,
  extraArguments: readonly string[],
): Promise<ChildProcess> {
  const settings = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--dir",
    tmpdir(),
  ];
  const child = spawn(redis.program, [...settings, ...extraArguments], {
    env: { ...process.env, ...redis.env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { promise, resolve, reject } = Promise.withResolvers<ChildProcess>();
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if (output.includes("Ready to accept connections")) resolve(child);
  });
  child.once("error", reject);
  child.once("exit", (code) =>
    reject(new Error(`redis-server ended with ${code} before it was ready: ${output.slice(-500)}`)),
  );
  return promise;
}

function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const probe = createServer();
  probe.once("error", reject);
  probe.listen(0, "127.0.0.1", () => {
    const address = probe.address();
    probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return promise;
}
