import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventPoint } from "../../crash-matrix/event-points.ts";
import { runMatrix } from "../../crash-matrix/matrix.ts";
import { points } from "../../crash-matrix/points.ts";
import { hasFailed } from "../../crash-matrix/report.ts";
import { runEventCell } from "../../crash-matrix/run-event-cell.ts";
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
  it("has lost, doubled and misordered nothing on the target", { timeout: 1_200_000 }, async () => {
    const once = { runs: 1, scenarioRuns: 1, quick: true };
    const options = { ...once, points, scenarios: [], seed: "short", parallel: 5 };
    const outcomes = await runMatrix(stage, options, () => undefined);
    expect(outcomes.map(({ name }) => name)).toEqual(points.map(({ name }) => name));
    expect(outcomes.filter(hasFailed)).toEqual([]);
  });

  it.each(targetKinds)(
    "would be seen to double where a %s target does not do what it declares",
    async (target) => {
      const cell = { point: eventPoint("call.committed"), target, queue: "redis" } as const;
      const { duplicated, lost } = await runEventCell(stage, cell, "forgetful", true);
      expect(duplicated).toBeGreaterThan(0);
      expect(lost).toBe(0);
    },
  );
});
