import { describe, expect, it, onTestFinished } from "vitest";
import type { DeskbridgeProcess } from "../support/deskbridge-process.ts";
import { deskbridgeHome } from "../support/deskbridge-process.ts";
import { freshDatabase } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";
import { openShopDay, settledCounts } from "../support/shop-day.ts";

/** The deliveries that a process has finished, by its log. */
function finished(process: DeskbridgeProcess): readonly number[] {
  const lines = process.output().split("\n");
  return lines
    .filter((line) => line.includes('"delivery over"'))
    .map((line) => (JSON.parse(line) as { readonly delivery: number }).delivery);
}

describe("one process that serves and two that work, on one database and one Redis", () => {
  it("share a day between them, each event done once, and keep its secrets to themselves", async () => {
    const run = await openShopDay(41);
    onTestFinished(run.close);
    const home = await deskbridgeHome();
    onTestFinished(home.remove);
    const database = await freshDatabase();
    onTestFinished(database.drop);
    const redis = await startRedis();
    onTestFinished(redis.stop);
    const { config } = run;
    const variables = { ...run.variables, DATABASE_URL: database.url, REDIS_URL: redis.url };

    const server = await home.start({ verb: "serve", config, variables });
    const workVariables = { ...variables, DESKBRIDGE_URL: server.url };
    const workers = await Promise.all([
      home.start({ verb: "work", config, variables: workVariables }),
      home.start({ verb: "work", config, variables: workVariables }),
    ]);
    await run.play(() => server.url);
    const counts = await settledCounts(database.url, run.day.expected.accepted, 60_000);

    expect(counts.events).toBe(run.day.expected.accepted);
    expect(await run.differences(server.url)).toEqual([]);
    const shares = workers.map(finished);
    for (const share of shares) expect(share.length).toBeGreaterThan(10);
    const all = shares.flat();
    expect(new Set(all).size).toBe(all.length);
    expect(all).toHaveLength(counts.deliveries.done + counts.deliveries.skipped);
    expect(finished(server)).toEqual([]);

    const ends = await Promise.all([server, ...workers].map((process) => process.stop()));
    expect(ends.map((end) => end.code)).toEqual([0, 0, 0]);
    const output = [server, ...workers].map((process) => process.output()).join("\n");
    expect(run.leaks(output)).toEqual([]);
    const password = new URL(database.url).password;
    expect(password).not.toBe("");
    expect(output).not.toContain(password);
  });
});
