import { setTimeout as pause } from "node:timers/promises";
import type { DeskbridgeProcess, ProcessOptions } from "../test/support/deskbridge-process.ts";
import type { FaultPlan } from "../test/support/vendor-faults.ts";
import type { Verdict } from "./judge.ts";
import { judge } from "./judge.ts";
import type { TargetKind } from "./setting.ts";
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
  /** By what way a process gets to one of its neighbours; straight there unless told. */
  readonly route?: (link: Link, url: string) => Promise<string>;
}

/** What a process is connected to. */
export const links = ["database", "redis", "target", "shop"] as const;
export type Link = (typeof links)[number];

const smallShape = { hookedOrders: 4, polledOrders: 3, perOrder: 4 };
const sentWithinMs = 240_000;
const settledWithinMs = 150_000;

/** A call that the target acts on late does so after this long: within what it declares. */
export const lateMs = 500;

export async function openRun(stage: Stage, options: RunOptions): Promise<Run> {
  const startedAt = performance.now();
  const { seed, stores } = options;
  const home = await stage.openHome();
  const traffic = await openTraffic(seed, options.shape ?? smallShape);
  const target = await openTarget(options.target, options.faults ?? (() => undefined), options.forgetful);
  const variables = { ...stage.variables, ...(await addresses(options, traffic, target)) };
  const fleet = createFleet((more) =>
    home.launch({
      ...stage.program,
      config: stage.config(options.target),
      ...more,
      variables: { ...variables, ...more.variables },
    }),
  );
  const stop = new AbortController();
  return {
    target,
    traffic,
    launch: fleet.launch,
    send: () =>
      traffic.send(fleet.nextUrl, AbortSignal.any([stop.signal, AbortSignal.timeout(sentWithinMs)])),
    finish: async (missed) => {
      const { events } = traffic;
      const state = await untilSettled(stores.databaseUrl, events, settledWithinMs);
      await pause(lateMs);
      const verdict = judge(traffic.expected, target.tickets());
      const unsettled = Math.max(0, events - state.events) + state.pending + state.dead;
      const seconds = (performance.now() - startedAt) / 1000;
      const result = { ...verdict, events, missed, unsettled, seconds };
      if (missed + unsettled + verdict.findings.length === 0) return result;
      return {
        ...result,
        findings: [...verdict.findings, `ledger: ${JSON.stringify(state)}`, ...fleet.outputs()],
      };
    },
    close: async () => {
      stop.abort();
      await home.remove();
      await Promise.all([target.close(), traffic.shop.close()]);
      await stores.drop();
    },
  };
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
