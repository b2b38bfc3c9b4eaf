import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { openDeskYear, prepareDesk } from "../../bench/desk-year.ts";
import type { ExportStatus } from "../../src/cli/export-status.ts";
import type { RunAnswer } from "../../src/cli/export-run-text.ts";
import { exportPointNames } from "../../src/telemetry/crash-point.ts";
import { temporaryDataDir } from "../support/data-dir.ts";
import { deskbridgeHome } from "../support/deskbridge-process.ts";
import type { ExportEnd, ExportLimits, ExportProcess } from "../support/export-process.ts";
import { startExport } from "../support/export-process.ts";
import { createBucketCopy } from "../support/bucket-copy.ts";
import { openFailingProxy } from "../support/failing-proxy.ts";
import { freshDatabase } from "../support/postgres.ts";
import { readPublished } from "../support/published-files.ts";
import { openS3Server } from "../support/s3-server.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";

let folder: Awaited<ReturnType<typeof temporaryDataDir>>;
let desk: Awaited<ReturnType<typeof freshDatabase>>;

beforeAll(async () => {
  folder = await temporaryDataDir();
  desk = await freshDatabase();
  await prepareDesk(desk.url);
  const year = await openDeskYear({
    databaseUrl: desk.url,
    tickets: 400,
    rounds: 1,
    seed: 5,
    begins: Date.UTC(2025, 5, 1),
  });
  await year.advance();
  await year.close();
});
afterAll(async () => {
  await desk.drop();
  await folder.remove();
});

interface Stand {
  readonly start: (
    words: readonly string[],
    variables?: Readonly<Record<string, string>>,
    limits?: ExportLimits,
  ) => ExportProcess;
  readonly run: (words: readonly string[]) => Promise<ExportEnd>;
  readonly status: () => Promise<ExportStatus>;
  readonly config: string;
}

let stands = 0;

/** A configuration with one export, of its own name, to a sink that is given. */
async function standTo(sink: object, more: object = {}): Promise<Stand> {
  stands += 1;
  const name = `export-${stands}`;
  const config = join(folder.path, `${name}.yaml`);
  const datasets = ["tickets", "messages"];
  const text = {
    connections: { desk: { use: "deskbridge" }, sink },
    exports: { [name]: { from: "desk", datasets, to: "sink", chunk: 300, ...more } },
  };
  await writeFile(config, JSON.stringify(text));
  const start: Stand["start"] = ([verb = "", ...words], variables = {}, limits = {}) =>
    startExport(
      [verb, name, ...words, "--config", config, "--data", folder.path],
      { DATABASE_URL: desk.url, ...variables },
      limits,
    );
  return {
    config,
    start,
    run: (words) => start(words).ended,
    status: async () => JSON.parse((await start(["status", "--json"]).ended).stdout) as ExportStatus,
  };
}

function answerOf({ stdout }: ExportEnd): RunAnswer {
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as RunAnswer;
}

const lake = (name: string) => ({ use: "parquet", path: join(folder.path, "lake", name) });

async function query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

describe("an export whose process is killed", () => {
  it.each(exportPointNames)(
    "at %s leaves nothing half done, says so, and goes on with the next run",
    async (point) => {
      const stand = await standTo(lake(point));
      const crash = { NODE_ENV: "test", DESKBRIDGE_CRASH_AT: `${point}@2` };
      const { signal } = await stand.start(["run"], crash).ended;
      expect(signal).toBe("SIGKILL");
      expect(await stand.status()).toMatchObject({ state: "aborted", watermark: null });

      const again = await stand.run(["run", "--json"]);
      expect(answerOf(again)).toMatchObject({ state: "done" });
      expect((await stand.run(["verify"])).code).toBe(0);
      expect((await stand.status()).state).toBe("done");
      const left = (await readdir(join(folder.path, "lake", point), { recursive: true })).filter(
        (path) => /\.[a-z]+$/.test(path) && !/(data\.parquet|_manifest\.json)$/.test(path),
      );
      expect(left).toEqual([]);
    },
  );
});

