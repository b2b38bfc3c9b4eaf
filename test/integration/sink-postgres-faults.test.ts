import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import postgres from "../../connectors/postgres/index.ts";
import type { Connection, SinkRequest, SinkWriter } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { gone, upsert, valuesRow, valuesTable } from "../../src/sdk/testing/sink-table.ts";
import { emptyDatabase } from "../support/postgres.ts";
import type { FreshDatabase } from "../support/postgres.ts";
import { openTcpProxy } from "../support/tcp-proxy.ts";

let database: FreshDatabase;
let client: pg.Client;
let writers: SinkWriter[] = [];

beforeEach(async () => {
  database = await emptyDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterEach(async () => {
  for (const writer of writers) await writer.close();
  writers = [];
  await client.end();
  await database.drop();
});

async function connect(settings: object = {}): Promise<Connection> {
  return await postgres.open(postgres.config.parse({ url: database.url, ...settings }), createTestContext());
}

async function openWriter(request: Partial<SinkRequest> = {}, settings: object = {}): Promise<SinkWriter> {
  const { sink } = await connect(settings);
  const { signal } = new AbortController();
  const defaults = { table: valuesTable, export: "nightly", run: 1, onSchemaChange: "fail", signal } as const;
  const writer = await sink!.open({ ...defaults, ...request });
  writers.push(writer);
  return writer;
}

/** Makes the table: an export's first commit does. */
async function makeTable(): Promise<void> {
  const writer = await openWriter();
  await writer.commit({ watermark: "0" });
  await writer.close();
}

const ids = async (): Promise<string[]> =>
  (await client.query<{ id: string }>(`SELECT id FROM ${valuesTable.name} ORDER BY id`)).rows.map(
    ({ id }) => id,
  );

const tables = async (): Promise<string[]> =>
  (
    await client.query<{ name: string }>(
      "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
    )
  ).rows.map(({ name }) => name);

/** Waits until a session of the sink stands at an advisory lock. */
async function untilItWaits(): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()",
    );
    if (rows.length > 0) return;
  }
}

describe("a commit whose connection breaks", () => {
  it("took effect where PostgreSQL had got that far, and the record tells the next run", async () => {
    const proxy = await openTcpProxy(database.url);
    try {
      await makeTable();
      // The commit itself is held up, until the test has cut the connection.
      await client.query(
        `CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$`,
      );
      await client.query(
        "CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON _deskbridge_exports DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()",
      );
      const writer = await openWriter({}, { url: proxy.url });
      await writer.write(upsert(valuesTable, valuesRow("a")));
      await client.query("SELECT pg_advisory_lock(42)");
      const commit = writer.commit({ watermark: "one" });
      const outcome = commit.catch((error: unknown) => error);
      await untilItWaits();
      await proxy.cut();
      expect(await outcome).toMatchObject({ code: "target_unavailable" });
      await client.query("SELECT pg_advisory_unlock(42)");
      const next = await openWriter({ run: 2 });
      const committed = await ids();
      // PostgreSQL may notice the broken connection before it has committed; either way the record and the rows say the same.
      expect([["a"], []]).toContainEqual(committed);
      expect(next.position).toEqual({ run: 1, watermark: committed.length === 1 ? "one" : "0" });
    } finally {
      await proxy.close();
    }
  });

  it("left nothing where the session ended before it, and the writer says so", async () => {
    const writer = await openWriter();
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await client.query(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'deskbridge export' AND datname = current_database()",
    );
    await expect(writer.commit({ watermark: "one" })).rejects.toMatchObject({ code: "target_unavailable" });
    expect(await tables()).toEqual(["_deskbridge_exports"]);
    expect((await openWriter({ run: 2 })).position).toBeUndefined();
  });
});

