import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { deskbridgeHome } from "../support/deskbridge-process.ts";
import type { KilledDay } from "../support/killed-day.ts";
import { momentsOf, playWithKills } from "../support/killed-day.ts";
import { freshDatabase } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import type { ShopDay } from "../support/shop-day.ts";
import { embeddedUrl, ledgerCounts, openShopDay, settledCounts } from "../support/shop-day.ts";

/** Every event is in the ledger once, done, and on the desk as the day implies; nothing private was written anywhere. */
async function expectDoneOnce(
  { day, differences, leaks }: ShopDay,
  { processes, last, answers }: KilledDay,
  databaseUrl: string,
): Promise<void> {
  const counts = await settledCounts(databaseUrl, day.expected.accepted, 150_000);
  expect(counts.events).toBe(day.expected.accepted);
  expect(counts.deliveries.dead).toBe(0);
  expect(await differences(last.url)).toEqual([]);
  // What was stored but not acknowledged before a kill is answered 200 when it is sent again, so only the sum is fixed.
  expect((answers[202] ?? 0) + (answers[200] ?? 0)).toBe(day.expected.accepted + day.expected.duplicates);
  expect(answers).toMatchObject({ 401: 2, 400: 1 });
  expect(leaks(processes.map((process) => process.output()).join("\n"))).toEqual([]);
}

// Side by side, so each takes `onTestFinished` from its own context: the imported one may belong to the other.
describe.concurrent("a process killed in the middle of the day and started again", () => {
  it("has done every acknowledged event exactly once, on its own database alone", async ({
    onTestFinished,
  }) => {
    const run = await openShopDay(11);
    onTestFinished(run.close);
    const home = await deskbridgeHome();
    onTestFinished(home.remove);

    const moments = momentsOf(11, run.day.steps.length, 3);
    const killed = await playWithKills({ run, home, moments });

    expect(killed.processes).toHaveLength(moments.length + 1);
    await expectDoneOnce(run, killed, await embeddedUrl(home.dataDir));
  });

  it("has done so with Redis flushed each time, and once while it ran", async ({ onTestFinished }) => {
    const run = await openShopDay(12);
    onTestFinished(run.close);
    const home = await deskbridgeHome();
    onTestFinished(home.remove);
    const database = await freshDatabase();
    onTestFinished(database.drop);
    const redis = await startRedis();
    onTestFinished(redis.stop);
    const client = new Redis(redis.url);
    onTestFinished(() => client.disconnect());

    const [flushed = 0, ...moments] = momentsOf(12, run.day.steps.length, 4);
    let pendingAtKills = 0;
    const flushes: Promise<unknown>[] = [];
    const watched: ShopDay = {
      ...run,
      play: (urlOf, onAnswer) =>
        run.play(urlOf, (count) => {
          if (count === flushed) flushes.push(client.flushall());
          onAnswer?.(count);
        }),
    };
    const killed = await playWithKills({
      run: watched,
      home,
      moments,
      variables: { DATABASE_URL: database.url, REDIS_URL: redis.url },
      whileDown: async () => {
        pendingAtKills += (await ledgerCounts(database.url)).deliveries.pending;
        await client.flushall();
      },
    });

    expect(await Promise.all(flushes)).toEqual(["OK"]);
    // The kills came while there was work to lose.
    expect(pendingAtKills).toBeGreaterThan(0);
    await expectDoneOnce(run, killed, database.url);
  });
});
