import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Pool } from "pg";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { migrate } from "../../src/ledger/migrate.ts";
import { openPool } from "../../src/ledger/pool.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { emptyDatabase } from "../support/postgres.ts";

const schema = "odd-Name";
let database: FreshDatabase;
let pool: Pool;
let folder: string;
const faults: Error[] = [];

beforeEach(async () => {
  database = await emptyDatabase();
  faults.length = 0;
  pool = openPool(database.url, {
    max: 6,
    applicationName: "migrate-test",
    options: "-c lock_timeout=50",
    onError: (error) => void faults.push(error),
  });
  folder = await mkdtemp(join(tmpdir(), "migrate-"));
  await write("0001_first.sql", "create table first (id bigint);\ninsert into first values (1);");
  await write("0002_second.sql", "create table second as select id + 1 as id from first;");
});

afterEach(async () => {
  await pool.end();
  await database.drop();
  await rm(folder, { recursive: true });
});

const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
const run = (directory = folder): Promise<void> =>
  migrate(pool, { schema, directory: pathToFileURL(`${directory}/`) });

async function applied(): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select name from "${schema}".migration order by number`,
  );
  return rows.map(({ name }) => name);
}

describe("migrations", () => {
  it("are applied once, in their order, in a schema of their own", async () => {
    await run();
    await run();
    const { rows } = await pool.query(`select id from "${schema}".second`);
    expect([rows, await applied()]).toEqual([[{ id: 2 }], ["0001_first", "0002_second"]]);
  });

  it("are applied once by any number of processes that start at once, however long that takes", async () => {
    await write("0003_slow.sql", "select pg_sleep(0.3); insert into first values (3);");
    await Promise.all(Array.from({ length: 6 }, () => run()));
    const { rows } = await pool.query(`select count(*) as rows from "${schema}".first`);
    expect([rows, (await applied()).length]).toEqual([[{ rows: 2 }], 3]);
  });

  it("that fail leave nothing behind and hold nobody up", async () => {
    await write("0003_broken.sql", "create table third (id int); select 1 / 0;");
    await expect(run()).rejects.toMatchObject({ code: "22012" });
    expect(await applied()).toEqual(["0001_first", "0002_second"]);
    await write("0003_broken.sql", "create table third (id int);");
    await run();
    expect(await applied()).toHaveLength(3);
  });

  it("of a newer version are refused, and nothing is changed", async () => {
    const newer = await mkdtemp(join(tmpdir(), "migrate-"));
    await cp(folder, newer, { recursive: true });
    await writeFile(join(newer, "0003_new.sql"), "create table third (id int);");
    await run(newer);
    await rm(newer, { recursive: true });
    await expect(run()).rejects.toMatchObject({ code: "ledger_schema_newer" });
    expect(await applied()).toHaveLength(3);
  });

  it("that were changed after they were applied are refused, line ends apart", async () => {
    await run();
    await write("0001_first.sql", "create table first (id bigint);\r\ninsert into first values (1);");
    await run();
    await write("0001_first.sql", "create table first (id integer);");
    await expect(run()).rejects.toMatchObject({ code: "ledger_schema_newer" });
  });

  it("are numbered without a gap", async () => {
    await write("0004_fourth.sql", "select 1;");
    await expect(run()).rejects.toThrow(/0003_<name>\.sql is expected/);
  });
});

describe("a pool", () => {
  it("brings 64-bit integers as numbers", async () => {
    const { rows } = await pool.query(
      "select 5000000000::int8 as one, array[1, 2]::int8[] as many, '{}'::int8[] as none",
    );
    expect(rows).toEqual([{ one: 5_000_000_000, many: [1, 2], none: [] }]);
  });

  it("ends a statement that takes longer than it may", async () => {
    const hasty = openPool(database.url, {
      max: 1,
      applicationName: "hasty",
      statementTimeoutMs: 50,
      onError: () => undefined,
    });
    await expect(hasty.query("select pg_sleep(5)")).rejects.toMatchObject({ code: "57014" });
    await hasty.end();
  });

  it("outlives connections that are ended by the server, in use or not", async () => {
    const client = await pool.connect();
    await pool.query("select 1");
    const ended = new Promise((resolve) => client.once("end", resolve));
    const { rows } = await pool.query<{ pid: number }>("select pg_backend_pid() as pid");
    const other = openPool(database.url, { max: 1, applicationName: "killer", onError: () => undefined });
    await other.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'migrate-test'",
    );
    await ended;
    client.release(true);
    // The other one was not in use; the pool hears of it when it hears of it.
    await vi.waitFor(() => expect(faults.length).toBeGreaterThan(0), { timeout: 10_000 });
    const { rows: later } = await pool.query<{ pid: number }>("select pg_backend_pid() as pid");
    expect(later[0]!.pid).not.toBe(rows[0]!.pid);
    await other.end();
  });
});
