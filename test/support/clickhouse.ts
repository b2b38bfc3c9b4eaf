import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { lockFile, writableCache } from "./cache.ts";

const run = promisify(execFile);

/** ClickHouse's engine as a library. Not in `package.json`: its packages for other systems are missing in some registries, and a lock file names them all. */
const engine = "chdb@3.4.0";

/** A ClickHouse on loopback: the real engine, behind as much of its HTTP interface as the official client needs here. */
export interface ClickHouse {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly close: () => Promise<void>;
}

/** Fetches the engine once, below `.cache/`; throws with the command to run where that is not possible. */
async function findEngine(): Promise<string> {
  const cache = join(writableCache(), "chdb");
  const folder = join(cache, "node_modules/chdb");
  const unlock = await lockFile(join(writableCache(), "chdb.lock"));
  try {
    const done = join(cache, "complete");
    if (!existsSync(done)) {
      await mkdir(cache, { recursive: true });
      await run(
        "npm",
        ["install", "--prefix", cache, "--no-audit", "--no-fund", "--ignore-scripts", engine],
        { timeout: 300_000 },
      );
      await mkdir(done);
    }
    return folder;
  } catch (cause) {
    throw new Error(
      `the tests need ClickHouse's engine and could not get it; run: npm install --prefix ${cache} ${engine}`,
      { cause },
    );
  } finally {
    unlock();
  }
}

/** Starts an engine with nothing in it. */
export async function openClickHouse(): Promise<ClickHouse> {
  const folder = await findEngine();
  const data = await mkdtemp(join(tmpdir(), "deskbridge-clickhouse-"));
  const script = join(import.meta.dirname, "clickhouse-engine.ts");
  const child = spawn(process.execPath, [script, folder, data], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const port = await Promise.race([
    once(child.stdout, "data").then(([chunk]) => Number(String(chunk))),
    exited.then(([code]) => Promise.reject(new Error(`the engine of ClickHouse ended with ${String(code)}`))),
  ]);
  return {
    url: `http://127.0.0.1:${port}`,
    username: "default",
    password: "secret-of-clickhouse",
    close: async () => {
      child.kill("SIGKILL");
      await exited;
      await rm(data, { recursive: true, force: true });
    },
  };
}
