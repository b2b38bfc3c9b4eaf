import { expect } from "vitest";
import type { Row, RowChange } from "../row-batch.ts";
import type {
  CommitReceipt,
  CommitRequest,
  Sink,
  SinkPosition,
  SinkRequest,
  SinkTable,
  SinkWriter,
} from "../sink.ts";
import type { ConformanceCase } from "./conformance.ts";
import { runCases } from "./conformance.ts";
import { sinkChangeCases } from "./sink-change-cases.ts";
import { sinkPublishCases } from "./sink-publish-cases.ts";
import { sinkSchemaCases } from "./sink-schema-cases.ts";
import { inOrder } from "./sink-table.ts";
import { sinkValueCases } from "./sink-value-cases.ts";

/** What not every sink can do. What a suite does not name in `without` is held to. */
export const sinkFeatures = {
  position: "keeps where a table stands",
  read: "can be read back by `export verify`",
  "full runs": "takes away what a full run did not write",
  "crash safety": "shows nothing of what a process wrote that died before its commit",
  overtaking: "refuses the commit of a run that a later one has overtaken",
  columns: "has columns that can be added, renamed, retyped and taken away",
  owners: "can tell its tables from those of others",
  "all times": "holds instants and days from year 1 to year 9999",
} as const;

export type SinkFeature = keyof typeof sinkFeatures;

/** What somebody else does to the warehouse, past the connector. */
export interface Stranger {
  /** Adds a column of text that may be null. */
  readonly addColumn: (table: SinkTable, column: string) => Promise<void>;
  readonly dropColumn: (table: SinkTable, column: string) => Promise<void>;
  /** Gives a column that holds no values yet a type that does not fit what is exported: text to a number, all others to text or a list. */
  readonly retypeColumn: (table: SinkTable, column: string) => Promise<void>;
  /** Makes a table, or what stands for one, of that name with something in it. Gives back a way to tell what is in it. */
  readonly makeTable: (name: string) => Promise<() => Promise<string>>;
}

/** A fresh warehouse with a way to look behind the sink. */
export interface SinkFixture {
  readonly sink: Sink;
  /** A sink on the same warehouse as another process would have it; the same one unless told. */
  readonly reopen?: () => Promise<Sink> | Sink;
  /** What a reader of the warehouse sees in the table's columns, read past the connector, values as in `Row`. A column that is not there is null. */
  readonly rows: (table: SinkTable) => Promise<readonly Row[]>;
  /** Ends the sink's process: what it had open is cut off, without a word. Needed where a sink holds connections or locks. */
  readonly crash?: () => Promise<void>;
  /** Absent only where `without` names both `columns` and `owners`. */
  readonly stranger?: Stranger;
  readonly close: () => Promise<void>;
}

export interface SinkSuite {
  readonly name: string;
  readonly open: () => Promise<SinkFixture> | SinkFixture;
  /** What the sink cannot do, each with the reason. It is printed in the matrix of sinks. */
  readonly without?: Partial<Readonly<Record<SinkFeature, string>>>;
}

/** What is done in a run of a case. */
export interface SinkRun extends Partial<CommitRequest> {
  readonly run: number;
  readonly changes: readonly RowChange[];
}

/** What a case works with. */
export interface SinkKit extends SinkFixture {
  /** Opens a table as another process than the last one would; writers that are left open are closed when the case is over. */
  readonly openWriter: (
    table: SinkTable,
    request?: Partial<Omit<SinkRequest, "table">>,
  ) => Promise<SinkWriter>;
  /** A whole run: opened, written, committed, closed. */
  readonly export: (
    table: SinkTable,
    run: SinkRun,
    request?: Partial<Omit<SinkRequest, "table">>,
  ) => Promise<CommitReceipt>;
  /** Holds the table to exactly these rows. */
  readonly expectRows: (table: SinkTable, rows: readonly Row[]) => Promise<void>;
  readonly someoneElse: Stranger;
  readonly lacks: (feature: SinkFeature) => boolean;
}

/** A case of the suite, and what it needs of a sink. */
export interface SinkCase {
  readonly name: string;
  readonly needs?: readonly SinkFeature[];
  readonly run: (kit: SinkKit) => Promise<void>;
}

export const sinkCaseList: readonly SinkCase[] = [
  ...sinkPublishCases,
  ...sinkChangeCases,
  ...sinkValueCases,
  ...sinkSchemaCases,
];

