import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { DeskbridgeHome, DeskbridgeProcess } from "../support/deskbridge-process.ts";
import { deskbridgeHome } from "../support/deskbridge-process.ts";
import { freshDatabase } from "../support/postgres.ts";
import type { ShopDay } from "../support/shop-day.ts";
import { embeddedUrl, ledgerCounts, openShopDay, settledCounts } from "../support/shop-day.ts";

/** The demo's configuration with a limit to how long a shutdown may take. */
async function configWithLimit(run: ShopDay, home: DeskbridgeHome, limit: string): Promise<string> {
  const folder = join(home.dataDir, "config");
  await mkdir(folder);
  await copyFile(run.config, join(folder, "shop.yaml"));
  await writeFile(join(folder, "server.yaml"), `server: { shutdown: ${limit} }\n`);
  return folder;
}

/** Resolves with the answers so far when so many requests have been answered; the rest of the day goes on. */
function playUntil(run: ShopDay, urlOf: () => string | Promise<string>, answers: number) {
  const reached = Promise.withResolvers<void>();
  const played = run.play(urlOf, (count) => {
    if (count === answers) reached.resolve();
  });
  return { reached: reached.promise, played };
}

/** Nothing is in the hands of a process that is gone: what is pending could be taken by another at once. */
const quickMs = 20_000;

describe("a process that is asked to stop", () => {
  it("finishes what is under way under load, exits 0 in time, and loses and doubles nothing", async () => {
    const run = await openShopDay(31);
    onTestFinished(run.close);
    const home = await deskbridgeHome();
    onTestFinished(home.remove);
    const database = await freshDatabase();
    onTestFinished(database.drop);
    const start = () =>
      home.start({ config: run.config, variables: { ...run.variables, DATABASE_URL: database.url } });

    const first = await start();
    let current: Promise<DeskbridgeProcess> = Promise.resolve(first);
    const { reached, played } = playUntil(run, async () => (await current).url, 100);
    await reached;
    const stoppedAt = performance.now();
    const end = await first.stop();
    const tookMs = performance.now() - stoppedAt;
    current = start();
    await played;
    const next = await current;

    expect(end).toEqual({ code: 0, signal: null });
    expect(tookMs).toBeLessThan(20_000);
    expect(first.output()).toContain("shut down");
    const counts = await settledCounts(database.url, run.day.expected.accepted, quickMs);
    expect(counts.events).toBe(run.day.expected.accepted);
    expect(counts.deliveries.dead).toBe(0);
    expect(await run.differences(next.url)).toEqual([]);
    expect(run.leaks(first.output() + next.output())).toEqual([]);
  });

  it("is cut off at its limit when the work hangs, still exits 0, and the next one does that work", async () => {
    const run = await openShopDay(32);
    onTestFinished(run.close);
    const home = await deskbridgeHome();
    onTestFinished(home.remove);
    const config = await configWithLimit(run, home, "1s");

    const first = await home.start({ config, variables: run.variables });
    const release = run.shop.holdAnswers();
    await run.play(() => first.url);
    const pending = (await ledgerCounts(await embeddedUrl(home.dataDir))).deliveries.pending;
    const stoppedAt = performance.now();
    const end = await first.stop();

    expect(pending).toBeGreaterThan(0);
    expect(end).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedAt).toBeLessThan(15_000);

    release();
    const next = await home.start({ config, variables: run.variables });
    await settledCounts(await embeddedUrl(home.dataDir), run.day.expected.accepted, quickMs);
    expect(await run.differences(next.url)).toEqual([]);
  });

  it("exits at once when it is asked a second time, and the next one does what was left", async () => {
    const run = await openShopDay(33);
    onTestFinished(run.close);
    const home = await deskbridgeHome();
    onTestFinished(home.remove);

    const first = await home.start({ config: run.config, variables: run.variables });
    const release = run.shop.holdAnswers();
    await run.play(() => first.url);
    first.kill("SIGTERM");
    await first.printed("shutting down");
    const askedAgainAt = performance.now();
    const end = await first.stop();

    expect(end).toEqual({ code: 1, signal: null });
    expect(performance.now() - askedAgainAt).toBeLessThan(3000);

    release();
    const next = await home.start({ config: run.config, variables: run.variables });
    await settledCounts(await embeddedUrl(home.dataDir), run.day.expected.accepted, quickMs);
    expect(await run.differences(next.url)).toEqual([]);
    expect(run.leaks(first.output() + next.output())).toEqual([]);
  });
});