describe("rows that are written as they are", () => {
  const versions = async (): Promise<object[]> =>
    (
      await client.query<object>(
        `SELECT id, xmin::text, _deskbridge_run FROM ${valuesTable.name} ORDER BY id`,
      )
    ).rows;

  it("are not written anew where no run will drop rows", async () => {
    const first = await openWriter();
    await first.write(upsert(valuesTable, valuesRow("a"), valuesRow("b", { data: { x: 1 } })));
    await first.commit({ watermark: "1" });
    const before = await versions();
    const second = await openWriter({ run: 2 });
    await second.write(upsert(valuesTable, valuesRow("a"), valuesRow("b", { data: { x: 1 } })));
    const receipt = await second.commit({ watermark: "2", mayDrop: false });
    expect(receipt).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
    expect(await versions()).toEqual(before);
  });

  it("get the number of the run where one may", async () => {
    for (const run of [1, 2]) {
      const writer = await openWriter({ run });
      await writer.write(upsert(valuesTable, valuesRow("a")));
      await writer.commit({ watermark: String(run) });
    }
    expect(await versions()).toMatchObject([{ id: "a", _deskbridge_run: "2" }]);
  });
});

describe("what PostgreSQL refuses", () => {
  it("is told by its state and the name of the column, never by the row", async () => {
    await makeTable();
    await client.query(`ALTER TABLE ${valuesTable.name} ADD CONSTRAINT short CHECK (length(text) < 5)`);
    const writer = await openWriter({ run: 2 });
    await writer.write(upsert(valuesTable, valuesRow("secret-id", { text: "private words" })));
    const error = await writer.commit({ watermark: "1" }).catch((fault: unknown) => fault);
    expect(error).toMatchObject({
      code: "target_rejected",
      message: expect.stringMatching(/23514.*constraint short/) as string,
    });
    expect(JSON.stringify([error, String(error)])).not.toMatch(/secret-id|private/);
    await writer.abort();
    await writer.write(upsert(valuesTable, valuesRow("b", { text: "ok" })));
    await writer.commit({ watermark: "2" });
    expect(await ids()).toEqual(["b"]);
  });

  it("is a change of the table when a column goes between opening and committing", async () => {
    await makeTable();
    const writer = await openWriter({ run: 2 });
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await client.query(`ALTER TABLE ${valuesTable.name} DROP COLUMN flag`);
    await expect(writer.commit({ watermark: "1" })).rejects.toMatchObject({ code: "sink_schema_changed" });
  });

  it("is a change of the table when its primary key is gone", async () => {
    await makeTable();
    const writer = await openWriter({ run: 2 });
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await client.query(`ALTER TABLE ${valuesTable.name} DROP CONSTRAINT ${valuesTable.name}_pkey`);
    await expect(writer.commit({ watermark: "1" })).rejects.toMatchObject({ code: "sink_schema_changed" });
  });

  it("is a view of the name of a table", async () => {
    await (await openWriter({ table: { ...valuesTable, name: "other" } })).close();
    await client.query(`CREATE VIEW ${valuesTable.name} AS SELECT 1 AS _deskbridge_run`);
    await expect(openWriter()).rejects.toMatchObject({ code: "sink_table_foreign" });
  });

  it("is a table that somebody has locked for too long, to be tried again", async () => {
    const writer = await openWriter({}, { lockTimeoutSeconds: 1 });
    await writer.write(upsert(valuesTable, valuesRow("first")));
    await writer.commit({ watermark: "0" });
    // What comes after a deletion is staged, and is still there for the next try.
    await writer.write(gone(valuesTable, { id: "nobody" }));
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await client.query("BEGIN");
    await client.query(`LOCK TABLE ${valuesTable.name}`);
    await expect(writer.commit({ watermark: "1" })).rejects.toMatchObject({ code: "target_unavailable" });
    await client.query("ROLLBACK");
    await writer.commit({ watermark: "1" });
    expect(await ids()).toEqual(["a", "first"]);
  });

  it("is not committed without the rows that went with a transaction", async () => {
    const writer = await openWriter({}, { lockTimeoutSeconds: 1 });
    await client.query("BEGIN");
    await client.query("LOCK TABLE _deskbridge_exports");
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await expect(writer.commit({ watermark: "1" })).rejects.toMatchObject({ code: "target_unavailable" });
    await client.query("ROLLBACK");
    await expect(writer.commit({ watermark: "1" })).rejects.toMatchObject({ code: "target_unavailable" });
    await writer.abort();
    await writer.write(upsert(valuesTable, valuesRow("b")));
    await writer.commit({ watermark: "2" });
    expect(await ids()).toEqual(["b"]);
  });

  it("is a statement that takes too long", async () => {
    await makeTable();
    await client.query(
      `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$`,
    );
    await client.query(
      `CREATE TRIGGER slow BEFORE INSERT ON ${valuesTable.name} FOR EACH ROW EXECUTE FUNCTION slow()`,
    );
    const writer = await openWriter({ run: 2 }, { statementTimeoutSeconds: 1 });
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await expect(writer.commit({ watermark: "1" })).rejects.toMatchObject({ code: "target_timeout" });
  });
});