describe("two processes that start the same export", () => {
  it("do not both run it, and what comes of it is right", async () => {
    const stand = await standTo(lake("two"));
    const ends = await Promise.all([stand.run(["run", "--json"]), stand.run(["run", "--json"])]);
    const states = ends.map((end) => (end.code === 0 ? answerOf(end).state : end.stderr.split(":")[0]));
    // The second one may come when the first is over, and finds nothing to do then.
    expect(states).toContain("done");
    expect(states.filter((state) => state !== "done" && state !== "export_busy")).toEqual([]);
    expect((await stand.run(["verify"])).code).toBe(0);
  });
});

describe("an export that is stopped", () => {
  it("by Ctrl-C ends in order with what was published kept", async () => {
    const stand = await standTo(lake("stopped"));
    // Standing still at its second commit, it hears of the Ctrl-C when it goes on.
    const process = stand.start(["run", "--json"], {
      NODE_ENV: "test",
      DESKBRIDGE_CRASH_AT: "export.staged@2:stop",
    });
    await process.noted("crash point export.staged");
    process.kill("SIGINT");
    // It says that it is going to stand still before it does.
    const wake = setInterval(() => process.kill("SIGCONT"), 100);
    const end = await process.ended;
    clearInterval(wake);
    expect(end.code).toBe(1);
    expect(answerOf(end).state).toBe("aborted");
    expect((await stand.status()).state).toBe("aborted");
    expect(answerOf(await stand.run(["run", "--json"])).state).toBe("done");
    expect((await stand.run(["verify"])).code).toBe(0);
  });
});

describe("a warehouse", () => {
  async function warehouse(): Promise<string> {
    const database = await freshDatabase();
    onTestFinished(database.drop);
    return database.url;
  }

  it("that is away is waited for, and gets everything when it is back", async () => {
    const proxy = await openTcpProxy(await warehouse());
    onTestFinished(proxy.close);
    await proxy.cut();
    const stand = await standTo({ use: "postgres", url: proxy.url, schema: "lake" });
    const process = stand.start(["run", "--json"]);
    await process.noted("export is tried again");
    await proxy.restore();
    const end = await process.ended;
    expect(answerOf(end)).toMatchObject({ state: "done" });
    expect((await stand.run(["verify"])).code).toBe(0);
  });

  it("with a table of somebody else's is left alone, and the other table is filled", async () => {
    const url = await warehouse();
    await query(
      url,
      "create schema lake; create table lake.tickets (id text, mine text); insert into lake.tickets values ('a', 'b')",
    );
    const stand = await standTo({ use: "postgres", url, schema: "lake" });
    const end = await stand.run(["run", "--json"]);
    expect(end.code).toBe(1);
    expect(answerOf(end)).toMatchObject({
      state: "failed",
      code: "sink_table_foreign",
      datasets: { tickets: { state: "failed", rows: 0 }, messages: { state: "done" } },
    });
    expect(await query(url, "select * from lake.tickets")).toEqual([{ id: "a", mine: "b" }]);
    const told = await stand.run(["status"]);
    expect(told.code).toBe(1);
    expect(told.stdout).toContain("sink_table_foreign");
  });

  it("whose columns somebody changed gets them back, or says what is wrong", async () => {
    const url = await warehouse();
    const stand = await standTo({ use: "postgres", url, schema: "lake" });
    expect((await stand.run(["run"])).code).toBe(0);

    await query(
      url,
      "alter table lake.messages add column mine text; alter table lake.tickets drop column subject",
    );
    expect(answerOf(await stand.run(["run", "--json"]))).toMatchObject({ state: "done" });
    expect((await stand.run(["verify"])).code).toBe(0);

    await query(url, "alter table lake.tickets alter column csat_score type text");
    const retyped = await stand.run(["run", "--json"]);
    expect(answerOf(retyped)).toMatchObject({
      state: "failed",
      code: "sink_schema_changed",
      datasets: { messages: { state: "done" } },
    });
    expect((await stand.status()).runs[0]).toMatchObject({ state: "failed", code: "sink_schema_changed" });
    await query(url, "alter table lake.tickets alter column csat_score type bigint using csat_score::bigint");
    expect((await stand.run(["run"])).code).toBe(0);
    expect((await stand.run(["verify"])).code).toBe(0);
  });

  it("at a path that cannot be written is said at once, and what is there stays as it is", async () => {
    const file = join(folder.path, "a-file");
    await writeFile(file, "mine");
    const stand = await standTo({ use: "parquet", path: join(file, "lake") });
    const end = await stand.run(["run", "--json"]);
    expect(end.code).toBe(1);
    expect(answerOf(end)).toMatchObject({ state: "failed", rows: 0, code: "sink_path_blocked" });
    expect((await stand.status()).runs[0]).toMatchObject({ state: "failed", code: "sink_path_blocked" });
    expect(await readFile(file, "utf8")).toBe("mine");
  });
});

