import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createDice } from "../demo/day/dice.ts";
import type { Dice } from "../demo/day/dice.ts";
import { temporaryDataDir } from "../test/support/data-dir.ts";
import type { Child } from "./calls.ts";
import { startChild } from "./calls.ts";
import type { ExportHandlers, RunSummary } from "./child-export.ts";
import { openDatabaseStage } from "./database-stage.ts";
import { openDeskYear, prepareDesk } from "./desk-year.ts";
import type { SinkRuns, TableFinding } from "./export-comparison.ts";
import { compareExports } from "./export-comparison.ts";
import type { BenchSink } from "./export-sinks.ts";
import { exactConfig, sinksOf } from "./export-sinks.ts";

export interface ExportExactOptions {
  readonly tickets: number;
  readonly seed: number;
  readonly rounds: number;
  /** Only these sinks; all that run here when absent. */
  readonly sinks?: readonly string[] | undefined;
  readonly note: (line: string) => void;
}

export interface ExportExactFigures {
  readonly seed: number;
  readonly sinks: readonly string[];
  readonly rounds: number;
  /** Processes that were killed while they exported. */
  readonly crashes: number;
  /** Rows and calls that the year was made of. */
  readonly changes: number;
  readonly tables: readonly TableFinding[];
  /** Runs of the export to each sink, bit by bit. */
  readonly runs: readonly SinkRuns[];
}

const dayMs = 86_400_000;
/** Rows of a commit: of the usual year a stretch takes several for the larger tables. Each has the file sinks write every day of the year anew. */
const leastChunk = 20_000;
/** Exports at a time: there are two cores at least, and an export waits much. */
const exportsAtOnce = 2;
/** Of the rounds of a year, one in so many has a transaction that stays open while the export runs. */
const heldBackEvery = 5;

/**
 * Brings a year of a desk about, exports it stretch by stretch into every sink with processes killed on the way, and holds each table row by row against
 * brute force and against one export of everything.
 */
export async function measureExportExact(options: ExportExactOptions): Promise<ExportExactFigures> {
  const { tickets, seed, rounds, note } = options;
  const folder = await temporaryDataDir();
  const stage = await openDatabaseStage();
  try {
    const [desk, warehouse] = [await stage.freshDatabase(), await stage.freshDatabase()];
    await prepareDesk(desk.url);
    const sinks = await sinksOf(folder.path, warehouse.url, options.sinks);
    const configPath = join(folder.path, "deskbridge.yaml");
    await writeFile(configPath, exactConfig(sinks, Math.max(leastChunk, Math.ceil(tickets / 10))));
    const stand = { databaseUrl: desk.url, configPath, dataDir: join(folder.path, "data") };
    const begins = Math.floor(Date.now() / dayMs) * dayMs - 372 * dayMs;
    const year = await openDeskYear({ databaseUrl: desk.url, tickets, rounds, seed, begins });
    const exporter = createCrashingExporter(stand, sinks, createDice(`exact ${seed}`));
    let changes = 0;
    try {
      for (let round = 0; round < rounds; round += 1) {
        changes += await year.advance();
        const commit = round % heldBackEvery === 2 ? await year.holdBack() : undefined;
        await exporter.run("incremental", { crashes: true });
        await commit?.();
        note(
          `stretch ${round + 1} of ${rounds}: ${changes} changes, ${exporter.crashes()} processes killed; ${exporter.times()}`,
        );
      }
      await exporter.run("incremental", { crashes: false });
      note("one export of everything");
      await exporter.run("full", { crashes: false });
      note(`exported: ${exporter.times()}`);
    } finally {
      await year.close();
      await exporter.close();
    }
    note("comparing");
    const compared = await compareExports({ ...stand, sinks, note });
    const names = sinks.map(({ name }) => name);
    return { seed, sinks: names, rounds, crashes: exporter.crashes(), changes, ...compared };
  } finally {
    await stage.close();
    await folder.remove();
  }
}

interface CrashingExporter {
  /** Resolves when every export has come to its end, in however many processes. */
  readonly run: (mode: "incremental" | "full", how: { readonly crashes: boolean }) => Promise<void>;
  readonly crashes: () => number;
  /** How long the exports to each sink took since it was last asked, those aside that were killed. */
  readonly times: () => string;
  readonly close: () => Promise<void>;
}

type Stand = Parameters<ExportHandlers["open"]>[0];

function requireDone(summaries: readonly RunSummary[]): void {
  const fault = summaries.find(({ state }) => state !== "done");
  if (fault !== undefined)
    throw new Error(`the export ${fault.export} ended as ${fault.state}: ${fault.fault}`);
}

function createTiming(): {
  readonly add: (summaries: readonly RunSummary[]) => void;
  /** What came together since it was last taken. */
  readonly take: () => string;
} {
  const seconds = new Map<string, number>();
  return {
    add: (summaries) => {
      for (const { export: name, seconds: took } of summaries)
        seconds.set(name, (seconds.get(name) ?? 0) + took);
    },
    take: () => {
      const text = [...seconds].map(([name, took]) => `${name} ${took.toFixed(1)} s`).join(", ");
      seconds.clear();
      return text;
    },
  };
}

/** Exports in a process of its own, which is killed now and then; the next one goes on. */
function createCrashingExporter(stand: Stand, sinks: readonly BenchSink[], dice: Dice): CrashingExporter {
  let child: Child<ExportHandlers> | undefined;
  let crashes = 0;
  let usualMs = 3000;
  const timing = createTiming();
  const attempt = async (names: readonly string[], mode: "incremental" | "full"): Promise<boolean> => {
    const isFresh = child === undefined;
    const running = (child ??= startChild<ExportHandlers>("./child-export.ts"));
    if (isFresh) await running.call("open", stand);
    const startedAt = performance.now();
    const summaries = await running.call("run", { names, mode, atOnce: exportsAtOnce });
    usualMs = performance.now() - startedAt;
    timing.add(summaries);
    requireDone(summaries);
    return true;
  };
  /** Starts it all and kills it at some moment, the start included. */
  const attemptAndKill = async (names: readonly string[], mode: "incremental" | "full"): Promise<boolean> => {
    const killAfterMs = (dice.below(1000) / 1000) * usualMs;
    const stop = new AbortController();
    const doom = pause(killAfterMs, "killed" as const, { signal: stop.signal }).catch(
      () => "spared" as const,
    );
    const work = attempt(names, mode).catch((error: unknown) => error as Error);
    const first = await Promise.race([work, doom]);
    if (first !== "killed") {
      stop.abort();
      if (first instanceof Error) throw first;
      return true;
    }
    if (child !== undefined) process.kill(child.pid, "SIGKILL");
    await work;
    child = undefined;
    crashes += 1;
    return false;
  };
  return {
    run: async (mode, how) => {
      const names = sinks.map((sink) => (mode === "full" ? sink.fullExport : sink.export));
      let mayCrash = how.crashes ? dice.below(4) : 0;
      for (;;) {
        const done = mayCrash > 0 ? await attemptAndKill(names, mode) : await attempt(names, mode);
        if (done) return;
        mayCrash -= 1;
      }
    },
    crashes: () => crashes,
    times: timing.take,
    close: async () => child?.stop(),
  };
}
