import { measureBudget } from "./measure-budget.ts";
import type { BudgetUse } from "./measure-budget.ts";
import type { FloorClient } from "./child-floor.ts";
import type { Figures } from "./figures.ts";
import { measureDrain } from "./measure-drain.ts";
import { measureEndToEnd } from "./measure-end-to-end.ts";
import { measureFloor } from "./measure-floor.ts";
import { measureIdle } from "./measure-idle.ts";
import type { Idle } from "./measure-idle.ts";
import { measureMemory } from "./measure-memory.ts";
import type { Memory } from "./measure-memory.ts";
import type { MeasureName } from "./options.ts";
import type { Stage } from "./stage.ts";

/** Every series of figures that a run gathers, one entry a round. */
export type SeriesName =
  | "floor"
  | "floorBareHttp"
  | "floorAxios"
  | "drain"
  | "ingest"
  | "endToEnd"
  | "twoProcesses"
  | "postgresDrain"
  | "postgresEndToEnd"
  | "lookupDrain";

export type Series = { readonly [N in SeriesName]?: readonly Figures[] };

export interface Measured {
  readonly series: Series;
  readonly idle: Idle | undefined;
  readonly postgresIdle: Idle | undefined;
  readonly memory: Memory | undefined;
  readonly budget: BudgetUse | undefined;
}

type Measurement = (stage: Stage) => Promise<Partial<Record<SeriesName, Figures>>>;

const floor =
  (name: "floor" | "floorBareHttp" | "floorAxios", client: FloorClient): Measurement =>
  async (stage) => ({ [name]: await measureFloor(stage, client) });

/** In the order of a round: what is set against each other stands close together. */
const inEveryRound: Partial<Record<MeasureName, Measurement>> = {
  floor: floor("floor", "product"),
  "floor-axios": floor("floorAxios", "axios"),
  drain: async (stage) => measureDrain(stage, "redis"),
  "end-to-end": async (stage) => ({ endToEnd: await measureEndToEnd(stage, "redis", "one") }),
  "two-processes": async (stage) => ({ twoProcesses: await measureEndToEnd(stage, "redis", "two") }),
  "postgres-drain": async (stage) => ({ postgresDrain: (await measureDrain(stage, "postgres")).drain }),
  "postgres-end-to-end": async (stage) => ({
    postgresEndToEnd: await measureEndToEnd(stage, "postgres", "one"),
  }),
  "lookup-drain": async (stage) => ({
    lookupDrain: (await measureDrain(stage, "redis", "lookup")).drain,
  }),
};

/** For information, so once is enough. */
const inFirstRound: Partial<Record<MeasureName, Measurement>> = {
  "floor-node": floor("floorBareHttp", "node"),
};

/** Measures all that was asked for, round by round. `note` hears of each step. Throws `CountError` when a count is wrong. */
export async function measureAll(stage: Stage, note: (line: string) => void): Promise<Measured> {
  const { only, rounds } = stage.options;
  const series: Partial<Record<SeriesName, Figures[]>> = {};
  const measure = async (round: number, name: string, measurement: Measurement): Promise<void> => {
    if (!only.has(name as MeasureName)) return;
    for (const [found, figures] of Object.entries(await measurement(stage))) {
      (series[found as SeriesName] ??= []).push(figures);
      note(`round ${round} of ${rounds}  ${found.padEnd(16)} ${Math.round(figures.perSecond)} events/s`);
    }
  };
  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, measurement] of Object.entries(inEveryRound)) await measure(round, name, measurement);
    if (round > 1) continue;
    for (const [name, measurement] of Object.entries(inFirstRound)) await measure(round, name, measurement);
  }
  if (only.has("idle")) note("one webhook at a time");
  const idle = only.has("idle") ? await measureIdle(stage, "redis") : undefined;
  const postgresIdle = only.has("idle") ? await measureIdle(stage, "postgres") : undefined;
  if (only.has("memory")) note("memory at rest, with 10,000 and with 200,000 pending");
  const memory = only.has("memory") ? await measureMemory(stage) : undefined;
  if (only.has("budget")) note(`a desk with a rate limit, for ${stage.options.budget.seconds} s`);
  const budget = only.has("budget") ? await measureBudget(stage) : undefined;
  return { series, idle, postgresIdle, memory, budget };
}
