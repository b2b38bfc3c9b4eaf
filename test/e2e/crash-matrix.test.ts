import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runMatrix } from "../../crash-matrix/matrix.ts";
import { points } from "../../crash-matrix/points.ts";
import { hasFailed } from "../../crash-matrix/report.ts";
import { runCell } from "../../crash-matrix/run-cell.ts";
import { targetKinds } from "../../crash-matrix/setting.ts";
import type { Stage } from "../../crash-matrix/stage.ts";
import { openStage } from "../../crash-matrix/stage.ts";

// The short version: every point once, all settings in turn. The long one, with the scenarios, is `npm run -s crash-matrix`.

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

describe("a process killed at each named point and started again", () => {
  it("has lost, doubled and misordered nothing on the target", { timeout: 600_000 }, async () => {
    const options = { points, scenarios: [], runs: 1, quick: true, seed: "short", parallel: 4 };
    const outcomes = await runMatrix(stage, options, () => undefined);
    expect(outcomes.map(({ name }) => name)).toEqual(points.map(({ name }) => name));
    expect(outcomes.filter(hasFailed)).toEqual([]);
  });

  it.each(targetKinds)(
    "would be seen to double where a %s target does not do what it declares",
    async (target) => {
      const point = points.find(({ name }) => name === "call.committed");
      if (point === undefined) throw new Error("there is no such point");
      const { duplicated, lost } = await runCell(stage, { point, target, queue: "redis" }, "forgetful", true);
      expect(duplicated).toBeGreaterThan(0);
      expect(lost).toBe(0);
    },
  );
});
