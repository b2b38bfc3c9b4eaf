import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { openEmbeddedPostgres } from "../src/ledger/embedded.ts";
import { temporaryDataDir } from "../test/support/data-dir.ts";
import { startRedis } from "../test/support/redis.ts";
import type { TcpProxy } from "../test/support/tcp-proxy.ts";
import { openTcpProxy } from "../test/support/tcp-proxy.ts";
import type { Link, Run, RunOptions, RunResult } from "./run.ts";
import { openRun } from "./run.ts";
import type { QueueKind, TargetKind } from "./setting.ts";
import { queueKinds, targetKinds } from "./setting.ts";
import type { Stage } from "./stage.ts";
import { createDatabase } from "./stage.ts";

/** A kind of target and a kind of queue. */
export interface Setting {
  readonly target: TargetKind;
  readonly queue: QueueKind;
}

type Play = (stage: Stage, setting: Setting, seed: string) => Promise<RunResult>;

interface Definition {
  readonly settings: readonly Setting[];
  readonly play: Play;
}

const everywhere: readonly Setting[] = targetKinds.flatMap((target) =>
  queueKinds.map((queue) => ({ target, queue })),
);
const onRedis = everywhere.filter(({ queue }) => queue === "redis");

/** How dense the traffic is for a fault of a few seconds, and for one of half a minute and more; it goes on until the fault is over. */
const seconds = { hookedOrders: 5, polledOrders: 3, perOrder: 12, gapMs: 1000 };
const halfMinute = { ...seconds, gapMs: 2500 };
const holeMs = 30_000;
/** Longer than a lease. */
const frozenMs = 100_000;
const clockOffMs = 600_000;
const startedWithinMs = 180_000;

/** What befalls a running deskbridge besides its own death. */
const definitions = {
  "redis-flushed": { settings: onRedis, play: flushRedis },
  "redis-killed": { settings: onRedis, play: killRedis },
  "postgres-killed": { settings: everywhere, play: killPostgres },
  "database-unreachable": { settings: everywhere, play: holeTo("database") },
  "redis-unreachable": { settings: onRedis, play: holeTo("redis") },
  "target-unreachable": { settings: everywhere, play: holeTo("target") },
  "shop-unreachable": { settings: onRedis, play: holeTo("shop") },
  "worker-frozen": { settings: everywhere, play: freezeWorker },
  "clock-ahead": { settings: everywhere, play: shiftClock(clockOffMs) },
  "clock-behind": { settings: everywhere, play: shiftClock(-clockOffMs) },
} as const satisfies Readonly<Record<string, Definition>>;

export type ScenarioName = keyof typeof definitions;
export const scenarioNames = Object.keys(definitions) as readonly ScenarioName[];

export interface Scenario extends Setting {
  readonly name: ScenarioName;
}

export function scenariosOf(wanted: readonly ScenarioName[]): readonly Scenario[] {
  return wanted.flatMap((name) => definitions[name].settings.map((setting) => ({ name, ...setting })));
}

export function runScenario(stage: Stage, { name, ...setting }: Scenario, seed: string): Promise<RunResult> {
  return definitions[name].play(stage, setting, seed);
}

/** Plays the traffic of a run while something happens to it. `fault` resolves with how many faults did not take place. */
async function playWith(
  stage: Stage,
  options: RunOptions,
  fault: (run: Run) => Promise<number>,
): Promise<RunResult> {
  const run = await openRun(stage, options);
  try {
    const [missed] = await Promise.all([fault(run).finally(run.traffic.end), run.send()]);
    return await run.finish(missed);
  } finally {
    await run.close();
  }
}

/** Resolves when the target has taken a few writes: deskbridge is at work. */
async function atWork({ target, progress }: Run): Promise<void> {
  while (target.writes() < 5) {
    if (progress.idleMs() > startedWithinMs) throw new Error("deskbridge did not get to work");
    await pause(20);
  }
}

/** 1 where everything was over before the fault was, so that it can have hit nothing. */
function cameTooLate({ target, traffic }: Run): number {
  return target.writes() >= traffic.events() * 2 ? 1 : 0;
}

