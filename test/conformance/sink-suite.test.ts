import { describe, expect, it } from "vitest";
import { sinkCaseList, sinkCases } from "../../src/sdk/testing/index.ts";
import type { SinkSuite } from "../../src/sdk/testing/index.ts";
import { failures } from "../support/conformance-failures.ts";
import { memorySinkFixture } from "../support/memory-sink.ts";
import type { SinkFault } from "../support/memory-sink.ts";

const suiteOf = (fault?: SinkFault): SinkSuite => ({ name: "memory", open: () => memorySinkFixture(fault) });

describe("the sink suite", () => {
  it("finds nothing wrong with a sound sink", async () => {
    expect(await failures(sinkCases(suiteOf()))).toEqual([]);
  });

  it("has a name of its own for every case", () => {
    const names = sinkCaseList.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(50);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each<[SinkFault, string]>([
    ["publishes at once", "shows nothing before the commit and everything after it"],
    ["publishes half of a commit", "shows nothing before the commit and everything after it"],
    ["keeps what was aborted", "forgets what was written before an abort, and can be written to again"],
    ["keeps what was not committed", "forgets what was not committed when it is closed"],
    ["lets the first change win", "lets the later change of a row win within a batch"],
    ["forgets deletions", "takes a row away that was put there before, in the same commit"],
    ["never drops", "takes away what a full run did not write"],
    [
      "drops rows of the run itself",
      "keeps what a full run wrote in its earlier commits, and in a run that it goes on from",
    ],
    ["drops rows that were written unchanged", "keeps a row that a full run wrote without changing it"],
    [
      "drops a day too many",
      "takes away what a repair of some days did not write, and nothing of other days",
    ],
    ["takes empty text for null", "tells the empty text from none (CSV)"],
    ["trims text", "holds any text as it is: quotes, line feeds, scripts, markers of nothing (records)"],
    ["loses microseconds", "holds instants to the microsecond, and days (CSV)"],
    ["keeps what a row lacks", "puts nothing of an older row into the one that takes its place"],
    ["moves its position early", "does not move its position with an abort, a close or a crash"],
    ["takes any table", "refuses a table that it did not make, and leaves it as it is"],
    ["takes another export's table", "refuses a table of another export, and leaves it as it is"],
    ["goes on when it is aborted", "stops when its signal is aborted, and shows nothing"],
    ["does not mind being overtaken", "refuses the commit of a run that a later one has overtaken"],
    ["counts nothing", "counts what a commit did"],
    [
      "keeps its position when a column is new",
      "evolve: adds a column that is exported from now on, and asks for all rows again",
    ],
    ["drops columns that are not its own", "leaves a column alone that somebody added"],
    ["converts what was retyped", "evolve and fail: refuse a column to which somebody gave another type"],
  ])("finds a sink that %s", async (fault, found) => {
    const cases = sinkCases(suiteOf(fault)).filter(({ name }) => name === found);
    expect(await failures(cases)).toEqual([found]);
  });

  it("holds a stated limit to the truth", async () => {
    const cases = sinkCases({
      ...suiteOf(),
      without: { position: "it keeps nothing at all", read: "nobody can read it" },
    });
    expect(await failures(cases)).toEqual([
      "says that it keeps no position rather than a wrong one",
      "does not do this: keeps where a table stands (it keeps nothing at all)",
      "does not do this: can be read back by `export verify` (nobody can read it)",
    ]);
  });
});
