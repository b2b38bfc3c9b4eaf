import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cellsInTurn, cellsOf } from "../../crash-matrix/cell.ts";
import { compareRows } from "../../crash-matrix/export-judge.ts";
import { judge } from "../../crash-matrix/judge.ts";
import { parseOptions } from "../../crash-matrix/options.ts";
import {
  formatPublished,
  merge,
  nameOf,
  parsePublished,
  published,
  rowNames,
} from "../../crash-matrix/page.ts";
import { points } from "../../crash-matrix/points.ts";
import type { Outcome } from "../../crash-matrix/report.ts";
import { hasFailed, reportOf, rowsOf, tableOf } from "../../crash-matrix/report.ts";
import { scenarioNames } from "../../crash-matrix/scenarios.ts";
import { crashPointNames } from "../../src/telemetry/crash-point.ts";
import { listFiles } from "../support/modules.ts";

const expected = new Map([["one", ["a", "b", "c"]]]);

describe("the judge of the crash matrix", () => {
  const verdict = (...messages: readonly (readonly string[])[]) => {
    const { findings, ...figures } = judge(
      expected,
      messages.map((own) => ({ key: "one", messages: own })),
    );
    return { ...figures, found: findings.length };
  };

  it("finds nothing where every message is there once and in order", () => {
    expect(verdict(["a", "b", "c"])).toEqual({ lost: 0, duplicated: 0, outOfOrder: 0, found: 0 });
  });

  it.each([
    { messages: [["a", "c"]], figures: { lost: 1, duplicated: 0, outOfOrder: 0 } },
    { messages: [], figures: { lost: 3, duplicated: 0, outOfOrder: 0 } },
    { messages: [["a", "b", "b", "c"]], figures: { lost: 0, duplicated: 1, outOfOrder: 0 } },
    { messages: [["a", "c", "b"]], figures: { lost: 0, duplicated: 0, outOfOrder: 1 } },
    { messages: [["a", "b", "c"], ["a"]], figures: { lost: 0, duplicated: 2, outOfOrder: 0 } },
    { messages: [["a", "b", "c", "d"]], figures: { lost: 0, duplicated: 1, outOfOrder: 0 } },
  ])("counts $messages", ({ messages, figures }) => {
    expect(verdict(...messages)).toEqual({ ...figures, found: 1 });
  });

  it("counts a ticket that nobody asked for", () => {
    const tickets = [
      { key: "one", messages: ["a", "b", "c"] },
      { key: "two", messages: ["x"] },
    ];
    expect(judge(expected, tickets)).toMatchObject({ lost: 0, duplicated: 1, outOfOrder: 0 });
  });
});

describe("the judge of a warehouse", () => {
  const wanted = [
    { key: "tkt_1", value: "open|1" },
    { key: "tkt_2", value: "closed|2" },
  ];
  const verdict = (...there: readonly (readonly [string, string])[]) => {
    const { findings, ...figures } = compareRows(
      "tickets",
      wanted,
      there.map(([key, value]) => ({ key, value })),
    );
    return { ...figures, found: findings.length };
  };

  it("finds nothing where every row is there once and says the same", () => {
    expect(verdict(["tkt_2", "closed|2"], ["tkt_1", "open|1"])).toEqual({
      lost: 0,
      duplicated: 0,
      outOfOrder: 0,
      found: 0,
    });
  });

  it.each<{ there: [string, string][]; figures: object }>([
    { there: [["tkt_1", "open|1"]], figures: { lost: 1, duplicated: 0, outOfOrder: 0 } },
    {
      there: [
        ["tkt_1", "open|1"],
        ["tkt_2", "closed|2"],
        ["tkt_2", "closed|2"],
      ],
      figures: { lost: 0, duplicated: 1, outOfOrder: 0 },
    },
    {
      there: [
        ["tkt_1", "open|1"],
        ["tkt_2", "closed|2"],
        ["tkt_3", "open|3"],
      ],
      figures: { lost: 0, duplicated: 1, outOfOrder: 0 },
    },
    {
      there: [
        ["tkt_1", "open|1"],
        ["tkt_2", "open|1"],
      ],
      figures: { lost: 0, duplicated: 0, outOfOrder: 1 },
    },
  ])("counts $there", ({ there, figures }) => {
    expect(verdict(...there)).toEqual({ ...figures, found: 1 });
  });
});

