import type { Engine } from "./engine.ts";
import type { TargetWorker } from "./worker.ts";
import { startWorker } from "./worker.ts";

/** The workers of this process, one a target that a flow writes to. */
export interface Workers {
  /** Starts and stops workers after the configuration was loaded again. */
  readonly refresh: () => Promise<void>;
  readonly close: (withinMs: number) => Promise<void>;
}

export async function startWorkers(engine: Engine): Promise<Workers> {
  const running = new Map<string, { readonly concurrency: number; readonly worker: TargetWorker }>();

  const refresh = async (): Promise<void> => {
    const { config, connections } = engine.setup();
    const targets = new Set(config.flows.map((flow) => flow.target));
    for (const [target, { concurrency, worker }] of running) {
      if (targets.has(target) && connections.get(target)?.config.concurrency === concurrency) continue;
      running.delete(target);
      await worker.close(config.server.shutdownMs);
    }
    for (const target of targets) {
      const opened = connections.get(target);
      if (opened === undefined) continue;
      if (running.has(target)) continue;
      const { concurrency } = opened.config;
      running.set(target, { concurrency, worker: await startWorker(engine, target, concurrency) });
    }
  };

  await refresh();
  return {
    refresh,
    close: async (withinMs) => {
      await Promise.all([...running.values()].map(({ worker }) => worker.close(withinMs)));
    },
  };
}
