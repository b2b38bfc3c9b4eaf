import { execFile } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createDay } from "../../demo/day/day.ts";
import { impliedTally } from "../../demo/report/tally.ts";
import { temporaryDataDir } from "../support/data-dir.ts";
import type { DemoProcess } from "../support/demo-process.ts";
import { startDemo } from "../support/demo-process.ts";
import { freshDatabase } from "../support/postgres.ts";
import { startRedis } from "../support/redis.ts";

const dayStart = Date.parse("2026-11-21T00:00:00Z");
const lastLine = ({ stdout }: DemoProcess): unknown =>
  JSON.parse(stdout().trimEnd().split("\n").at(-1) ?? "");

let temporary: Awaited<ReturnType<typeof temporaryDataDir>>;
let elsewhere: typeof temporary;
/** Where the demo is started: a folder with data of somebody's own. */
let home: string;
beforeEach(async () => {
  [temporary, elsewhere] = [await temporaryDataDir(), await temporaryDataDir()];
  home = elsewhere.path;
  await mkdir(join(home, "data"));
  await writeFile(join(home, "data", "mine"), "");
});
afterEach(async () => {
  expect(await readdir(join(home, "data"))).toEqual(["mine"]);
  await temporary.remove();
  await elsewhere.remove();
});

/** What a demo left behind in the place for temporary files. */
const left = (): Promise<string[]> => readdir(temporary.path);
const demo = (
  words: readonly string[],
  variables: Readonly<Record<string, string>> = {},
  cwd = home,
): DemoProcess => startDemo(words, { TMPDIR: temporary.path, ...variables }, cwd);

async function countRows(files: string): Promise<number> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const text = `select count(*)::integer as rows from read_parquet('${files}')`;
    return Number((await connection.runAndReadAll(text)).getRowObjects()[0]?.["rows"]);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

describe("the demo", () => {
  it("ends 0 with the figures that its day implies as its last line, and leaves nothing behind", async () => {
    const { day, process } = { day: createDay(1, dayStart), process: demo(["--once", "--json"]) };

    expect(await process.ended).toBe(0);
    expect(lastLine(process)).toEqual({
      ...impliedTally(day.expected),
      exported: expect.any(Number) as number,
      seconds: expect.any(Number) as number,
    });
    expect(process.stdout()).toMatch(/^REASON +TICKETS +ANSWERED +SOLVED +MEDIAN FIRST REPLY$/m);
    expect(process.stdout()).toMatch(/^parcel did not arrive +█+/m);
    expect(await left()).toEqual([]);
  });

  it("leaves its data where the command line looks for them, if nobody else has any there; they can be exported and read", async () => {
    const folder = await temporaryDataDir();
    onTestFinished(folder.remove);
    const process = demo(["--once", "--json"], {}, folder.path);
    expect(await process.ended).toBe(0);
    const { ticketsOpened } = lastLine(process) as { readonly ticketsOpened: number };

    const root = resolve(import.meta.dirname, "../..");
    const config = join(root, "config/deskbridge.yaml");
    const words = [join(root, "src/main.ts"), "export", "run", "nightly", "--json", "--config", config];
    const run = async (): Promise<unknown> => {
      const { stdout } = await promisify(execFile)(globalThis.process.execPath, words, { cwd: folder.path });
      return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    };
    expect(await run()).toMatchObject({
      state: "done",
      datasets: { tickets: { inserted: ticketsOpened }, messages: { deleted: 0 } },
      watermark: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
    });
    expect(await run()).toMatchObject({ state: "done", rows: 0 });
    const files = join(folder.path, "data/warehouse/tickets/**/*.parquet");
    expect(await countRows(files)).toBe(ticketsOpened);
    // Another day comes to the first one.
    expect(await demo(["--once"], {}, folder.path).ended).toBe(0);
    expect(await left()).toEqual([]);
  });

  it("shows a line for each ticket, and no address and no full name", async () => {
    const { expected, orders } = createDay(5, dayStart);
    const process = demo(["--once", "--seed", "5"]);

    expect(await process.ended).toBe(0);
    const output = process.stdout() + process.stderr();
    expect(process.stdout().match(/^ *\d+ {2}#\d{4} {2}/gm)).toHaveLength(expected.tickets.length);
    expect(process.stdout()).toContain("All of it is what the day implies.");
    for (const { customer } of orders) {
      expect(output).not.toContain(customer.email);
      expect(output).not.toContain(`${customer.firstName} ${customer.lastName}`);
    }
  });

  it("plays another day into a database that has seen one, and refuses the same one again", async () => {
    const database = await freshDatabase();
    onTestFinished(database.drop);
    const redis = await startRedis();
    onTestFinished(redis.stop);
    const variables = { DATABASE_URL: database.url, REDIS_URL: redis.url };

    for (const seed of [1, 2]) {
      const process = demo(["--once", "--json"], variables);
      expect(await process.ended).toBe(0);
      expect(lastLine(process)).toMatchObject(impliedTally(createDay(seed, dayStart).expected));
    }
    const again = demo(["--once", "--seed", "2"], variables);
    expect(await again.ended).toBe(1);
    expect(again.stderr()).toContain("this database has seen the day of seed 2");
    expect(await left()).toEqual([]);
  });

  it("stays up with its addresses until it is interrupted, then ends 0 and cleans up", async () => {
    const process = demo([]);
    await process.printed("Ctrl-C ends it.");
    const command = /curl -H "Authorization: Bearer \$\(cat (\S+)\)" (\S+)\/v1\/tickets/.exec(
      process.stdout(),
    );
    const [, keyFile = "", url = ""] = command ?? [];
    expect(keyFile.startsWith(temporary.path)).toBe(true);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await fetch(`${url}/v1/tickets`)).status).toBe(401);

    process.kill("SIGINT");
    expect(await process.ended).toBe(0);
    expect(await left()).toEqual([]);
  });

  it("cleans up when it is interrupted on the way, and when it cannot start", async () => {
    const interrupted = demo(["--once"]);
    while ((await left()).length === 0) await new Promise((later) => setTimeout(later, 20));
    interrupted.kill("SIGTERM");
    expect(await interrupted.ended).toBe(130);
    expect(await left()).toEqual([]);

    const failed = demo(["--once"], { DATABASE_URL: "postgres://nobody:hidden@127.0.0.1:1/none" });
    expect(await failed.ended).toBe(1);
    expect(failed.stderr()).toContain("ledger_unavailable");
    expect(failed.stderr()).not.toContain("hidden");
    expect(await left()).toEqual([]);
  });

  it("tells its options, and refuses those that it does not have", async () => {
    const help = demo(["--help"]);
    expect(await help.ended).toBe(0);
    for (const option of ["--once", "--json", "--seed", "--data", "--port"]) {
      expect(help.stdout()).toContain(option);
    }
    expect(await demo(["--twice"]).ended).toBe(2);
    expect(await demo(["--seed", "x"]).ended).toBe(2);
  });
});
