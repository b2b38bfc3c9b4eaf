import type { Logger } from "pino";
import type { ExportConfig } from "../../src/config/config.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { runExport } from "../../src/export/exporter.ts";
import type { ExportRequest, ExportResult } from "../../src/export/exporter.ts";
import type { Engine } from "../../src/jobs/engine.ts";
import { formatProblem } from "../../src/flows/located.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { DatasetSource } from "../../src/sdk/dataset-source.ts";
import type { Row } from "../../src/sdk/row-batch.ts";
import type { Sink } from "../../src/sdk/sink.ts";
import type { SinkFixture } from "../../src/sdk/testing/index.ts";
import { testEngine } from "./engine.ts";
import { registryWith } from "./fake-connectors.ts";

/** An export from `desk` to `lake` as the configuration has it; `text` are its keys, in one line. */
export async function exportConfig(text: string, name = "nightly"): Promise<ExportConfig> {
  const yaml = `connections: { desk: { use: desk }, lake: { use: lake }, other: { use: lake } }\nexports: { ${name}: { from: desk, to: lake, ${text} } }`;
  const result = await parseConfig(
    [{ file: "test.yaml", text: yaml }],
    registryWith({ desk: {}, lake: {} }),
    {
      env: { KEY: "a key of sixteen bytes" },
      readFile: () => undefined,
    },
  );
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join("\n"));
  const [config] = result.config.exports;
  if (config === undefined) throw new Error("there is no export");
  return config;
}

interface StandParts {
  readonly exports: readonly ExportConfig[];
  readonly ledger: Ledger;
  readonly source: DatasetSource;
  readonly sink: Sink;
  readonly now?: () => number;
  readonly logger?: Logger;
}

export interface ExportStand {
  readonly engine: Engine;
  readonly run: (request?: Partial<ExportRequest>) => Promise<ExportResult>;
}

/** An engine with one desk and one warehouse, and a way to run its first export by hand, without pauses between tries. */
export function exportStand({ exports, ledger, source, sink, now, logger }: StandParts): ExportStand {
  const engine = testEngine({
    exports,
    ledger,
    ...(now === undefined ? {} : { now }),
    ...(logger === undefined ? {} : { logger }),
    connections: { desk: { datasets: source }, lake: { sink }, other: { sink } },
  });
  return {
    engine,
    run: async (request = {}) => {
      const result = await runExport(engine, {
        name: exports[0]?.name ?? "",
        trigger: "hand",
        mode: { kind: "incremental" },
        signal: new AbortController().signal,
        pause: async () => undefined,
        ...request,
      });
      if (result === undefined) throw new Error("nothing was run");
      return result;
    },
  };
}

/** The rows of a table of an export, in the order of their keys. */
export async function rowsIn(
  fixture: Pick<SinkFixture, "rows">,
  config: ExportConfig,
  index = 0,
): Promise<readonly Row[]> {
  const table = config.tables[index]?.table;
  if (table === undefined) throw new Error("there is no such table");
  const rows = await fixture.rows(table);
  return sortedRows(rows, table.key);
}

export function sortedRows(rows: readonly Row[], key: readonly string[]): readonly Row[] {
  const keyOf = (row: Row): string => JSON.stringify(key.map((name) => row[name]));
  return rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** A ticket with every column, as a desk gives it. */
export function ticketRow(id: string, facts: Row = {}): Row {
  return {
    id,
    number: null,
    subject: `Ticket ${id}`,
    status: "open",
    priority: null,
    channel: null,
    requester_id: null,
    assignee: null,
    tags: [],
    custom_fields: {},
    refs: [],
    reason: null,
    csat_score: null,
    csat_comment: null,
    csat_at: null,
    follow_up_of: null,
    merged_into: null,
    created_at: "2026-11-01T10:00:00Z",
    updated_at: "2026-11-01T10:00:00Z",
    closed_at: null,
    ...facts,
  };
}
