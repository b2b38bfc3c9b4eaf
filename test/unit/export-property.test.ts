import fc from "fast-check";
import { expect, it } from "vitest";
import type { ExportConfig } from "../../src/config/config.ts";
import { AppError } from "../../src/errors.ts";
import { createTransform } from "../../src/export/transform.ts";
import type { ExportMode, ExportLedger } from "../../src/ledger/exports.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { DatasetSource } from "../../src/sdk/dataset-source.ts";
import { createRowBatch } from "../../src/sdk/row-batch.ts";
import type { Row } from "../../src/sdk/row-batch.ts";
import type { Sink } from "../../src/sdk/sink.ts";
import { createArraySource } from "../support/array-source.ts";
import type { ArraySource } from "../support/array-source.ts";
import { createExportLedgerMemory } from "../support/export-ledger-memory.ts";
import { exportConfig, exportStand, rowsIn, sortedRows, ticketRow } from "../support/export-stand.ts";
import { memorySinkFixture } from "../support/memory-sink.ts";

/** What goes wrong in a run: at its so many'th call of anything outside, before or after the call takes effect. */
interface Mishap {
  readonly at: number;
  readonly when: "before" | "after";
  /** A `fault` may pass and is tried again; after a `crash` nothing of the process works any more. */
  readonly kind: "fault" | "crash";
}

/** Wraps what stands outside of a process, so that its calls fail as the mishaps say. */
function createProcess(mishaps: readonly Mishap[]) {
  let calls = 0;
  let dead = false;
  const strike = (mishap: Mishap | undefined): void => {
    if (mishap?.kind === "crash") dead = true;
    if (dead) throw new AppError("target_rejected", "the process is dead");
    if (mishap !== undefined) throw new AppError("target_unavailable", "it does not answer");
  };
  const call = async <T>(run: () => Promise<T>): Promise<T> => {
    calls += 1;
    const mishap = mishaps.find(({ at }) => at === calls);
    strike(mishap?.when === "before" ? mishap : undefined);
    const result = await run();
    strike(mishap?.when === "after" ? mishap : undefined);
    return result;
  };
  const sink = (inner: Sink, keepsPosition: boolean): Sink => ({
    open: (request) =>
      call(async () => {
        const writer = await inner.open(request);
        return {
          leftOut: writer.leftOut,
          keepsPosition,
          position: keepsPosition ? writer.position : undefined,
          write: (change) => call(() => writer.write(change)),
          commit: (commit) => call(() => writer.commit(commit)),
          abort: () => call(() => writer.abort()),
          close: () => writer.close(),
        };
      }),
  });
  const ledger = (inner: ExportLedger): ExportLedger => ({
    ...inner,
    begin: async (request) => {
      const right = await inner.begin(request);
      return (
        right && {
          ...right,
          record: (record, move) => call(() => right.record(record, move)),
          end: (end) => (dead ? Promise.resolve() : right.end(end)),
        }
      );
    },
  });
  const source = (inner: DatasetSource): DatasetSource => ({
    ...inner,
    read: async function* read(request) {
      for await (const page of inner.read(request)) {
        const { changes } = page;
        yield {
          ...page,
          changes: (async function* each() {
            for await (const change of changes) yield await call(async () => change);
          })(),
        };
      }
    },
  });
  return { sink, ledger, source };
}

type Step =
  | { readonly do: "put"; readonly id: number; readonly facts: Row }
  | { readonly do: "remove"; readonly id: number }
  | { readonly do: "merge"; readonly id: number; readonly into: number }
  | {
      readonly do: "run";
      readonly config: number;
      readonly mode: ExportMode;
      readonly mishaps: readonly Mishap[];
    };

const idOf = (id: number): string => `tkt_${id}`;
const dayOf = (id: number): string => `2026-11-0${1 + (id % 4)}`;
const rowOf = (id: number, facts: Row = {}): Row =>
  ticketRow(idOf(id), { created_at: `${dayOf(id)}T0${id % 10}:00:00Z`, ...facts });

