import { toAppError } from "../errors.ts";
import type { Engine } from "../jobs/engine.ts";
import type { Intake } from "../jobs/intake.ts";
import type { QueueWorker } from "../queue/queue.ts";
import { createTimetableSet } from "../queue/timetable-set.ts";
import { poll, pollName } from "./poller.ts";
import { createSweeper } from "./sweeper.ts";

const sweepEveryMs = 5000;
const pruneEveryMs = 10 * 60_000;
const pruneBatch = 1000;

/** Everything that comes by the clock, in this process's share. */
export interface Timetables {
  /** Sets, replaces and removes timetables after the configuration was loaded again. */
  readonly refresh: () => Promise<void>;
  readonly close: (withinMs: number) => Promise<void>;
}

/** Starts the sweeper, the pruner and the pollers. Each tick runs in one process, however many there are. */
export async function startTimetables(engine: Engine, intake: Intake): Promise<Timetables> {
  const { queue } = engine;
  const fixed = await startUpkeep(engine);
  const pollers = createTimetableSet(queue, "poll:");

  const refresh = async (): Promise<void> => {
    const wanted = [...wantedPolls(engine)].map(([name, { connection, source, everyMs }]) => {
      const handler = guarded(engine, name, (signal) => pollOnce(engine, intake, connection, source, signal));
      return [name, { timetable: { everyMs }, handler }] as const;
    });
    await pollers.keep(new Map(wanted));
  };

  await refresh();
  return {
    refresh,
    close: async (withinMs) => {
      await Promise.all([...fixed, pollers].map((one) => one.close(withinMs)));
    },
  };
}

type Job = (signal: AbortSignal) => Promise<void>;

function guarded({ logger }: Engine, name: string, run: Job): Job {
  return async (signal) => {
    try {
      await run(signal);
    } catch (error) {
      const fault = toAppError(error);
      logger.error(
        { job: name, code: fault.code, err: fault },
        "scheduled job failed; it runs again at its time",
      );
    }
  };
}

async function startUpkeep(engine: Engine): Promise<readonly QueueWorker[]> {
  const { queue, ledger, logger } = engine;
  const pruneOld: Job = async (signal) => {
    const before = engine.now() - engine.setup().config.server.retentionMs;
    const events = await ledger.prune(before, pruneBatch, signal);
    await ledger.exports.prune(before);
    if (events > 0) logger.info({ events }, "old events pruned");
  };
  const sweeper = createSweeper(engine);
  const sweepOnce: Job = async () => {
    const lanes = await sweeper.sweep();
    if (lanes > 0) logger.info({ lanes }, "rang again for lanes that were waiting");
  };
  return [
    await queue.schedule("sweep", { everyMs: sweepEveryMs }, guarded(engine, "sweep", sweepOnce)),
    await queue.schedule("prune", { everyMs: pruneEveryMs }, guarded(engine, "prune", pruneOld)),
  ];
}

async function pollOnce(
  engine: Engine,
  intake: Intake,
  connection: string,
  source: string,
  signal: AbortSignal,
): Promise<void> {
  const opened = engine.setup().connections.get(connection);
  if (opened === undefined) return;
  try {
    const result = await poll(engine, intake, opened, source, signal);
    engine.metrics.poll(connection, source, "ok");
    if (result.accepted > 0) engine.logger.info({ connection, source, ...result }, "polled");
  } catch (error) {
    engine.metrics.poll(connection, source, "failed");
    throw error;
  }
}

interface WantedPoll {
  readonly connection: string;
  readonly source: string;
  readonly everyMs: number;
}

function wantedPolls(engine: Engine): ReadonlyMap<string, WantedPoll> {
  const wanted = new Map<string, WantedPoll>();
  for (const { config, connection } of engine.setup().connections.values()) {
    if (config.poll === undefined) continue;
    for (const source of config.poll.sources ?? Object.keys(connection.sources ?? {})) {
      wanted.set(pollName(config.name, source), {
        connection: config.name,
        source,
        everyMs: config.poll.everyMs,
      });
    }
  }
  return wanted;
}
