import { pino } from "pino";
import pg from "pg";
import { createApp } from "../src/app.ts";
import { registryOf } from "../src/cli/context.ts";
import type { ExportTable } from "../src/config/config.ts";
import { readEnvironment } from "../src/config/environment.ts";
import { exportNamed } from "../src/export/export-named.ts";
import { sinkOf } from "../src/export/table-run.ts";
import type { Engine } from "../src/jobs/engine.ts";
import { bruteQueries, bruteRows } from "./desk-brute-force.ts";
import type { BenchSink } from "./export-sinks.ts";
import type { RowAccount, RowDifferences } from "./row-account.ts";
import { createRowAccount, isExact } from "./row-account.ts";

/** One table of one sink beside what it should hold. */
export interface TableFinding extends RowDifferences {
  readonly sink: string;
  readonly dataset: string;
  /** Whether it was filled bit by bit or at once. */
  readonly way: "incremental" | "full";
  /** What it was held against. */
  readonly against: "brute force" | "full export";
  readonly exact: boolean;
}

/** The runs that filled the tables of a sink bit by bit. */
export interface SinkRuns {
  readonly sink: string;
  readonly done: number;
  /** Whose process was killed meanwhile. */
  readonly killed: number;
}

export interface Comparison {
  readonly tables: readonly TableFinding[];
  readonly runs: readonly SinkRuns[];
}

export interface ComparisonOptions {
  readonly databaseUrl: string;
  readonly configPath: string;
  readonly dataDir: string;
  readonly sinks: readonly BenchSink[];
  readonly note: (line: string) => void;
}

/** Reads every table back and holds it against what brute force finds on the desk; what brute force cannot say, against the full export. */
export async function compareExports(options: ComparisonOptions): Promise<Comparison> {
  const { databaseUrl, configPath, dataDir, sinks, note } = options;
  const app = await createApp({
    configPath,
    environment: readEnvironment({ DATABASE_URL: databaseUrl }),
    registry: registryOf(),
    dataDir,
    roles: { serve: false, work: false },
    logger: pino({ level: "silent" }),
  });
  const desk = new pg.Client({ connectionString: databaseUrl, options: "-c search_path=deskbridge_desk" });
  await desk.connect();
  try {
    const findings: TableFinding[] = [];
    const [first] = sinks;
    for (const table of first === undefined
      ? []
      : exportNamed(app.engine.setup().config, first.export).tables) {
      const account = await bruteAccount(desk, table);
      for (const sink of sinks) findings.push(...(await checkSink(app.engine, sink, table, account)));
      note(`${table.table.dataset}: ${findings.at(-1)?.rows ?? 0} rows in each of ${sinks.length} sinks`);
    }
    return { tables: findings, runs: await runsOf(app.engine, sinks) };
  } finally {
    await desk.end();
    await app.close();
  }
}

const mostRuns = 10_000;

async function runsOf({ ledger }: Engine, sinks: readonly BenchSink[]): Promise<readonly SinkRuns[]> {
  const found: SinkRuns[] = [];
  for (const sink of sinks) {
    const runs = await ledger.exports.runs({ export: sink.export, limit: mostRuns });
    const count = (wanted: string): number => runs.filter(({ state }) => state === wanted).length;
    found.push({ sink: sink.name, done: count("done"), killed: count("aborted") });
  }
  return found;
}

async function bruteAccount(desk: pg.Client, { table }: ExportTable): Promise<RowAccount | undefined> {
  const query = bruteQueries[table.dataset];
  if (query === undefined) return undefined;
  const account = createRowAccount(table);
  for await (const rows of bruteRows(desk, query)) account.expect(rows);
  return account;
}

async function checkSink(
  engine: Engine,
  sink: BenchSink,
  table: ExportTable,
  brute: RowAccount | undefined,
): Promise<readonly TableFinding[]> {
  const facts = { sink: sink.name, dataset: table.table.dataset };
  if (brute === undefined) {
    const whole = createRowAccount(table.table);
    for await (const batch of rowsIn(engine, sink.fullExport, table)) whole.expect(batch.rows());
    const found = await whole.check(rowsIn(engine, sink.export, table));
    return [{ ...facts, way: "incremental", against: "full export", ...found, exact: isExact(found) }];
  }
  const findings: TableFinding[] = [];
  for (const [way, name] of [
    ["incremental", sink.export],
    ["full", sink.fullExport],
  ] as const) {
    const found = await brute.check(rowsIn(engine, name, table));
    findings.push({ ...facts, way, against: "brute force", ...found, exact: isExact(found) });
  }
  return findings;
}

function rowsIn(engine: Engine, name: string, { table }: ExportTable) {
  const { to } = exportNamed(engine.setup().config, name);
  const sink = sinkOf(engine, to);
  if (sink.read === undefined) throw new Error(`the warehouse ${to} cannot be read`);
  return sink.read({ table, export: name, signal: new AbortController().signal });
}
