import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryDataDir } from "../test/support/data-dir.ts";
import { startChild } from "./calls.ts";
import type { ExportHandlers } from "./child-export.ts";
import { CountError } from "./count-check.ts";
import type { Database } from "./database.ts";
import { openDatabaseStage } from "./database-stage.ts";
import { prepareDesk } from "./desk-year.ts";
import { measureBareCopy, measureDuckdbCopy, measureWayToParquet } from "./export-floor.ts";
import { exactDatasets } from "./export-sinks.ts";
import { seedDesk } from "./seed-desk.ts";

export interface ExportSpeedOptions {
  /** Messages of the desk. */
  readonly rows: number;
  readonly note: (line: string) => void;
}

/** An export beside the least that the same rows can take. */
export interface SpeedFigures {
  readonly sink: string;
  readonly rows: number;
  readonly seconds: number;
  /** What the target is held against comes first. */
  readonly floors: readonly { readonly name: string; readonly seconds: number }[];
  /** The most memory that the process ever had, with the desk in it, in mebibytes. */
  readonly peakMb: number;
}

/** A run that finds nothing new. */
export interface EmptyRun {
  readonly sink: string;
  readonly tables: number;
  readonly ms: number;
  /** Statements that PostgreSQL was sent meanwhile: by the desk, the ledger and, where it is one, the warehouse. */
  readonly queries: number;
}

export interface ExportSpeedFigures {
  readonly speeds: readonly SpeedFigures[];
  readonly empty: readonly EmptyRun[];
}

const messagesATicket = 5;
const days = 400;
const settings = {
  max_wal_size: "8GB",
  shared_buffers: "1GB",
  autovacuum: "off",
  shared_preload_libraries: "pg_stat_statements",
};

/** Exports the messages of a desk from end to end, with the command that a user would give, beside bare copies of the same rows. */
export async function measureExportSpeed({ rows, note }: ExportSpeedOptions): Promise<ExportSpeedFigures> {
  const folder = await temporaryDataDir();
  const stage = await openDatabaseStage(settings);
  try {
    const [desk, warehouse] = [await stage.freshDatabase(), await stage.freshDatabase()];
    await prepareDesk(desk.url);
    const tables = ["contact", "ticket", "message"];
    const tickets = Math.ceil(rows / messagesATicket);
    await seedDesk({ databaseUrl: desk.url, tickets, days, tables, note });
    const configPath = await writeConfig(folder.path, warehouse.url);
    const stand = { databaseUrl: desk.url, configPath, dataDir: join(folder.path, "data") };
    const speeds: SpeedFigures[] = [];
    const measure = async (sink: string, runs: Readonly<Record<string, () => Promise<Floor>>>) => {
      const floors: { readonly name: string; readonly seconds: number }[] = [];
      const counts = new Set<number>();
      for (const [name, run] of Object.entries(runs)) {
        const least = await run();
        counts.add(least.rows);
        floors.push({ name, seconds: least.seconds });
      }
      const found = await exportOnce(stand, `messages-to-${sink}`);
      counts.add(found.rows);
      if (counts.size !== 1) throw new CountError(`${sink}: ${[...counts].join(" and ")} rows were written`);
      speeds.push({ sink, floors, ...found });
      const beside = floors.map(({ name, seconds }) => `${name} ${seconds.toFixed(1)} s`).join(", ");
      note(`${sink}: ${found.seconds.toFixed(1)} s, ${beside}, ${Math.round(found.peakMb)} MB`);
    };
    await measure("parquet", {
      "DuckDB's COPY": () => measureDuckdbCopy(desk.url, folder.path),
      "COPY to CSV, DuckDB": () => measureWayToParquet(desk.url, folder.path),
    });
    await measure("postgres", {
      "COPY | COPY": () => measureBareCopy(desk.url, warehouse.url, "keyless"),
      "with the sink's key and index": () => measureBareCopy(desk.url, warehouse.url, "like the sink's"),
    });
    note("runs that find nothing");
    return { speeds, empty: await measureEmptyRuns(stand, desk) };
  } finally {
    await stage.close();
    await folder.remove();
  }
}