describe("the points of the crash matrix", () => {
  it("are every crash point there is, and each is called somewhere", () => {
    const names = points.map(({ name }) => name);
    expect(names.filter((name) => !name.startsWith("call."))).toEqual(crashPointNames);
    const root = join(import.meta.dirname, "../..");
    const sources = listFiles(root, "src").filter((path) => !path.endsWith("telemetry/crash-point.ts"));
    const text = sources.map((path) => readFileSync(join(root, path), "utf8")).join("\n");
    expect(crashPointNames.filter((name) => !text.includes(`("${name}")`))).toEqual([]);
  });

  it("meet every kind of target, sink and queue, all of them in turn in the short version", () => {
    const settings = (cells: ReturnType<typeof cellsOf>) =>
      new Set(cells.map(({ target, queue }) => `${target} ${queue}`)).size;
    expect(settings(cellsOf(points))).toBe(8);
    expect(settings(cellsInTurn(points))).toBe(8);
    expect(cellsInTurn(points)).toHaveLength(points.length);
  });
});

const outcome = (facts: Partial<Outcome>): Outcome => ({
  kind: "point",
  name: "effect.sent",
  target: "keyed",
  queue: "redis",
  seed: "1",
  events: 10,
  lost: 0,
  duplicated: 0,
  outOfOrder: 0,
  missed: 0,
  unsettled: 0,
  seconds: 1,
  findings: [],
  ...facts,
});

describe("the report of the crash matrix", () => {
  it("sums runs by point and setting", () => {
    const outcomes = [
      outcome({}),
      outcome({ lost: 2 }),
      outcome({ queue: "postgres" }),
      outcome({ kind: "scenario", name: "redis-killed" }),
    ];
    const report = reportOf(outcomes, "7", 12.4);
    expect(report).toMatchObject({
      points: 1,
      scenarios: 1,
      runs: 4,
      events: 40,
      lost: 2,
      seed: "7",
      seconds: 12,
    });
    expect(report.byPoint.map(({ runs, lost }) => [runs, lost])).toEqual([
      [2, 2],
      [1, 0],
      [1, 0],
    ]);
    expect(tableOf(rowsOf(report)).split("\n")[2]).toBe(
      "| effect.sent | keyed | redis | 2 | 20 | 2 | 0 | 0 |",
    );
  });

  it("fails for a run without events, which shows nothing", () => {
    expect(hasFailed(outcome({ events: 0 }))).toBe(true);
  });

  it.each(["lost", "duplicated", "outOfOrder", "missed", "unsettled"])("fails for anything %s", (figure) => {
    expect(hasFailed(outcome({}))).toBe(false);
    expect(hasFailed(outcome({ [figure]: 1 }))).toBe(true);
  });
});

describe("the command line of the crash matrix", () => {
  it("does everything unless told", () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ points, scenarios: scenarioNames, runs: 5, quick: false, json: false });
  });

  it("does no scenarios where points are named, and the other way round", () => {
    expect(parseOptions(["--points", "effect.sent,call.late"])).toMatchObject({
      points: [{ name: "effect.sent" }, { name: "call.late" }],
      scenarios: [],
    });
    expect(parseOptions(["--scenarios", "redis-killed"])).toMatchObject({
      points: [],
      scenarios: ["redis-killed"],
    });
  });

  it.each([
    ["--points", "nowhere"],
    ["--runs", "0"],
    ["--only", "some"],
  ])("refuses %s %s", (...words) => {
    expect(() => parseOptions(words)).toThrow(words[1]);
  });
});

describe("the page of guarantees", () => {
  it("publishes every point and scenario in every setting, each with events of which none was lost, doubled or out of order", () => {
    const { rows } = published();
    expect(rows.map(nameOf)).toEqual(rowNames());
    expect(rows.filter((row) => row.slice(5).join() !== "0,0,0")).toEqual([]);
    expect(rows.filter(([, , , runs, events]) => !(Number(runs) > 0 && Number(events) > 0))).toEqual([]);
  });

  it("keeps the rows that a run of some points does not renew, and says of which runs they all are", () => {
    const before = published();
    const page = (text: string) => `<!-- crash-matrix begin -->\n${text}\n<!-- crash-matrix end -->`;
    expect(parsePublished(page(formatPublished(before)))).toEqual(before);
    const one = outcome({ target: "lookup", events: 77 });
    const after = merge(before, reportOf([one, one], "again", 5));
    const changed = after.rows.filter((row, index) => row.join() !== before.rows[index]?.join());
    expect(changed).toEqual([["effect.sent", "lookup", "redis", "2", "154", "0", "0", "0"]]);
    expect(after).toMatchObject({ seeds: [...before.seeds, "again"], seconds: before.seconds + 5 });
  });
});
