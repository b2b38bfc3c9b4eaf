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
}

/** What is told of a run over the channel. */
export type RunSummary = Pick<ExportResult, "export" | "state" | "rows" | "seconds"> & {
  readonly fault: string | undefined;
};

let app: App | undefined;

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
  /** Runs exports, one after the other. */
  run: async ({ names, mode }: RunCall): Promise<readonly RunSummary[]> => {
    if (app === undefined) throw new Error("open comes first");
    const summaries: RunSummary[] = [];
    for (const name of names) {
      const request = {
        name,
        trigger: "hand",
        mode: { kind: mode },
        signal: new AbortController().signal,
      } as const;
      const result = await runExport(app.engine, request);
      if (result === undefined) throw new Error("a run by hand was left out");
      const { export: of, state, rows, seconds, fault } = result;
      summaries.push({ export: of, state, rows, seconds, fault: fault && `${fault.code}: ${fault.message}` });
    }
    return summaries;
  },
};
export type ExportHandlers = typeof handlers;

serveCalls(handlers, async () => app?.close());