const id = fc.integer({ min: 0, max: 14 });
const facts = fc.record({
  status: fc.constantFrom("open", "pending", "solved"),
  subject: fc.constantFrom("", "late", 'a "quoted", one\nof two lines', "Übergröße"),
  reason: fc.constantFrom(null, "late", "lost"),
  updated_at: fc.constantFrom("2026-11-09T10:00:00Z", "2025-01-01T00:00:00.000001Z"),
});
const mishap: fc.Arbitrary<Mishap> = fc.record({
  at: fc.integer({ min: 1, max: 40 }),
  when: fc.constantFrom("before", "after"),
  kind: fc.constantFrom("fault", "crash"),
});
const mode: fc.Arbitrary<ExportMode> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ kind: "incremental" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "full" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "days", from: "2026-11-02", until: "2026-11-04" } as const) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("put"), id, facts }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove"), id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("merge"), id, into: id }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("run"),
      config: fc.nat({ max: 4 }),
      mode,
      mishaps: fc.array(mishap, { maxLength: 3 }),
    }),
  },
);

/** Mostly the first one; each change of them is one of the configuration between two runs. */
const configs = await Promise.all(
  [
    "datasets: [tickets], chunk: 4",
    "datasets: [tickets], chunk: 1",
    "datasets: [tickets], chunk: 1000",
    `datasets: [{ name: tickets, where: 'row.status != "solved" || row.reason == "late"' }], chunk: 3`,
    `datasets: [{ name: tickets, columns: [status, reason] }], personal: { content: hash, hashKey: "\${KEY}" }, chunk: 2`,
  ].map((text) => exportConfig(text)),
);

function change(source: ArraySource, one: Exclude<Step, { do: "run" }>): void {
  const now = new Map(source.now("tickets").map((row) => [row["id"], row]));
  if (one.do === "put") source.put("tickets", rowOf(one.id, one.facts));
  else if (now.has(idOf(one.id))) {
    if (one.do === "remove") source.remove("tickets", rowOf(one.id));
    else source.put("tickets", { ...now.get(idOf(one.id)), status: "closed", merged_into: idOf(one.into) });
  }
}

/** What there has to be, without the engine's ways: every row of the source, filtered and made into the table's. */
function expectedRows(
  source: DatasetSource & Pick<ArraySource, "now">,
  config: ExportConfig,
): readonly Row[] {
  const [table] = config.tables;
  if (table === undefined) return [];
  const transform = createTransform(table);
  const rows = source.now("tickets").flatMap((row) =>
    transform({ kind: "upsert", batch: createRowBatch(table.read, [row]) })
      .filter(({ kind }) => kind === "upsert")
      .flatMap(({ batch }) => batch.rows())
      .map((made) => Object.fromEntries(table.table.columns.map(({ name }) => [name, made[name] ?? null]))),
  );
  return sortedRows(rows, table.table.key);
}

it("incremental runs with faults and crashes anywhere come to what one full export and a count by hand come to", async () => {
  const history = fc.record({
    steps: fc.array(step, { minLength: 5, maxLength: 60 }),
    perPage: fc.integer({ min: 1, max: 9 }),
    perBatch: fc.integer({ min: 1, max: 4 }),
    csv: fc.boolean(),
    keepsPosition: fc.boolean(),
    last: fc.nat({ max: 4 }),
  });
  let commits = 0;
  await fc.assert(
    fc.asyncProperty(history, async ({ steps, keepsPosition, last, ...options }) => {
      const source = createArraySource(options);
      const lake = memorySinkFixture();
      const exports = createExportLedgerMemory();
      const run = async (config: ExportConfig, mode: ExportMode, mishaps: readonly Mishap[]) => {
        const process = createProcess(mishaps);
        const ledger = { exports: process.ledger(exports) } as Ledger;
        const sink = process.sink(lake.sink, keepsPosition);
        const stand = exportStand({ exports: [config], ledger, source: process.source(source), sink });
        const result = await stand.run({ mode });
        commits += result.tables[0]?.commits ?? 0;
        return result;
      };
      for (const one of steps) {
        if (one.do === "run") await run(configs[one.config]!, one.mode, one.mishaps);
        else change(source, one);
      }
      const config = configs[last]!;
      expect(await run(config, { kind: "incremental" }, [])).toMatchObject({ state: "done" });
      const fresh = memorySinkFixture();
      const whole = exportStand({
        exports: [config],
        ledger: { exports: createExportLedgerMemory() } as unknown as Ledger,
        source,
        sink: fresh.sink,
      });
      await whole.run({ mode: { kind: "full" } });
      const rows = await rowsIn(lake, config);
      expect(rows).toEqual(await rowsIn(fresh, config));
      expect(rows).toEqual(expectedRows(source, config));
      expect(await run(config, { kind: "incremental" }, [])).toMatchObject({ state: "done", rows: 0 });
    }),
    { numRuns: 200 },
  );
  // What ran nothing would show nothing.
  expect(commits).toBeGreaterThan(500);
}, 60_000);