describe("an address that does not work", () => {
  const secret = "hunter2-of-the-test";
  const faultOf = async (url: string): Promise<{ code?: string; message?: string }> =>
    await openWriter({}, { url }).then(
      () => ({}),
      (error: unknown) => error as { code: string },
    );

  it("is told without the password: another account, another database, nobody there, another scheme", async () => {
    const url = new URL(database.url);
    url.username = "nobody";
    url.password = secret;
    const nobody = await faultOf(url.href);
    url.port = "9";
    const nowhere = await faultOf(url.href);
    const elsewhere = await faultOf(database.url.replace(/[^/]+$/, "no_such_database"));
    expect([nobody.code, nowhere.code, elsewhere.code]).toEqual([
      "target_unauthorized",
      "target_unavailable",
      "target_rejected",
    ]);
    expect(JSON.stringify([nobody, nowhere, elsewhere, nobody.message, nowhere.message])).not.toContain(
      secret,
    );
    expect(postgres.config.safeParse({ url: "mysql://a:b@c/d" }).success).toBe(false);
    const [result] = (await (await connect({ url: url.href })).check?.(new AbortController().signal)) ?? [];
    expect(result).toMatchObject({ name: "database", ok: false });
    expect(JSON.stringify(result)).not.toContain(secret);
  });

  it("is found good by the check where it is", async () => {
    const results = await (await connect({ schema: "new_schema" })).check?.(new AbortController().signal);
    expect(results?.map(({ name, ok }) => [name, ok])).toEqual([
      ["database", true],
      ["schema", true],
    ]);
  });

  it("is one of an account that may write to its tables and make none", async () => {
    await client.query("CREATE ROLE reader LOGIN PASSWORD 'x'");
    try {
      const url = new URL(database.url);
      url.username = "reader";
      url.password = "x";
      expect(await faultOf(url.href)).toMatchObject({ code: "target_unauthorized" });
      const results = await (await connect({ url: url.href })).check?.(new AbortController().signal);
      expect(results?.at(-1)).toMatchObject({ name: "schema", ok: false });
    } finally {
      await client.query("DROP ROLE reader");
    }
  });
});

it("a deletion that comes before and after a row in one commit leaves what came last", async () => {
  const first = await openWriter();
  await first.write(upsert(valuesTable, valuesRow("a"), valuesRow("b")));
  await first.commit({ watermark: "1" });
  await first.write(gone(valuesTable, { id: "a" }));
  await first.write(
    upsert(valuesTable, valuesRow("a", { text: "back" }), valuesRow("c"), valuesRow("c", { text: "twice" })),
  );
  await first.write(gone(valuesTable, { id: "b" }, { id: "b" }));
  expect(await first.commit({ watermark: "2" })).toMatchObject({ inserted: 1, updated: 1, deleted: 1 });
  expect(await ids()).toEqual(["a", "c"]);
});
