import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDeskYear, prepareDesk } from "../../bench/desk-year.ts";
import type { DeskYear } from "../../bench/desk-year.ts";
import type { RunAnswer } from "../../src/cli/export-run-text.ts";
import type { ExportStatus } from "../../src/cli/export-status.ts";
import type { CommandResult } from "../support/command.ts";
import { jsonOf, runCommand } from "../support/command.ts";
import { temporaryDataDir } from "../support/data-dir.ts";
import { freshDatabase } from "../support/postgres.ts";

let folder: Awaited<ReturnType<typeof temporaryDataDir>>;
let desk: Awaited<ReturnType<typeof freshDatabase>>;
let warehouse: typeof desk;
let year: DeskYear;
let config: string;

const yaml = (lake: string, url: string): string => `
connections:
  desk: { use: deskbridge }
  shop: { use: shopify, shop: acme.myshopify.com, clientSecret: "\${NOT_SET_ANYWHERE}" }
  lake: { use: parquet, path: "${lake}" }
  broken: { use: postgres, url: "postgres://nobody:hidden@127.0.0.1:1/none" }
  warehouse: { use: postgres, url: "${url}", schema: lake }
exports:
  nightly: { from: desk, datasets: [tickets, messages, contacts], to: lake, schedule: { cron: "15 2 * * *", timezone: America/New_York } }
  private: { from: desk, datasets: [contacts], to: warehouse, personal: { identity: drop, contact: hash, hashKey: a key of sixteen bytes } }
  lost: { from: desk, datasets: [tickets], to: broken }
`;

beforeAll(async () => {
  folder = await temporaryDataDir();
  [desk, warehouse] = [await freshDatabase(), await freshDatabase()];
  await prepareDesk(desk.url);
  year = await openDeskYear({
    databaseUrl: desk.url,
    tickets: 90,
    rounds: 3,
    seed: 3,
    begins: Date.UTC(2026, 0, 1),
  });
  await year.advance();
  config = join(folder.path, "deskbridge.yaml");
  await writeFile(config, yaml(join(folder.path, "lake"), warehouse.url));
});
afterAll(async () => {
  await year.close();
  await desk.drop();
  await warehouse.drop();
  await folder.remove();
});

const exportCommand = (...words: readonly string[]): Promise<CommandResult> => {
  const variables = { DATABASE_URL: desk.url };
  return runCommand(["export", ...words, "--config", config, "--data", folder.path], { variables });
};
const run = async (...words: readonly string[]): Promise<RunAnswer> =>
  jsonOf(await exportCommand("run", ...words, "--json")) as RunAnswer;

async function countOf(table: string): Promise<number> {
  const client = new pg.Client(desk.url);
  await client.connect();
  const { rows } = await client.query<{ count: string }>(`select count(*) from deskbridge_desk.${table}`);
  await client.end();
  return Number(rows[0]?.count);
}

