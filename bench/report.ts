import type { CpuPerEvent, Figures } from "./figures.ts";
import type { BudgetUse } from "./measure-budget.ts";
import type { Idle } from "./measure-idle.ts";
import type { Memory } from "./measure-memory.ts";
import type { Measured, Series, SeriesName } from "./rounds.ts";
import { median, significant, spreadOf } from "./statistics.ts";

/** The medians of all rounds, and what the rounds were. */
export interface Summary {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMsPerEvent: CpuPerEvent;
  readonly ackP99Ms?: number;
  readonly perSecondOfRounds: readonly number[];
}

/** Something that was set out to be reached. */
export interface Target {
  readonly name: string;
  readonly value: number;
  readonly target: string;
  readonly reached: boolean;
}

export interface Report {
  readonly floor?: Summary;
  readonly drain?: Summary;
  readonly endToEnd?: Summary;
  readonly ingest?: Summary;
  readonly twoProcesses?: Summary;
  readonly floorBareHttp?: Summary;
  readonly floorAxios?: Summary;
  /** A drain to a desk that takes no idempotency keys: an intent, a lookup and a link more for each ticket. */
  readonly lookupDrain?: Summary;
  readonly postgresBackend?: {
    readonly drain?: Summary;
    readonly endToEnd?: Summary;
    readonly idle?: Idle;
  };
  /** One rate by another, taken within each round: the median of the rounds. */
  readonly ratios: Readonly<Record<string, number>>;
  /** How far the rounds are apart in these ratios. */
  readonly ratioSpread: Readonly<Record<string, { readonly min: number; readonly max: number }>>;
  readonly ackP99Ms?: number;
  readonly idle?: Idle;
  readonly memory?: Memory;
  readonly budget?: BudgetUse;
  readonly targets: readonly Target[];
}

const ratioNames = [
  ["drain/floor", "drain", "floor"],
  ["endToEnd/floor", "endToEnd", "floor"],
  ["twoProcesses/floor", "twoProcesses", "floor"],
  ["drain/floorAxios", "drain", "floorAxios"],
  ["endToEnd/floorAxios", "endToEnd", "floorAxios"],
  ["postgresDrain/drain", "postgresDrain", "drain"],
  ["postgresEndToEnd/endToEnd", "postgresEndToEnd", "endToEnd"],
  ["lookupDrain/drain", "lookupDrain", "drain"],
] as const satisfies readonly (readonly [string, SeriesName, SeriesName])[];

/** Makes the report of what was measured. What was not measured is left out. */
export function reportOf({ series, idle, postgresIdle, memory, budget }: Measured): Report {
  const { postgresDrain, postgresEndToEnd, ...rest } = Object.fromEntries(
    Object.entries(series).map(([name, rounds]) => [name, summaryOf(rounds)]),
  ) as Partial<Record<SeriesName, Summary>>;
  const postgresBackend = {
    ...(postgresDrain === undefined ? {} : { drain: postgresDrain }),
    ...(postgresEndToEnd === undefined ? {} : { endToEnd: postgresEndToEnd }),
    ...(postgresIdle === undefined ? {} : { idle: rounded(postgresIdle) }),
  };
  // The worst round: an acknowledgement that came too late once came too late.
  const acks = Object.values(series).flatMap((rounds) => rounds.flatMap(({ ackP99Ms }) => ackP99Ms ?? []));
  const found = {
    ...rest,
    ...(Object.keys(postgresBackend).length === 0 ? {} : { postgresBackend }),
    ...ratiosOf(series),
    ...(acks.length === 0 ? {} : { ackP99Ms: significant(Math.max(...acks)) }),
    ...(idle === undefined ? {} : { idle: rounded(idle) }),
    ...(memory === undefined ? {} : { memory: rounded(memory) }),
    ...(budget === undefined ? {} : { budget: { ...budget, used: significant(budget.used) } }),
  };
  return { ...found, targets: targetsOf(found) };
}

function rounded<T extends object>(figures: T): T {
  const entries = Object.entries(figures) as [string, number][];
  return Object.fromEntries(entries.map(([name, value]) => [name, significant(value)])) as T;
}

function summaryOf(rounds: readonly Figures[]): Summary {
  const of = (pick: (figures: Figures) => number): number => significant(median(rounds.map(pick)));
  const acks = rounds.flatMap(({ ackP99Ms }) => ackP99Ms ?? []);
  return {
    perSecond: Math.round(median(rounds.map(({ perSecond }) => perSecond))),
    p50Ms: of(({ p50Ms }) => p50Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
    cpuMsPerEvent: {
      process: of(({ cpuMsPerEvent }) => cpuMsPerEvent.process),
      redis: of(({ cpuMsPerEvent }) => cpuMsPerEvent.redis),
      postgres: of(({ cpuMsPerEvent }) => cpuMsPerEvent.postgres),
    },
    ...(acks.length === 0 ? {} : { ackP99Ms: significant(median(acks)) }),
    perSecondOfRounds: rounds.map(({ perSecond }) => Math.round(perSecond)),
  };
}

function ratiosOf(series: Series): Pick<Report, "ratios" | "ratioSpread"> {
  const ratios: Record<string, number> = {};
  const ratioSpread: Record<string, { min: number; max: number }> = {};
  for (const [name, upper, lower] of ratioNames) {
    const below = series[lower] ?? [];
    const pairs = (series[upper] ?? []).flatMap((figures, round) => {
      const other = below[round];
      return other === undefined ? [] : [figures.perSecond / other.perSecond];
    });
    if (pairs.length === 0) continue;
    const spread = spreadOf(pairs);
    ratios[name] = significant(spread.median);
    ratioSpread[name] = { min: significant(spread.min), max: significant(spread.max) };
  }
  return { ratios, ratioSpread };
}

function targetsOf({ ratios, ackP99Ms, idle, memory, budget }: Omit<Report, "targets">): readonly Target[] {
  const targets: Target[] = [];
  const atLeast = (name: string, value: number | undefined, least: number): void => {
    if (value !== undefined) targets.push({ name, value, target: `≥ ${least}`, reached: value >= least });
  };
  const atMost = (name: string, value: number | undefined, most: number): void => {
    if (value !== undefined) targets.push({ name, value, target: `≤ ${most}`, reached: value <= most });
  };
  atLeast("drain / floor", ratios["drain/floor"], 0.7);
  atLeast("end to end / floor", ratios["endToEnd/floor"], 0.45);
  atLeast("drain on PostgreSQL / on Redis", ratios["postgresDrain/drain"], 0.8);
  atLeast("end to end on PostgreSQL / on Redis", ratios["postgresEndToEnd/endToEnd"], 0.8);
  atMost("idle webhook to ticket, p50 ms", idle?.p50Ms, 50);
  atMost("acknowledgement under load, p99 ms", ackP99Ms, 1000);
  atMost("memory at rest, MB", memory?.restMb, 250);
  if (memory !== undefined) {
    const growth = significant(memory.pending200kMb / memory.pending10kMb);
    atMost("memory with 200,000 pending / with 10,000", growth, 1.1);
  }
  atLeast("used of a rate limit that calls wait for", budget?.used, 0.95);
  atMost("refused with 429 after the first minute", budget?.rejected, 0);
  return targets;
}
