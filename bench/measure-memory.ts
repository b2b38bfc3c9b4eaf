import { setTimeout as pause } from "node:timers/promises";
import { CountError } from "./count-check.ts";
import { residentMb } from "./process-cost.ts";
import { sendLoad } from "./load.ts";
import type { Database } from "./database.ts";
import type { Stage } from "./stage.ts";
import { median } from "./statistics.ts";
import { startSystem } from "./system.ts";
import { writeMark } from "./traffic.ts";

/** Resident memory of an `up`, without its PostgreSQL, in mebibytes. */
export interface Memory {
  /** Started, and left alone. */
  readonly restMb: number;
  /** At work on a slow desk, with so much more waiting. */
  readonly pending10kMb: number;
  readonly pending200kMb: number;
}

const restMs = 5000;
const workMs = 16_000;
/** Slow enough that the smaller backlog outlasts the measurement. */
const deskDelayMs = 100;

export async function measureMemory(stage: Stage): Promise<Memory> {
  return {
    restMb: await atRest(stage),
    pending10kMb: await withPending(stage, 10_000),
    pending200kMb: await withPending(stage, 200_000),
  };
}

async function atRest(stage: Stage): Promise<number> {
  const database = await stage.freshDatabase();
  const system = await startSystem(stage, "up", database, "redis");
  try {
    await pause(restMs);
    return residentMb(system.pid);
  } finally {
    await system.stop();
    await database.drop();
  }
}

async function withPending(stage: Stage, count: number): Promise<number> {
  const run = stage.nextRun("memory");
  const database = await stage.freshDatabase();
  try {
    await fill(stage, database, run, count);
    await stage.stub.call("expect", { run, count, delayMs: deskDelayMs });
    const system = await startSystem(stage, "up", database, "redis");
    try {
      const samples: number[] = [];
      const end = performance.now() + workMs;
      while (performance.now() < end) {
        await pause(250);
        samples.push(residentMb(system.pid));
      }
      const { arrivedAt, repeated, strange } = await stage.stub.call("receipts", undefined);
      const arrived = arrivedAt.filter((at) => at !== null).length;
      if (repeated > 0 || strange.length > 0 || arrived === 0 || arrived === count) {
        throw new CountError(
          `${run}: ${arrived} tickets of ${count}, ${repeated} repeated, ${strange.length} strange`,
        );
      }
      // The last quarter: by then everything that works has worked for a while.
      return median(samples.slice(Math.floor(samples.length * 0.75)));
    } finally {
      await system.stop();
    }
  } finally {
    await database.drop();
  }
}

/** Takes one webhook in as usual, and multiplies what became of it in the ledger. */
async function fill(stage: Stage, database: Database, run: string, count: number): Promise<void> {
  const server = await startSystem(stage, "serve", database, "redis");
  try {
    await sendLoad(stage, { url: server.hookUrl, run, from: 0, count: 1 });
  } finally {
    await server.stop();
  }
  const mark = writeMark({ run, number: 0 });
  const marked = `$1 || n::text`;
  await database.query(
    `insert into deskbridge.event (connection, event_id, type, subject, happened_at, received_at, via, data, raw)
     select connection, ${marked}, type, ${marked}, happened_at, received_at, via,
       replace(data::text, $2, ${marked})::json, replace(raw::text, $2, ${marked})::json
     from deskbridge.event, generate_series(1, $3::int) n`,
    [mark.slice(0, -1), mark, count - 1],
  );
  await database.query(
    `insert into deskbridge.delivery (sequence, flow, target, lane, priority, status, due_at)
     select e.sequence, d.flow, d.target, e.subject, d.priority, d.status, d.due_at - interval '1 minute'
     from deskbridge.event e, deskbridge.delivery d where e.sequence <> d.sequence`,
  );
}
