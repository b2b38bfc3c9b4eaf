import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { readEnvironment } from "../../src/config/environment.ts";
import { createCrashPoint, noCrashPoint } from "../../src/telemetry/crash-point.ts";

const run = promisify(execFile);
const module = resolve(import.meta.dirname, "../../src/telemetry/crash-point.ts");

/** Passes two points three times each in a process of its own, and says how that went. */
async function passInProcess(armed: string): Promise<{ signal: string | null; out: string; err: string }> {
  const script = `
    import { createCrashPoint } from ${JSON.stringify(module)};
    const crashPoint = createCrashPoint(${JSON.stringify(armed)});
    for (const round of [1, 2, 3]) {
      crashPoint("effect.sent");
      crashPoint("work.settled");
      process.stdout.write(round + " ");
    }`;
  const child = run(process.execPath, ["--input-type=module", "-e", script]);
  return child.then(
    ({ stdout, stderr }) => ({ signal: null, out: stdout, err: stderr }),
    (error: { readonly signal: string | null; readonly stdout: string; readonly stderr: string }) => ({
      signal: error.signal,
      out: error.stdout,
      err: error.stderr,
    }),
  );
}

describe("a crash point", () => {
  it("is one and the same function that does nothing where none is armed", () => {
    expect(createCrashPoint(undefined)).toBe(noCrashPoint);
    expect(noCrashPoint("effect.sent")).toBeUndefined();
  });

  it("kills its process at the passage it is armed for, and says so", async () => {
    expect(await passInProcess("work.settled@2")).toEqual({
      signal: "SIGKILL",
      out: "1 ",
      err: "crash point work.settled, passage 2: SIGKILL\n",
    });
  });

  it("lets a process be that does not pass it so often", async () => {
    expect(await passInProcess("work.settled@4")).toEqual({ signal: null, out: "1 2 3 ", err: "" });
  });

  it.each(["nowhere", "effect.sent@0", "effect.sent@two", "effect.sent:go", ""])("refuses %j", (armed) => {
    expect(() => createCrashPoint(armed)).toThrow(/is no crash point; expected one of ingress.received/);
  });
});

describe("DESKBRIDGE_CRASH_AT", () => {
  it("is refused outside of tests", () => {
    const variables = { DESKBRIDGE_CRASH_AT: "effect.sent" };
    const refused = expect.objectContaining({ code: "environment_invalid" }) as Error;
    expect(() => readEnvironment(variables)).toThrow(refused);
    expect(() => readEnvironment({ ...variables, NODE_ENV: "production" })).toThrow(refused);
  });

  it("is taken in a test, and absent where it is empty", () => {
    const read = (crashAt: string) =>
      readEnvironment({ DESKBRIDGE_CRASH_AT: crashAt, NODE_ENV: "test" }).crashAt;
    expect(read("effect.sent@2")).toBe("effect.sent@2");
    expect(read("")).toBeUndefined();
  });
});