async function flushRedis(stage: Stage, { target, queue }: Setting, seed: string): Promise<RunResult> {
  const redis = await startRedis();
  const client = new Redis(redis.url);
  try {
    const { databaseUrl, drop } = await stage.freshStores(queue);
    const stores = { databaseUrl, redisUrl: redis.url, drop };
    return await playWith(stage, { seed, target, stores, shape: seconds }, async (run) => {
      run.launch();
      await atWork(run);
      for (let time = 0; time < 4; time += 1) {
        await client.flushall();
        await pause(500);
      }
      return cameTooLate(run);
    });
  } finally {
    client.disconnect();
    await redis.stop();
  }
}

async function killRedis(stage: Stage, { target, queue }: Setting, seed: string): Promise<RunResult> {
  const redis = await startRedis();
  try {
    const { databaseUrl, drop } = await stage.freshStores(queue);
    const stores = { databaseUrl, redisUrl: redis.url, drop };
    return await playWith(stage, { seed, target, stores, shape: seconds }, async (run) => {
      run.launch();
      await atWork(run);
      await redis.kill9();
      await pause(1000);
      await redis.restart();
      return cameTooLate(run);
    });
  } finally {
    await redis.stop();
  }
}

/** With the settings of production: every commit goes to the disk. The server is started again by who watches it. */
async function killPostgres(stage: Stage, { target, queue }: Setting, seed: string): Promise<RunResult> {
  const folder = await temporaryDataDir();
  const postgres = await openEmbeddedPostgres({ dataDir: folder.path, settings: { max_connections: "100" } });
  try {
    const { redisUrl, drop } = await stage.freshStores(queue);
    const { databaseUrl } = await createDatabase(postgres.url);
    const stores = { databaseUrl, redisUrl, drop };
    return await playWith(stage, { seed, target, stores, shape: seconds }, async (run) => {
      run.launch();
      await atWork(run);
      const { pid } = postgres;
      process.kill(pid, "SIGKILL");
      while (postgres.pid === pid) await pause(50);
      return cameTooLate(run);
    });
  } finally {
    await postgres.close();
    await folder.remove();
  }
}

function holeTo(link: Link): Play {
  return async (stage, { target, queue }, seed) => {
    let proxy: TcpProxy | undefined;
    const stores = await stage.freshStores(queue);
    const route = async (to: Link, url: string): Promise<string> => {
      if (to !== link) return url;
      proxy = await openTcpProxy(url);
      return proxy.url;
    };
    const way = link === "target" ? "heldBack" : "direct";
    try {
      return await playWith(stage, { seed, target, stores, shape: halfMinute, way, route }, async (run) => {
        run.launch();
        await atWork(run);
        proxy?.blackHole();
        await pause(holeMs);
        const missed = cameTooLate(run);
        proxy?.heal();
        return missed;
      });
    } finally {
      await proxy?.close();
    }
  };
}

/** Two processes; one stops dead in the middle of a delivery, for longer than its lease, and then goes on as if nothing had been. */
async function freezeWorker(stage: Stage, { target, queue }: Setting, seed: string): Promise<RunResult> {
  const stores = await stage.freshStores(queue);
  // Just before a call: the worst moment. A target with keys has no such point, but there the key makes up for it.
  const moment = target === "lookup" ? "effect.sent" : "work.mapped";
  return playWith(stage, { seed, target, stores, shape: halfMinute }, async (run) => {
    const frozen = run.launch({ crashAt: `${moment}@7:stop` });
    await frozen.printed(`crash point ${moment}`);
    const missed = cameTooLate(run);
    run.launch();
    await pause(frozenMs);
    frozen.kill("SIGCONT");
    // What it had in hand is over, one way or the other, before anything is counted.
    await pause(5000);
    return missed;
  });
}

function shiftClock(offMs: number): Play {
  return async (stage, { target, queue }, seed) => {
    const stores = await stage.freshStores(queue);
    return playWith(stage, { seed, target, stores, shape: halfMinute }, async (run) => {
      const wrong = run.launch({
        nodeOptions: ["--import", stage.clockPreload],
        variables: { CLOCK_OFF_MS: String(offMs) },
      });
      await wrong.printed("delivery over");
      const right = run.launch();
      await right.printed("deskbridge is up");
      // In the middle, so that the one with the right clock takes over what it had.
      const missed = cameTooLate(run);
      await wrong.kill9();
      return missed;
    });
  };
}