/** Holds a sink to what the engine relies on: all or nothing, later changes win, a rerun changes nothing, every value comes back, nobody's table is touched. */
export function testSink(suite: SinkSuite): void {
  runCases(`sink ${suite.name}`, sinkCases(suite));
}

/** The cases of `testSink`, to be run one by one: those that the sink is held to, and one for each limit that it declares. */
export function sinkCases(suite: SinkSuite): readonly ConformanceCase[] {
  const limits = Object.entries(suite.without ?? {}) as [SinkFeature, string][];
  const held = sinkCaseList.filter((one) => missingOf(suite, one) === undefined);
  return [
    ...held.map((one) => ({ name: one.name, run: () => withKit(suite, one.run) })),
    ...limits.map(([feature, reason]) => ({
      name: `does not do this: ${sinkFeatures[feature]} (${reason})`,
      run: () => withKit(suite, (kit) => limitHolds(kit, feature, reason)),
    })),
  ];
}

/** The first feature that a case needs and the sink says it lacks. */
export function missingOf(suite: SinkSuite, one: SinkCase): SinkFeature | undefined {
  return one.needs?.find((feature) => suite.without?.[feature] !== undefined);
}

// A limit that can be seen from outside is held to be true, so that it is taken back when a sink learns more.
async function limitHolds(kit: SinkKit, feature: SinkFeature, reason: string): Promise<void> {
  expect(reason).toMatch(/.{10}/);
  if (feature === "read") expect(kit.sink.read).toBeUndefined();
  if (feature === "columns" || feature === "owners")
    expect(kit.lacks("columns") || kit.stranger !== undefined).toBe(true);
  if (feature !== "position") return;
  const { valuesTable } = await import("./sink-table.ts");
  expect((await kit.openWriter(valuesTable)).keepsPosition).toBe(false);
}

async function withKit(suite: SinkSuite, run: (kit: SinkKit) => Promise<void>): Promise<void> {
  const fixture = await suite.open();
  const writers: SinkWriter[] = [];
  try {
    await run(createKit(suite, fixture, writers));
  } finally {
    for (const writer of writers) await writer.close();
    await fixture.close();
  }
}

/** A look tells what opening does, or nothing. */
function expectSameStanding(
  looked: readonly (SinkPosition | undefined)[] | undefined,
  { position, leftOut }: SinkWriter,
): void {
  const [none, standing] = looked ?? [];
  expect(none).toBeUndefined();
  if (standing !== undefined) expect([standing, leftOut]).toEqual([position, []]);
}

function createKit(suite: SinkSuite, fixture: SinkFixture, writers: SinkWriter[]): SinkKit {
  const { signal } = new AbortController();
  const kit: SinkKit = {
    ...fixture,
    openWriter: async (table, request = {}) => {
      const sink = (await fixture.reopen?.()) ?? fixture.sink;
      const asked: SinkRequest = {
        table,
        export: "nightly",
        run: 1,
        onSchemaChange: "fail",
        signal,
        ...request,
      };
      const looked = await sink.standings?.([{ ...asked, table: { ...table, name: "none" } }, asked]);
      const writer = await sink.open(asked).catch((error: unknown) => {
        // What is refused stands nowhere.
        expect(looked ?? []).toEqual(looked === undefined ? [] : [undefined, undefined]);
        throw error;
      });
      writers.push(writer);
      expectSameStanding(looked, writer);
      return writer;
    },
    export: async (table, { run, changes, watermark = `after run ${run}`, ...rest }, request) => {
      const writer = await kit.openWriter(table, { ...request, run });
      for (const change of changes) await writer.write(change);
      const receipt = await writer.commit({ watermark, ...rest });
      await writer.close();
      return receipt;
    },
    expectRows: async (table, rows) => {
      expect(inOrder(table, await fixture.rows(table))).toEqual(inOrder(table, rows));
    },
    someoneElse: new Proxy({} as Stranger, {
      get: (_, member: keyof Stranger) => {
        if (fixture.stranger === undefined) throw new Error(`the fixture of ${suite.name} has no stranger`);
        return fixture.stranger[member];
      },
    }),
    lacks: (feature) => suite.without?.[feature] !== undefined,
  };
  return kit;
}