/** What `export status` says of the tables of the run that is under way. */
async function waitingFor(stand: Stand): Promise<readonly unknown[]> {
  const { state, runs } = await stand.status();
  expect(state).toBe("running");
  return (runs[0]?.tables ?? []).map(({ table, state: of, code }) => [table, of, code]);
}

describe("a disk that gets full in the middle of a run", () => {
  it("is told by the status, leaves no file half written, and the next run goes on where that one stopped", async () => {
    const stand = await standTo(lake("full"));
    // Enough for what is staged of the tickets, and not for the messages.
    const process = stand.start(["run", "--json"], {}, { fileKilobytes: 270 });
    await process.noted("export is tried again");
    expect(await waitingFor(stand)).toEqual([
      ["messages", "running", "sink_full"],
      ["tickets", "done", null],
    ]);
    const { half, whole } = await readPublished(join(folder.path, "lake", "full"));
    expect([half, whole > 0]).toEqual([[], true]);
    process.kill("SIGINT");
    const end = await process.ended;
    expect([end.code, answerOf(end).state]).toEqual([1, "aborted"]);
    expect((await stand.status()).state).toBe("aborted");

    const again = answerOf(await stand.run(["run", "--json"]));
    expect(again).toMatchObject({ state: "done", datasets: { tickets: { rows: 0 } } });
    expect((await stand.run(["verify"])).code).toBe(0);
    expect((await readPublished(join(folder.path, "lake", "full"))).half).toEqual([]);
  });
});

describe("a bucket whose server begins to answer 500 in the middle of a run", () => {
  it.each([30, 70])(
    "after %i calls leaves no file half written, and gets everything when it answers again",
    async (calls) => {
      const server = await openS3Server();
      onTestFinished(server.close);
      const proxy = await openFailingProxy(server.bucket.endpoint ?? "");
      onTestFinished(proxy.close);
      const s3 = { ...server.bucket, endpoint: proxy.url, prefix: "warehouse/" };
      const copy = createBucketCopy({ ...server.bucket, prefix: "warehouse/" });
      onTestFinished(copy.close);
      const stand = await standTo(
        { use: "parquet", s3 },
        { datasets: [{ name: "tickets", where: 'row.created_at < "2025-07"' }] },
      );
      proxy.failAfter(calls);
      const process = stand.start(["run", "--json"]);
      await process.noted("export is tried again");
      expect(await waitingFor(stand)).toContainEqual([expect.any(String), "running", "target_unavailable"]);
      expect((await readPublished(await copy.fetch())).half).toEqual([]);
      proxy.failAfter(Infinity);
      expect(answerOf(await process.ended)).toMatchObject({ state: "done" });
      expect((await stand.run(["verify"])).code).toBe(0);
      expect((await readPublished(await copy.fetch())).half).toEqual([]);
    },
  );
});

describe("an export with a schedule", () => {
  it("runs by itself while deskbridge is up, and by hand beside it", async () => {
    const stand = await standTo(lake("by-the-clock"), {
      schedule: { cron: "*/2 * * * * *", timezone: "UTC" },
    });
    const home = await deskbridgeHome();
    onTestFinished(home.remove);
    await home.start({ config: stand.config, variables: { DATABASE_URL: desk.url } });
    await expect
      .poll(
        async () =>
          (await stand.status()).runs.filter(
            ({ trigger, state }) => trigger === "schedule" && state === "done",
          ).length,
        { timeout: 120_000 },
      )
      .toBeGreaterThanOrEqual(2);
    const end = await stand.run(["run", "--json"]);
    // A tick may have it at that moment.
    expect(end.code === 0 ? answerOf(end).state : end.stderr).toMatch(/^done$|^export_busy: /);
    expect((await stand.run(["verify"])).code).toBe(0);
  });
});