type Stand = Parameters<ExportHandlers["open"]>[0];
type Floor = { readonly rows: number; readonly seconds: number };

async function writeConfig(folder: string, postgresUrl: string): Promise<string> {
  await mkdir(join(folder, "data"), { recursive: true });
  const sinks = ["parquet", "postgres"];
  const exports: readonly (readonly [string, object])[] = sinks.flatMap((to) => [
    [`messages-to-${to}`, { from: "desk", datasets: ["messages"], to }],
    [`all-to-${to}`, { from: "desk", datasets: exactDatasets, to: `${to}-of-all` }],
  ]);
  const path = join(folder, "deskbridge.yaml");
  const connections = {
    desk: { use: "deskbridge" },
    parquet: { use: "parquet", path: join(folder, "lake") },
    "parquet-of-all": { use: "parquet", path: join(folder, "lake-of-all") },
    postgres: { use: "postgres", url: postgresUrl, schema: "lake" },
    "postgres-of-all": { use: "postgres", url: postgresUrl, schema: "lake_of_all" },
  };
  await writeFile(path, JSON.stringify({ connections, flows: {}, exports: Object.fromEntries(exports) }));
  return path;
}

/** `deskbridge export run` in a process of its own, watched for its memory. */
async function exportOnce(
  { databaseUrl, configPath, dataDir }: Stand,
  name: string,
): Promise<Floor & { readonly peakMb: number }> {
  const program = fileURLToPath(new URL("../src/main.ts", import.meta.url));
  const words = ["export", "run", name, "--json", "--config", configPath, "--data", dataDir];
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [program, ...words], {
    env: { PATH, HOME, DATABASE_URL: databaseUrl },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  let peakMb = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => void (output += text));
  const watch = setInterval(() => (peakMb = Math.max(peakMb, peakMbOf(child.pid ?? 0))), 100);
  try {
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    if (code !== 0) throw new Error(`export run ${name} ended with ${code}: ${output}`);
    const { rows, seconds } = JSON.parse(output.trim().split("\n").at(-1) ?? "") as Floor;
    return { rows, seconds, peakMb };
  } finally {
    clearInterval(watch);
  }
}

/** The high-water mark of a process's resident memory; 0 when it is gone. */
function peakMbOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** In a process that has run them before, as the schedule's would. */
async function measureEmptyRuns(stand: Stand, desk: Database): Promise<readonly EmptyRun[]> {
  await desk.query("create extension if not exists pg_stat_statements");
  const child = startChild<ExportHandlers>("./child-export.ts");
  const empty: EmptyRun[] = [];
  try {
    await child.call("open", stand);
    for (const [sink, name, tables] of [
      ["parquet", "messages-to-parquet", 1],
      ["postgres", "messages-to-postgres", 1],
      ["parquet", "all-to-parquet", exactDatasets.length],
      ["postgres", "all-to-postgres", exactDatasets.length],
    ] as const) {
      const run = { names: [name], mode: "incremental" } as const;
      await child.call("run", run);
      await child.call("run", run);
      const before = await statements(desk);
      const [summary] = await child.call("run", run);
      // Asking is a statement, too.
      const queries = (await statements(desk)) - before - 1;
      if (summary?.rows !== 0 || summary.state !== "done")
        throw new CountError(
          `${name}: a run that should find nothing ended ${summary?.state} with ${summary?.rows} rows`,
        );
      empty.push({ sink, tables, ms: summary.seconds * 1000, queries });
    }
    return empty;
  } finally {
    await child.stop();
  }
}

async function statements(desk: Database): Promise<number> {
  const [row] = await desk.query<{ calls: string }>("select sum(calls) as calls from pg_stat_statements");
  return Number(row?.calls ?? 0);
}
