import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import { openEmbeddedPostgres } from "../../src/ledger/embedded.ts";
import { temporaryDataDir } from "../support/data-dir.ts";
import { freshDatabase } from "../support/postgres.ts";

const settings = { fsync: "off" };
const owner = join(import.meta.dirname, "../support/embedded-owner.ts");

let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>;
beforeEach(async () => {
  dataDir = await temporaryDataDir();
});
afterEach(() => dataDir.remove());

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Opens the data directory in another process and returns when the server answers there. */
async function openElsewhere(): Promise<{ pid: number; kill: () => Promise<void> }> {
  const child = spawn(process.execPath, [owner, dataDir.path], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return {
    pid: Number(line.toString()),
    kill: async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

describe("embedded PostgreSQL", () => {
  it("keeps its data over a restart and sorts text by code point in UTF-8", async () => {
    const first = await openEmbeddedPostgres({ dataDir: dataDir.path, settings });
    await query(first.url, "CREATE TABLE kept AS SELECT 'čau' AS word");
    await first.close();
    await expect(query(first.url, "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });

    const second = await openEmbeddedPostgres({ dataDir: dataDir.path, settings });
    expect(await query(second.url, "SELECT word FROM kept")).toEqual([{ word: "čau" }]);
    const facts = await query(
      second.url,
      "SELECT pg_encoding_to_char(encoding) AS encoding, datlocale FROM pg_database WHERE datname = current_database()",
    );
    expect(facts).toEqual([{ encoding: "UTF8", datlocale: "C.UTF-8" }]);
    await second.close();
  });

  it("refuses a wrong password and keeps its own readable by the owner alone", async () => {
    const server = await openEmbeddedPostgres({ dataDir: dataDir.path, settings });
    const wrong = new URL(server.url);
    wrong.password = "wrong";
    await expect(query(wrong.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
    const file = join(dataDir.path, "postgres-password");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(dataDir.path, "postgres.log"), "utf8")).not.toContain(
      readFileSync(file, "utf8"),
    );
    await server.close();
  });

  it("refuses a data directory that another process or this one has open", async () => {
    const other = await openElsewhere();
    const refused = openEmbeddedPostgres({ dataDir: dataDir.path, settings });
    await expect(refused).rejects.toBeInstanceOf(AppError);
    await expect(refused).rejects.toMatchObject({ code: "data_dir_in_use" });
    await other.kill();
    const ours = await openEmbeddedPostgres({ dataDir: dataDir.path, settings });
    await expect(openEmbeddedPostgres({ dataDir: dataDir.path })).rejects.toMatchObject({
      code: "data_dir_in_use",
    });
    expect(await query(ours.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await ours.close();
  });

  it("adopts the server of an owner that was killed, and stops it when it is closed", async () => {
    const other = await openElsewhere();
    await other.kill();
    const adopted = await openEmbeddedPostgres({ dataDir: dataDir.path, settings });
    expect(adopted.pid).toBe(other.pid);
    await adopted.close();
    await expect(query(adopted.url, "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("replaces a left server that does not answer", async () => {
    const other = await openElsewhere();
    await other.kill();
    process.kill(other.pid, "SIGSTOP");
    const fresh = await openEmbeddedPostgres({ dataDir: dataDir.path, settings });
    expect(fresh.pid).not.toBe(other.pid);
    expect(await query(fresh.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await fresh.close();
  });

  it("starts its server again on the same port when that was killed", async () => {
    const server = await openEmbeddedPostgres({ dataDir: dataDir.path, settings });
    const { pid } = server;
    await query(server.url, "CREATE TABLE kept AS SELECT 1 AS one");
    process.kill(pid, "SIGKILL");
    await expect.poll(() => server.pid, { timeout: 20_000 }).not.toBe(pid);
    expect(await query(server.url, "SELECT one FROM kept")).toEqual([{ one: 1 }]);
    await server.close();
    await expect(query(server.url, "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("starts over the pid file of a server that is gone, also when another program has that pid now", async () => {
    const first = await openEmbeddedPostgres({ dataDir: dataDir.path, settings });
    const [row] = (await query(first.url, "SHOW data_directory")) as [{ data_directory: string }];
    await first.close();
    const pidFile = join(row.data_directory, "postmaster.pid");
    const left = (pid: number) => `${pid}\n${row.data_directory}\n1700000000\n5\n\n127.0.0.1\n\nready   \n`;
    for (const pid of [first.pid, process.pid]) {
      writeFileSync(pidFile, left(pid));
      const again = await openEmbeddedPostgres({ dataDir: dataDir.path, settings });
      expect(await query(again.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
      await again.close();
    }
  });

  it("gives each test file a database of its own", async () => {
    const [one, two] = await Promise.all([freshDatabase(), freshDatabase()]);
    await query(one.url, "CREATE TABLE here (id int)");
    await expect(query(two.url, "SELECT * FROM here")).rejects.toMatchObject({ code: "42P01" });
    await Promise.all([one.drop(), two.drop()]);
    await expect(query(one.url, "SELECT 1")).rejects.toMatchObject({ code: "3D000" });
  });
});
