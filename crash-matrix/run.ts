import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { DeskbridgeProcess, ProcessOptions } from "../test/support/deskbridge-process.ts";
import type { FaultPlan } from "../test/support/vendor-faults.ts";
import type { Verdict } from "./judge.ts";
import { judge } from "./judge.ts";
import type { Progress } from "./progress.ts";
import { createProgress } from "./progress.ts";
import type { TargetKind, Way } from "./setting.ts";
import type { LedgerState } from "./settlement.ts";
import { untilSettled } from "./settlement.ts";
import type { Stage, Stores } from "./stage.ts";
import type { Target } from "./target.ts";
import { openTarget } from "./target.ts";
import type { Traffic, TrafficShape } from "./traffic.ts";
import { openTraffic } from "./traffic.ts";

/** What one run came to. */
export interface RunResult extends Verdict {
  readonly events: number;
  /** Faults that were to happen and did not: such a run shows nothing, and counts as failed. */
  readonly missed: number;
  /** Events that never reached the ledger, deliveries that were not over in time, and dead letters. */
  readonly unsettled: number;
  readonly seconds: number;
}

export interface LaunchOptions {
  /** Where the process is to end, as `DESKBRIDGE_CRASH_AT` takes it. */
  readonly crashAt?: string | undefined;
  readonly variables?: Readonly<Record<string, string>>;
  readonly nodeOptions?: readonly string[];
}

/** A deskbridge with everything around it: its databases, a shop where things happen, a target that counts. */
export interface Run {
  readonly target: Target;
  readonly traffic: Traffic;
  /** Noted at every webhook that is taken, every write, every event and delivery of the ledger. */
  readonly progress: Progress;
  /** Starts a process, and does not wait until it is ready. */
  readonly launch: (options?: LaunchOptions) => DeskbridgeProcess;
  /** Has the shop send its webhooks to whichever processes there are; resolves when all have been taken. */
  readonly send: () => Promise<void>;
  /** Waits until everything is over, and counts. */
  readonly finish: (missed: number) => Promise<RunResult>;
  readonly close: () => Promise<void>;
}

export interface RunOptions {
  readonly seed: string;
  readonly target: TargetKind;
  readonly stores: Stores;
  readonly faults?: FaultPlan;
  /** The target does not do what it declares, to see that this is seen. */
  readonly forgetful?: boolean;
  readonly shape?: TrafficShape;
  /** The way to the target, which its configuration has to allow for; direct unless told. */
  readonly way?: Way;
  /** The path of another configuration than the target's own. */
  readonly config?: string;
  /** Counts elsewhere than on the target; gets the data directory of the run's processes. */
  readonly verdict?: (dataDir: string) => Promise<Verdict>;
  /** By what way a process gets to one of its neighbours; straight there unless told. */
  readonly route?: (link: Link, url: string) => Promise<string>;
}

/** What a process is connected to. */
export const links = ["database", "redis", "target", "shop"] as const;
export type Link = (typeof links)[number];

const smallShape = { hookedOrders: 4, polledOrders: 3, perOrder: 4 };
/** With nothing going on for so long, a run is given up. Longer than any wait that deskbridge has. */
const idleMs = 240_000;

/** A call that the target acts on late does so after this long: within what it declares. */
export const lateMs = 500;

export async function openRun(stage: Stage, options: RunOptions): Promise<Run> {
  const startedAt = performance.now();
  const { seed, stores } = options;
  const home = await stage.openHome();
  const progress = createProgress();
  const traffic = await openTraffic(seed, options.shape ?? smallShape, progress.note);
  const plan: FaultPlan = (call) => {
    if (call.write > 0) progress.note();
    return options.faults?.(call);
  };
  const target = await openTarget(options.target, plan, options.forgetful);
  const lake = { LAKE_PATH: join(home.dataDir, "lake"), LAKE_URL: stores.databaseUrl };
  const variables = { ...stage.variables, ...(await addresses(options, traffic, target)), ...lake };
  const fleet = createFleet((more) =>
    home.launch({
      ...stage.program,
      config: options.config ?? stage.config(options.target, options.way ?? "direct"),
      ...more,
      variables: { ...variables, ...more.variables },
    }),
  );
  const stop = new AbortController();
  return {
    target,
    traffic,
    progress,
    launch: fleet.launch,
    send: () => sendWhileGoing(traffic, fleet.nextUrl, progress, stop.signal),
    finish: async (missed) => {
      const events = traffic.events();
      const state = await untilSettled(stores.databaseUrl, events, progress, idleMs);
      await pause(lateMs);
      const verdict = (await options.verdict?.(home.dataDir)) ?? judge(traffic.expected(), target.tickets());
      const seconds = (performance.now() - startedAt) / 1000;
      return resultOf({ ...verdict, events, missed, unsettled: unsettledOf(state, events), seconds }, () => [
        `ledger: ${JSON.stringify(state)}`,
        ...fleet.outputs(),
      ]);
    },
    close: async () => {
      stop.abort();
      await home.remove();
      await Promise.all([target.close(), traffic.shop.close()]);
      await stores.drop();
    },
  };
}

async function sendWhileGoing(
  traffic: Traffic,
  urlOf: () => string,
  progress: Progress,
  stop: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  void progress.standstill(idleMs, over.signal).then(() => over.abort());
  await traffic.send(urlOf, AbortSignal.any([stop, over.signal]));
  over.abort();
}

function unsettledOf({ events, pending, dead }: LedgerState, wanted: number): number {
  return Math.max(0, wanted - events) + pending + dead;
}

/** With all that there is to look into, where something is wrong. */
function resultOf(result: RunResult, evidence: () => readonly string[]): RunResult {
  const { missed, unsettled, findings } = result;
  if (missed + unsettled + findings.length === 0) return result;
  return { ...result, findings: [...findings, ...evidence()] };
}

async function addresses(
  { stores: { databaseUrl, redisUrl }, route = async (_, url) => url }: RunOptions,
  { shop }: Traffic,
  target: Target,
): Promise<Readonly<Record<string, string>>> {
  return {
    DATABASE_URL: await route("database", databaseUrl),
    ...(redisUrl === undefined ? {} : { REDIS_URL: await route("redis", redisUrl) }),
    SHOP_URL: await route("shop", shop.url),
    DESK_URL: await route("target", target.url),
  };
}

type Launch = (options: Pick<ProcessOptions, "variables" | "nodeOptions">) => DeskbridgeProcess;

/** The processes of a run, and a way to whichever of them are there. */
function createFleet(start: Launch) {
  const processes: { readonly process: DeskbridgeProcess; over: boolean }[] = [];
  let asked = 0;
  const launch: Run["launch"] = ({ crashAt, variables, nodeOptions = [] } = {}) => {
    const armed = crashAt === undefined ? {} : { DESKBRIDGE_CRASH_AT: crashAt };
    const process = start({ variables: { ...armed, ...variables }, nodeOptions });
    const known = { process, over: false };
    processes.push(known);
    void process.ended.then(() => (known.over = true));
    return process;
  };
  return {
    launch,
    nextUrl: (): string => {
      const urls = processes.filter(({ over, process }) => !over && process.url !== "");
      asked += 1;
      return urls[asked % urls.length]?.process.url ?? "";
    },
    outputs: (): readonly string[] =>
      processes.map(({ process }) => `process ${process.pid}:\n${process.output().slice(-6000)}`),
  };
}
