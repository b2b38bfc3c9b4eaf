import { percentile } from "./statistics.ts";
import { checkAnswers, checkDesk, checkLedger } from "./count-check.ts";
import type { Figures } from "./figures.ts";
import { figuresOf, startCpuMeter } from "./figures.ts";
import { sendLoad } from "./load.ts";
import type { Database } from "./database.ts";
import type { Stage } from "./stage.ts";
import type { QueueBackend, SystemConfig } from "./system.ts";
import { startSystem } from "./system.ts";

export interface IngestAndDrain {
  readonly ingest: Figures;
  readonly drain: Figures;
}

/**
 * First webhooks into the ledger with nobody at work (ingest: latency is that of the acknowledgement), then a worker on what lies there (drain:
 * latency is that of an attempt, as it is on record). Both begin to count after a warm-up.
 */
export async function measureDrain(
  stage: Stage,
  queue: QueueBackend,
  config: SystemConfig = "open",
): Promise<IngestAndDrain> {
  const database = await stage.freshDatabase();
  const run = stage.nextRun("drain");
  try {
    const system = { database, queue, config };
    const ingest = await fill(stage, system, run);
    const drain = await drainIt(stage, system, run);
    return { ingest, drain };
  } finally {
    await database.drop();
  }
}

interface SystemFacts {
  readonly database: Database;
  readonly queue: QueueBackend;
  readonly config: SystemConfig;
}

async function fill(stage: Stage, { database, queue, config }: SystemFacts, run: string): Promise<Figures> {
  const { events, warmUp } = stage.options;
  const server = await startSystem(stage, "serve", database, queue, config);
  try {
    await sendLoad(stage, { url: server.hookUrl, run, from: 0, count: warmUp });
    const { sent, cpu } = await sendLoad(stage, { url: server.hookUrl, run, from: warmUp, count: events }, [
      server.pid,
    ]);
    checkAnswers(run, sent.statuses, events);
    const figures = figuresOf(events, sent.endedAt - sent.startedAt, sent.ackMs, cpu);
    return { ...figures, ackP99Ms: percentile(sent.ackMs, 0.99) };
  } finally {
    await server.stop();
  }
}

async function drainIt(
  stage: Stage,
  { database, queue, config }: SystemFacts,
  run: string,
): Promise<Figures> {
  const { events, warmUp } = stage.options;
  const count = warmUp + events;
  await stage.stub.call("expect", { run, count });
  const warm = stage.stub.call("reached", warmUp);
  const worker = await startSystem(stage, "work", database, queue, config);
  try {
    const startedAt = await warm;
    const meter = startCpuMeter(stage, [worker.pid]);
    const endedAt = await stage.stub.call("reached", count);
    const cpu = meter(events);
    await checkLedger(database, run, count);
    await checkDesk(stage, run);
    const attempts = await database.query<{ ms: number }>(
      "select duration_ms as ms from deskbridge.attempt order by id desc limit $1",
      [events],
    );
    return figuresOf(
      events,
      endedAt - startedAt,
      attempts.map(({ ms }) => ms),
      cpu,
    );
  } finally {
    await worker.stop();
  }
}
