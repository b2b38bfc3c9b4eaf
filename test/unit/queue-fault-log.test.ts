import { describe, expect, it } from "vitest";
import { createFaultLog } from "../../src/queue/fault-log.ts";
import { captureLog } from "../support/captured-log.ts";

describe("fault log", () => {
  it("writes the first fault of a kind at once and then counts, kind by kind", () => {
    const log = captureLog();
    let now = 0;
    const faults = createFaultLog(log.logger, 1_000, () => now);
    for (now = 0; now <= 1_000; now += 250) faults.report("down", new Error("refused"));
    faults.report("other", "text");
    expect(log.lines().map(({ msg, message, suppressed }) => [msg, message, suppressed])).toEqual([
      ["down", "refused", undefined],
      ["down", "refused", 3],
      ["other", "text", undefined],
    ]);
  });

  it("writes an error's code and message, and nothing else that a driver hung on it", () => {
    const log = captureLog();
    const error = Object.assign(new Error("WRONGPASS"), {
      code: "ERR",
      command: { name: "auth", args: ["secret"] },
    });
    createFaultLog(log.logger, 1_000, () => 0).report("down", error, { target: "desk" });
    expect(log.lines()).toEqual([
      expect.objectContaining({ msg: "down", message: "WRONGPASS", code: "ERR", target: "desk" }),
    ]);
    expect(JSON.stringify(log.lines())).not.toContain("secret");
  });
});
