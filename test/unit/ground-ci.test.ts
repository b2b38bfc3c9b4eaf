import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

const script = join(import.meta.dirname, "../../.ci/run");
const goodDemo = {
  sent: 220,
  accepted: 210,
  duplicates: 6,
  rejected: 3,
  ticketsOpened: 9,
  messagesAppended: 2,
  replied: 7,
  dead: 0,
  pending: 0,
  exported: 40,
  seconds: 4,
};
const goodExport = {
  rows: 40,
  datasets: { tickets: { rows: 9 } },
  seconds: 1,
  watermark: "2026-11-27T13:00:00.000Z",
};

interface Scenario {
  /** Exit code of `npm run lint`. */
  readonly check?: number;
  readonly install?: number;
  /** What the test run reports; null for no report. */
  readonly report?: object | null;
  /** Exit code of the test run. */
  readonly test?: number;
  readonly demo?: object;
  readonly exported?: object;
}

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

// Runs the script in a folder where `npm` only plays what is given.
async function play(scenario: Scenario) {
  const { check = 0, install = 0, report = passed, test = 0, demo = goodDemo } = scenario;
  const { exported = goodExport } = scenario;
  const folder = await mkdtemp(join(tmpdir(), "ci-run-"));
  folders.push(folder);
  await mkdir(join(folder, ".ci"));
  await mkdir(join(folder, "bin"));
  await cp(script, join(folder, ".ci/run"));
  await writeFile(join(folder, "report.json"), JSON.stringify(report));
  await writeFile(join(folder, "demo.json"), `live progress\n${JSON.stringify(demo)}\n`);
  await writeFile(join(folder, "export.json"), `${JSON.stringify(exported)}\n`);
  await writeFile(
    join(folder, "bin/npm"),
    `#!/usr/bin/env bash
case "$*" in
  ci*) exit ${install} ;;
  "run lint") exit ${check} ;;
  test*) for word in "$@"; do case "$word" in --outputFile.json=*) target="\${word#*=}" ;; esac; done
    ${report === null ? ":" : 'cp report.json "$target"'}; exit ${test} ;;
  *"export run"*) cat export.json ;;
  *demo*) cat demo.json ;;
esac
`,
  );
  await chmod(join(folder, "bin/npm"), 0o755);
  return new Promise<{ code: number; last: string | undefined; lines: string[] }>((resolve) => {
    const env = { ...process.env, PATH: `${folder}/bin:${process.env["PATH"]}` };
    const child = execFile(join(folder, ".ci/run"), { env }, (error, stdout) => {
      const lines = stdout.trimEnd().split("\n");
      resolve({ code: typeof error?.code === "number" ? error.code : 0, last: lines.at(-1), lines });
    });
    child.stdin?.end();
  });
}

function totals(passedTests: number, failedTests: number, extra: object = {}) {
  const file = { status: failedTests > 0 ? "failed" : "passed", assertionResults: [{}] };
  return {
    numTotalTests: passedTests + failedTests,
    numPassedTests: passedTests,
    numFailedTests: failedTests,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: [file],
    ...extra,
  };
}
const passed = totals(120, 0);

describe(".ci/run", () => {
  it("ends with the totals and success when everything held", async () => {
    expect(await play({})).toMatchObject({ code: 0, last: "120 passed, 0 failed" });
  });

  it.each([
    ["tests fail", { report: totals(118, 2), test: 1 }, "118 passed, 2 failed"],
    ["a test is skipped", { report: totals(119, 0, { numPendingTests: 1 }) }, "119 passed, 1 failed"],
    [
      "a test file does not load",
      { report: totals(120, 0, { testResults: [{ status: "failed", assertionResults: [] }] }) },
      "120 passed, 1 failed",
    ],
    ["no test was found", { report: totals(0, 0) }, "0 passed, 1 failed"],
    ["the test run leaves no report", { report: null, test: 1 }, "0 passed, 1 failed"],
    ["the test run fails without a failed test", { test: 1 }, "120 passed, 1 failed"],
    ["the check fails", { check: 1 }, "120 passed, 1 failed"],
    ["the install fails", { install: 1 }, "0 passed, 1 failed"],
    ["the demo leaves an event behind", { demo: { ...goodDemo, pending: 1 } }, "120 passed, 1 failed"],
    ["the demo tells no figures", { demo: {} }, "120 passed, 1 failed"],
    ["the demo exports nothing", { demo: { ...goodDemo, exported: 0 } }, "120 passed, 1 failed"],
    ["the export has no rows", { exported: { ...goodExport, rows: 0 } }, "120 passed, 1 failed"],
  ])("ends with the totals and fails when %s", async (_name, scenario, last) => {
    const result = await play(scenario);
    expect(result.last).toBe(last);
    expect(result.code).not.toBe(0);
  });
});
