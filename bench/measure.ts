import { setTimeout as delay } from "node:timers/promises";
import { startChild } from "./calls.ts";
import type { FloorClient, FloorHandlers } from "./child-floor.ts";
import { cpuMsOf, residentMb } from "./process-cost.ts";
import { percentile } from "./statistics.ts";
import type { BackendName, Bench, Store, System } from "./system.ts";

/** What one part of one round came to. Times in milliseconds; CPU is user and system time, a process with its children. */
export interface Reading {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMsPerEvent: { readonly own: number; readonly redis: number; readonly postgres: number };
  /** End to end only: from a webhook to its durable acknowledgement. */
  readonly ackP99Ms?: number;
}

export interface Size {
  /** Events measured. */
  readonly events: number;
  /** Events before them, for the process to get warm. */
  readonly warmUp: number;
}

/** Calls to the desk at a time: the default of a connection, for the floor as for deskbridge. */
const concurrency = 20;
const senderConnections = 48;

let runs = 0;
const nextRun = (kind: string): string => `${kind}${(runs += 1)}`;

interface CpuSnapshot {
  readonly own: number;
  readonly redis: number;
  readonly postgres: number;
}

function cpuOf(bench: Bench, pid: number): CpuSnapshot {
  return { own: cpuMsOf(pid), redis: cpuMsOf(bench.redis.pid), postgres: cpuMsOf(bench.postgres.pid) };
}

function perEvent(before: CpuSnapshot, after: CpuSnapshot, events: number): Reading["cpuMsPerEvent"] {
  return {
    own: (after.own - before.own) / events,
    redis: (after.redis - before.redis) / events,
    postgres: (after.postgres - before.postgres) / events,
  };
}

function reading(
  latencies: readonly number[],
  tookMs: number,
  cpu: Reading["cpuMsPerEvent"],
  events: number,
): Reading {
  return {
    perSecond: (events / tookMs) * 1000,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    cpuMsPerEvent: cpu,
  };
}

/** A bare BullMQ worker on Redis, one POST a job, the jobs enqueued beforehand. */
export async function measureFloor(bench: Bench, size: Size, client: FloorClient): Promise<Reading> {
  const run = nextRun("floor");
  const count = size.warmUp + size.events;
  const floor = startChild<FloorHandlers>("./child-floor.ts");
  try {
    await bench.stub.call("expect", { run, count });
    const order = { redisPort: bench.redis.port, stubUrl: bench.stubUrl, run, count, concurrency, client };
    await floor.call("enqueue", order);
    const warm = bench.stub.call("reached", size.warmUp);
    await floor.call("work", order);
    const startedAt = await warm;
    const before = cpuOf(bench, floor.pid);
    const endedAt = await bench.stub.call("reached", count);
    const after = cpuOf(bench, floor.pid);
    await checkReceipts(bench, count);
    const handled = (await floor.call("finish", undefined)).slice(size.warmUp);
    return reading(handled, endedAt - startedAt, perEvent(before, after, size.events), size.events);
  } finally {
    await floor.stop();
  }
}

/** Signed webhooks into a process that only serves, then all of it worked off by one that only works. */
export async function measureIngestAndDrain(
  bench: Bench,
  size: Size,
  backend: BackendName,
): Promise<{ readonly ingest: Reading; readonly drain: Reading }> {
  const store = await bench.freshStore(backend);
  const run = nextRun("drain");
  const count = size.warmUp + size.events;
  await bench.stub.call("expect", { run, count });
  const serving = await bench.startSystem("serve", store);
  await send(bench, serving, run, 0, size.warmUp);
  await prepare(bench, serving, run, size.warmUp, size.events);
  let before = cpuOf(bench, serving.pid);
  const sent = await bench.sender.call("send", undefined);
  const ingestCpu = perEvent(before, cpuOf(bench, serving.pid), size.events);
  requireAccepted(sent.statuses, size.events);
  const ingest = reading(sent.ackMs, sent.endedAt - sent.startedAt, ingestCpu, size.events);
  await serving.stop();

  const warm = bench.stub.call("reached", size.warmUp);
  const working = await bench.startSystem("work", store);
  const startedAt = await warm;
  before = cpuOf(bench, working.pid);
  const endedAt = await bench.stub.call("reached", count);
  const drainCpu = perEvent(before, cpuOf(bench, working.pid), size.events);
  await checkReceipts(bench, count);
  await checkLedger(store, count);
  const attempts = await store.query<{ ms: number }>("select duration_ms as ms from deskbridge.attempt");
  await working.stop();
  await store.drop();
  const durations = attempts.map((attempt) => attempt.ms);
  return { ingest, drain: reading(durations, endedAt - startedAt, drainCpu, size.events) };
}

