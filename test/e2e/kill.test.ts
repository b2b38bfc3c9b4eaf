import { afterEach, describe, expect, it } from "vitest";
import { createDice } from "../../demo/day/dice.ts";
import type { DeskbridgeHome, DeskbridgeProcess } from "../support/deskbridge-process.ts";
import { deskbridgeHome } from "../support/deskbridge-process.ts";
import { freshDatabase } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import type { ShopDay } from "../support/shop-day.ts";
import { embeddedUrl, openShopDay, settledCounts } from "../support/shop-day.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** How many requests have been answered when the process is killed, in growing order. */
function killMoments(seed: number, requests: number, kills: number): readonly number[] {
  const dice = createDice(`kill ${seed}`);
  const moments = new Set<number>();
  while (moments.size < kills) moments.add(20 + dice.below(requests - 40));
  return [...moments].toSorted((a, b) => a - b);
}

interface Outcome {
  readonly processes: readonly DeskbridgeProcess[];
  readonly last: DeskbridgeProcess;
  readonly statuses: Readonly<Record<number, number>>;
}

/** Plays the day while the process is killed and started again at each of the moments. */
async function playWithKills(
  run: ShopDay,
  home: DeskbridgeHome,
  variables: Readonly<Record<string, string>>,
  moments: readonly number[],
  whileDown: () => Promise<void> = async () => undefined,
): Promise<Outcome> {
  const start = () => home.start({ config: run.config, variables: { ...run.variables, ...variables } });
  const processes = [await start()];
  let current: Promise<DeskbridgeProcess> = Promise.resolve(processes[0] as DeskbridgeProcess);
  const restart = async (from: Promise<DeskbridgeProcess>): Promise<DeskbridgeProcess> => {
    await (await from).kill9();
    await whileDown();
    const next = await start();
    processes.push(next);
    return next;
  };
  const answers = await run.play(
    async () => (await current).url,
    (count) => {
      if (moments.includes(count)) current = restart(current);
    },
  );
  const last = await current;
  const statuses = Object.groupBy([...answers.values()], (status) => status);
  return {
    processes,
    last,
    statuses: Object.fromEntries(Object.entries(statuses).map(([status, all]) => [status, all?.length ?? 0])),
  };
}

describe("a process killed in the middle of the day", () => {
  it("has done every acknowledged event exactly once after a restart, on its own database alone", async () => {
    const run = await openShopDay(11);
    closers.push(run.close);
    const home = await deskbridgeHome();
    closers.push(home.remove);
    const { day } = run;

    const moments = killMoments(11, day.steps.length, 3);
    const { processes, last, statuses } = await playWithKills(run, home, {}, moments);
    const url = await embeddedUrl(home.dataDir);
    const counts = await settledCounts(url, day.expected.accepted, 120_000);

    expect(processes).toHaveLength(moments.length + 1);
    // A repeat of what was stored and not acknowledged is answered 200, so only the sum is fixed.
    expect((statuses[202] ?? 0) + (statuses[200] ?? 0)).toBe(day.expected.accepted + day.expected.duplicates);
    expect({ 401: statuses[401], 400: statuses[400] }).toEqual({ 401: 2, 400: 1 });
    expect(counts.events).toBe(day.expected.accepted);
    expect(counts.deliveries.dead).toBe(0);
    expect(await run.differences(last.url)).toEqual([]);
    expect(run.leaks(processes.map((one) => one.output()).join("\n"))).toEqual([]);
  });
});