describe("export run", () => {
  it("brings everything over, with no desk running, and finds nothing the second time", async () => {
    const first = await run("nightly");
    expect(first).toMatchObject({ export: "nightly", state: "done", run: 1 });
    expect(first.datasets["tickets"]?.inserted).toBe(await countOf("ticket"));
    expect(first.datasets["messages"]?.inserted).toBe(await countOf("message"));
    expect(first.rows).toBe(Object.values(first.datasets).reduce((sum, { rows }) => sum + rows, 0));
    expect(Date.parse(first.watermark ?? "")).toBeGreaterThan(Date.now() - 600_000);
    expect(await run("nightly")).toMatchObject({ state: "done", rows: 0 });
  });

  it("brings what changed since, and with --dataset only that", async () => {
    await year.advance();
    const some = await run("nightly", "--dataset", "messages");
    expect(Object.keys(some.datasets)).toEqual(["messages"]);
    expect(some.rows).toBeGreaterThan(0);
    const rest = await run("nightly");
    expect(rest.datasets["tickets"]?.rows).toBeGreaterThan(0);
    expect(rest.datasets["messages"]?.rows).toBe(0);
  });

  it("sends some days again, or all of them, and nothing is another", async () => {
    const days = await run("nightly", "--from", "2026-02-01", "--to", "2026-03-31");
    expect(days).toMatchObject({ state: "done" });
    expect(days.datasets["tickets"]).toMatchObject({ inserted: 0, deleted: 0 });
    const all = await run("nightly", "--full");
    expect(all.datasets["tickets"]).toMatchObject({ inserted: 0, deleted: 0 });
    expect(all.datasets["tickets"]?.updated).toBe(await countOf("ticket"));
  });

  it("tells people in a table, and how far it is on stderr", async () => {
    // A run that finds nothing has nothing to tell of on the way.
    expect(await exportCommand("run", "nightly")).toMatchObject({ code: 0, stderr: "" });
    const { code, stdout, stderr } = await exportCommand("run", "nightly", "--full");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^dataset +table +new +changed +deleted +size +time +state$/m);
    expect(stdout).toMatch(/nightly: 3 tables, \d+ rows in .*; done, complete up to \d{4}-/);
    expect(stderr).toMatch(/^tickets: 100 %, \d+ rows, /m);
  });

  it.each([
    [["nigthly"], 1, "export_unknown: there is no export nigthly"],
    [["nightly", "--from", "yesterday"], 2, "Give a day such as 2026-11-22."],
    [["nightly", "--from", "2026-02-30"], 2, "Give a day such as 2026-11-22."],
    [["nightly", "--from", "2026-03-02", "--to", "2026-03-01"], 2, "--to is before --from"],
    [["nightly", "--from", "2999-01-01"], 2, "--from is after today"],
    [["nightly", "--to", "2026-03-01"], 2, "--to goes with --from"],
    [["nightly", "--full", "--from", "2026-03-01"], 2, "--full takes no --from"],
    [["nightly", "--dataset", "orders"], 2, "has no dataset orders; it has tickets, messages, contacts"],
    [["nightly", "--dataset", "message"], 2, "Did you mean `messages`?"],
  ])("refuses %j", async (words, expected, message) => {
    const { code, stdout, stderr } = await exportCommand("run", ...words);
    expect(code).toBe(expected);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
  });

  it.each([
    [["run", "nigthly"], 1, "export_unknown", "Did you mean `nightly`?"],
    [["verify", "nigthly"], 1, "export_unknown", "Did you mean `nightly`?"],
    [["status", "nigthly"], 1, "export_unknown", "Did you mean `nightly`?"],
    [["preview", "contacts", "--export", "nigthly"], 1, "export_unknown", "Did you mean `nightly`?"],
    [["preview", "contacts", "--from", "dsek"], 1, "connection_unknown", "Did you mean `desk`?"],
    [["preview", "contcts"], 2, "command_invalid", "Did you mean `contacts`?"],
    [["run", "nightly", "--to", "2026-03-01"], 2, "command_invalid", "--to goes with --from"],
    [["run"], 2, "command_invalid", "missing required argument 'name'"],
    [["run", "nightly", "--ful"], 2, "command_invalid", "unknown option '--ful'"],
  ])("tells a program what is wrong with %j", async (words, expected, code, message) => {
    const result = await exportCommand(...words, "--json");
    expect(result.code).toBe(expected);
    expect(jsonOf(result)).toEqual({
      error: {
        code,
        message: expect.stringContaining(message) as string,
        remedy: expect.stringMatching(/\.$/) as string,
      },
    });
    expect(result.stderr).toContain(message);
  });

  it("needs no secret of a connection that has no part in it, and names those that are missing of one that has", async () => {
    const other = join(folder.path, "missing.yaml");
    await writeFile(other, yaml(join(folder.path, "lake"), "${WAREHOUSE_URL}"));
    const { code, stderr } = await runCommand(
      ["export", "run", "private", "--config", other, "--data", folder.path],
      { variables: { DATABASE_URL: desk.url } },
    );
    expect(code).toBe(1);
    expect(stderr).toContain("connections.warehouse.url — the environment variable WAREHOUSE_URL is not set");
  });

  it("is busy while another process runs the same export", async () => {
    const client = new pg.Client(desk.url);
    await client.connect();
    // A run that its first batch holds up: the table of the source is locked.
    await client.query("begin; lock table deskbridge_desk.contact in access exclusive mode");
    const first = exportCommand("run", "private", "--json");
    try {
      await expect.poll(async () => (await statusOf("private")).state, { timeout: 60_000 }).toBe("running");
      const second = await exportCommand("run", "private");
      expect(second.code).toBe(1);
      expect(second.stderr).toContain("export_busy");
    } finally {
      await client.query("rollback");
      await client.end();
    }
    expect((await first).code).toBe(0);
  });
});

async function statusOf(name: string): Promise<ExportStatus> {
  return jsonOf(await exportCommand("status", name, "--json")) as ExportStatus;
}