/** Signed webhooks into one process that serves and works, until the last of their tickets is on the desk. */
export async function measureEndToEnd(bench: Bench, size: Size, backend: BackendName): Promise<Reading> {
  const store = await bench.freshStore(backend);
  const run = nextRun("whole");
  const count = size.warmUp + size.events;
  await bench.stub.call("expect", { run, count });
  const system = await bench.startSystem("up", store);
  await send(bench, system, run, 0, size.warmUp);
  await bench.stub.call("reached", size.warmUp);
  await prepare(bench, system, run, size.warmUp, size.events);
  const before = cpuOf(bench, system.pid);
  const sent = await bench.sender.call("send", undefined);
  const endedAt = await bench.stub.call("reached", count);
  const cpu = perEvent(before, cpuOf(bench, system.pid), size.events);
  requireAccepted(sent.statuses, size.events);
  const arrivedAt = await checkReceipts(bench, count);
  await checkLedger(store, count);
  await system.stop();
  await store.drop();
  const latencies = sent.sentAt.map((at, index) => (arrivedAt[size.warmUp + index] as number) - at);
  return {
    ...reading(latencies, endedAt - sent.startedAt, cpu, size.events),
    ackP99Ms: percentile(sent.ackMs, 0.99),
  };
}

/** One webhook at a time on an idle process: from the first byte sent to the call that reaches the desk. */
export async function measureIdle(
  bench: Bench,
  backend: BackendName,
  events: number,
): Promise<{ readonly p50Ms: number; readonly p99Ms: number; readonly restMb: number }> {
  const store = await bench.freshStore(backend);
  const run = nextRun("idle");
  await bench.stub.call("expect", { run, count: events });
  const system = await bench.startSystem("up", store);
  await delay(2000);
  const restMb = residentMb(system.pid);
  await prepare(bench, system, run, 0, events);
  const latencies: number[] = [];
  for (let number = 0; number < events; number += 1) {
    const sentAt = await bench.sender.call("sendOne", number);
    latencies.push((await bench.stub.call("reached", number + 1)) - sentAt);
    await delay(20);
  }
  await checkReceipts(bench, events);
  await system.stop();
  await store.drop();
  // The first few find a process that has compiled nothing yet.
  const warm = latencies.slice(10);
  return { p50Ms: percentile(warm, 0.5), p99Ms: percentile(warm, 0.99), restMb };
}

/** Resident memory of a process that works while so many deliveries are pending, in mebibytes: the most seen in a few seconds. */
export async function measureMemory(bench: Bench, backend: BackendName, pending: number): Promise<number> {
  const store = await bench.freshStore(backend);
  const run = nextRun("memory");
  await bench.stub.call("expect", { run, count: pending, delayMs: 50 });
  const seeding = await bench.startSystem("serve", store);
  await send(bench, seeding, run, 0, 1000);
  await seeding.stop();
  await multiply(store, pending);
  const system = await bench.startSystem("up", store);
  let most = 0;
  for (let look = 0; look < 40; look += 1) {
    await delay(200);
    most = Math.max(most, residentMb(system.pid));
  }
  await system.stop();
  await store.drop();
  return most;
}

/** Copies the thousand events that came over HTTP until so many are pending, each its own event in its own lane. */
async function multiply(store: Store, pending: number): Promise<void> {
  await store.query(`
    with copies as (
      insert into deskbridge.event (connection, event_id, type, subject, happened_at, received_at, via, data, raw)
      select e.connection, e.event_id || '-' || n, e.type, e.subject || '-' || n, e.happened_at, e.received_at, e.via, e.data, e.raw
      from deskbridge.event e, generate_series(1, ${Math.ceil(pending / 1000) - 1}) n
      returning sequence, subject
    )
    insert into deskbridge.delivery (sequence, flow, target, lane, priority, status)
    select sequence, 'cancelled-orders', 'desk', subject, 0, 0 from copies`);
}

async function prepare(
  bench: Bench,
  { hookUrl }: System,
  run: string,
  from: number,
  count: number,
): Promise<void> {
  await bench.sender.call("prepare", { url: hookUrl, run, from, count });
  await bench.sender.call("connect", senderConnections);
}

async function send(bench: Bench, system: System, run: string, from: number, count: number): Promise<void> {
  await prepare(bench, system, run, from, count);
  requireAccepted((await bench.sender.call("send", undefined)).statuses, count);
}

function requireAccepted(statuses: Readonly<Record<string, number>>, count: number): void {
  if (statuses[202] !== count) throw new Error(`not every webhook was accepted: ${JSON.stringify(statuses)}`);
}

/** Every ticket once, and nothing else: a benchmark of something that loses or doubles is worth nothing. */
async function checkReceipts(bench: Bench, count: number): Promise<readonly (number | null)[]> {
  const { arrivedAt, repeated, strange } = await bench.stub.call("receipts", undefined);
  const missing = arrivedAt.filter((at) => at === null).length;
  if (arrivedAt.length !== count || missing > 0 || repeated > 0 || strange.length > 0) {
    throw new Error(
      `of ${count} tickets ${missing} are missing and ${repeated} came twice; strange: ${strange.join(" ")}`,
    );
  }
  return arrivedAt;
}

async function checkLedger(store: Store, count: number): Promise<void> {
  for (let look = 0; look < 100; look += 1) {
    const [row] = await store.query<{ done: number; others: number }>(
      `select count(*) filter (where status = 1)::int as done, count(*) filter (where status <> 1)::int as others from deskbridge.delivery`,
    );
    if (row?.done === count && row.others === 0) return;
    await delay(50);
  }
  throw new Error(`the ledger does not have ${count} deliveries done`);
}
