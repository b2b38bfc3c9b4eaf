import { createDice } from "../../demo/day/dice.ts";
import type { DeskbridgeHome, DeskbridgeProcess } from "./deskbridge-process.ts";
import type { ShopDay } from "./shop-day.ts";

/** After how many answers something happens, in growing order: the same for the same seed, never at the very start or end. */
export function momentsOf(seed: number, requests: number, count: number): readonly number[] {
  const dice = createDice(`moments ${seed}`);
  const moments = new Set<number>();
  while (moments.size < count) moments.add(20 + dice.below(requests - 40));
  return [...moments].toSorted((a, b) => a - b);
}

export interface KilledDay {
  /** The last one still runs. */
  readonly processes: readonly DeskbridgeProcess[];
  readonly last: DeskbridgeProcess;
  /** How many requests were answered with each status in the end. */
  readonly answers: Readonly<Record<number, number>>;
}

export interface KillPlan {
  readonly run: ShopDay;
  readonly home: DeskbridgeHome;
  /** Besides those of the day. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly moments: readonly number[];
  /** What happens between a kill and the next start. */
  readonly whileDown?: () => Promise<void>;
}

/** Plays the day while the process is killed and started again at each of the moments; what was not acknowledged is sent again. */
export async function playWithKills({
  run,
  home,
  variables,
  moments,
  whileDown,
}: KillPlan): Promise<KilledDay> {
  const processes: DeskbridgeProcess[] = [];
  const start = async (): Promise<DeskbridgeProcess> => {
    const started = await home.start({ config: run.config, variables: { ...run.variables, ...variables } });
    processes.push(started);
    return started;
  };
  const restart = async (before: Promise<DeskbridgeProcess>): Promise<DeskbridgeProcess> => {
    await (await before).kill9();
    await whileDown?.();
    return start();
  };
  let current = start();
  const answered = await run.play(
    async () => (await current).url,
    (count) => {
      if (moments.includes(count)) current = restart(current);
    },
  );
  const answers: Record<number, number> = {};
  for (const status of answered.values()) answers[status] = (answers[status] ?? 0) + 1;
  return { processes, last: await current, answers };
}
