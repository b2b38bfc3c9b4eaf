import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";

function start(...words: string[]) {
  return spawn(process.execPath, ["src/main.ts", ...words], { stdio: ["ignore", "pipe", "pipe"] });
}

/** Starts it with Node's own word on what it takes from the cache of compiled code. */
async function startTold(): Promise<string> {
  const env = { ...process.env, NODE_DEBUG_NATIVE: "COMPILE_CACHE" };
  const child = spawn(process.execPath, ["src/main.ts", "--version"], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  return stderr;
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

describe("the deskbridge process", () => {
  it("ends with the exit code of its command line, its answer on stdout only", async () => {
    const child = start("check", "config/deskbridge.yaml", "nowhere.yaml", "--json");
    const exit = once(child, "exit");
    const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    expect(await exit).toEqual([1, null]);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, files: [{ ok: true }, { ok: false }] });
    expect(stderr).toBe("");
  });

  it("does not mind that nobody reads its answer to the end", async () => {
    const child = start("schema");
    child.stdout.destroy();
    const exit = once(child, "exit");
    expect(await textOf(child.stderr)).toBe("");
    expect(await exit).toEqual([0, null]);
  });

  it("starts with what an earlier start has compiled", async () => {
    await startTold();
    expect(await startTold()).toMatch(/code cache for ESM \S+command-line\.ts was accepted/);
  });
});
