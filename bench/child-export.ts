import { pino } from "pino";
import type { App } from "../src/app.ts";
import { createApp } from "../src/app.ts";
import { registryOf } from "../src/cli/context.ts";
import { readEnvironment } from "../src/config/environment.ts";
import { runExport } from "../src/export/exporter.ts";
import type { ExportResult } from "../src/export/exporter.ts";
import { serveCalls } from "./calls.ts";

interface OpenCall {
  readonly databaseUrl: string;
  readonly configPath: string;
  readonly dataDir: string;
}

interface RunCall {
  readonly names: readonly string[];
  readonly mode: "incremental" | "full";
  /** One unless told. */
  readonly atOnce?: number;
}

/** What is told of a run over the channel. */
export type RunSummary = Pick<ExportResult, "export" | "state" | "rows" | "seconds"> & {
  readonly fault: string | undefined;
};

let app: App | undefined;

async function runOnce(name: string, mode: RunCall["mode"]): Promise<RunSummary> {
  if (app === undefined) throw new Error("open comes first");
  const { signal } = new AbortController();
  const result = await runExport(app.engine, { name, trigger: "hand", mode: { kind: mode }, signal });
  if (result === undefined) throw new Error("a run by hand was left out");
  const { export: of, state, rows, seconds, fault } = result;
  return { export: of, state, rows, seconds, fault: fault && `${fault.code}: ${fault.message}` };
}

const handlers = {
  /** Opens deskbridge as a command would, with the built-in desk to itself. */
  open: async ({ databaseUrl, configPath, dataDir }: OpenCall): Promise<void> => {
    app = await createApp({
      configPath,
      environment: readEnvironment({ DATABASE_URL: databaseUrl }),
      registry: registryOf(),
      dataDir,
      opensDesk: true,
      roles: { serve: false, work: false },
      logger: pino({ level: "silent" }),
    });
  },
  /** Runs exports, so many at a time. */
  run: async ({ names, mode, atOnce = 1 }: RunCall): Promise<readonly RunSummary[]> => {
    const summaries: RunSummary[] = [];
    const waiting = [...names];
    const work = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
        summaries.push(await runOnce(name, mode));
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return summaries;
  },
};
export type ExportHandlers = typeof handlers;

serveCalls(handlers, async () => app?.close());