describe("export list and status", () => {
  it("list every export with its way, its schedule and its next run", async () => {
    const { code, stdout } = await runCommand(["export", "list", "--config", config]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^nightly +desk ▶ lake +15 2 \* \* \* \(America\/New_York\) +\d{4}-\d\d-\d\dT0[67]:15:00/m,
    );
    expect(stdout).toMatch(/^private +desk ▶ warehouse +by hand +- +contacts$/m);
  });

  it("tell how far an export is, and its runs", async () => {
    const status = await statusOf("nightly");
    expect(status).toMatchObject({ configured: true, state: "done" });
    expect(status.lagSeconds).toBeLessThan(600);
    expect(status.tables.map(({ table }) => table).toSorted()).toEqual(["contacts", "messages", "tickets"]);
    expect(status.runs.map(({ mode }) => mode.kind)).toEqual(
      expect.arrayContaining(["incremental", "days", "full"]),
    );
    const { code, stdout } = await exportCommand("status", "nightly");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^nightly +done +/m);
    expect(stdout).toMatch(/2026-02-01 up to 2026-04-01/);
    expect((await exportCommand("status", "nigthly")).stderr).toContain("export_unknown");
  });
});

describe("export verify", () => {
  const verify = (...words: readonly string[]): Promise<CommandResult> =>
    exportCommand("verify", "nightly", ...words);

  it("finds both sides the same after a run, and different when the desk has moved on", async () => {
    expect((await verify("--run-first")).code).toBe(0);
    await year.advance();
    const moved = await verify();
    expect(moved.code).toBe(1);
    expect(moved.stdout).toContain("--run-first runs it before comparing");
    expect((await verify("--run-first")).code).toBe(0);
  });

  it("finds a day whose rows somebody took away, and brings them back with --repair", async () => {
    const lake = join(folder.path, "lake/messages");
    const days = (await readdir(lake)).filter((name) => name.startsWith("day=")).toSorted();
    const gone = days.at(3) ?? "";
    await rm(join(lake, gone), { recursive: true });
    await mkdir(join(lake, gone));
    const day = gone.slice("day=".length);

    const found = await verify("--json");
    expect(found.code).toBe(1);
    const { tables } = jsonOf(found) as {
      readonly tables: readonly {
        readonly table: string;
        readonly differences: readonly { readonly day: string }[];
      }[];
    };
    expect(tables.flatMap(({ table, differences }) => differences.map((one) => [table, one.day]))).toEqual([
      ["messages", day],
    ]);
    // Other days are none of that.
    expect((await verify("--from", "2026-12-01", "--to", "2026-12-31")).code).toBe(0);

    const repaired = await verify("--repair");
    expect(repaired.code).toBe(0);
    expect(repaired.stdout).toContain("nightly: both sides are the same now");
    expect(repaired.stderr).toContain(`sending ${day} up to `);
    // Nothing is sent of a table that is the same.
    const [last] = (await statusOf("nightly")).runs;
    expect(last?.tables.map(({ table, rowsRead }) => [table, rowsRead > 0])).toEqual([["messages", true]]);
    expect((await verify()).code).toBe(0);
  });
});

describe("doctor", () => {
  it("looks at the connections of exports, each by itself", async () => {
    const other = join(folder.path, "doctor.yaml");
    const connections = {
      desk: { use: "deskbridge" },
      lake: { use: "parquet", path: join(folder.path, "new") },
    };
    const exports = { nightly: { from: "desk", datasets: ["tickets"], to: "lake" } };
    await writeFile(other, JSON.stringify({ connections, exports }));
    const { stdout } = await runCommand(["doctor", "--config", other, "--data", folder.path], {
      variables: { DATABASE_URL: desk.url, DESKBRIDGE_URL: "http://127.0.0.1:1" },
    });
    expect(stdout).toContain("✓ connection desk: ");
    expect(stdout).toContain("✓ connection lake: folder: ");
    expect(stdout).not.toContain("✗");
  });
});

describe("export preview", () => {
  it("shows rows as they are, and as an export would write them", async () => {
    const plain = jsonOf(await exportCommand("preview", "contacts", "--limit", "3", "--json")) as {
      readonly rows: readonly Record<string, unknown>[];
    };
    expect(plain.rows).toHaveLength(3);
    expect(plain.rows[0]?.["email"]).toMatch(/@example\.com$/);
    const hidden = jsonOf(
      await exportCommand("preview", "contacts", "--export", "private", "--json"),
    ) as typeof plain;
    expect(Object.keys(hidden.rows[0] ?? {})).not.toContain("name");
    expect(hidden.rows[0]?.["email"]).toMatch(/^[0-9a-f]{64}$/);
  });

  it("lists the values of a row where it is too wide for a table", async () => {
    const { code, stdout } = await exportCommand("preview", "tickets", "--limit", "1");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^row 1\n {2}id +tkt_(\d+)\n {2}number +\1$/m);
  });

  it("refuses a dataset that there is not, and a connection that gives none", async () => {
    expect((await exportCommand("preview", "tocikets")).code).toBe(2);
    expect((await exportCommand("preview", "tickets", "--from", "nowhere")).stderr).toContain(
      "connection_unknown",
    );
    expect((await exportCommand("preview", "tickets", "--from", "lake")).stderr).toContain(
      "capability_missing",
    );
  });
});
