import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import connector from "../../connectors/deskbridge/index.ts";
import type { Connection, DatasetPage, DatasetSource, RowChange } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import type { DeskStand } from "../support/desk.ts";
import { openDeskStand } from "../support/desk.ts";

let stand: DeskStand;
let base: string;
let database: pg.Client;

/** A page of them is 80 MB, much more than sockets hold: up to 36 MB with the usual settings of Linux. */
const rowCount = 120_000;

beforeAll(async () => {
  stand = await openDeskStand();
  base = await stand.listen();
  database = await stand.connect();
  await database.query(
    `insert into message (ticket, direction, visibility, author_type, text)
     select 1, 'inbound', 'public', 'contact', repeat('x', 1500) from generate_series(1, $1)`,
    [rowCount],
  );
}, 120_000);
afterAll(() => stand.close());

async function openSource(): Promise<{ source: DatasetSource; close: () => void }> {
  const context = createTestContext({ connection: "desk" });
  const config = connector.config.parse({ url: base, apiKey: stand.adminKey });
  const { datasets }: Connection = await connector.open(config, context);
  if (datasets === undefined) throw new Error("the connector gives no datasets");
  return { source: datasets, close: context.close };
}

/** The statements that read rows for somebody now, the oldest first. */
async function copies(): Promise<readonly number[]> {
  const { rows } = await database.query<{ pid: number }>(
    "select pid from pg_stat_activity where datname = current_database() and state = 'active' and query like 'copy (%' order by query_start",
  );
  return rows.map(({ pid }) => pid);
}

async function firstChanges(pages: AsyncIterable<DatasetPage>): Promise<AsyncIterator<RowChange>> {
  const page = await pages[Symbol.asyncIterator]().next();
  if (page.done === true) throw new Error("there is no page");
  return page.value.changes[Symbol.asyncIterator]();
}

const signal = new AbortController().signal;
const request = {
  dataset: "messages",
  columns: ["id", "text", "created_at"],
  after: undefined,
  signal,
} as const;

describe("rows on their way", () => {
  it("come in batches of a few megabytes, page by page, and are all there", async () => {
    const { source, close } = await openSource();
    let [count, pages, largest] = [0, 0, 0];
    let fraction = 0;
    for await (const page of source.read(request)) {
      pages += 1;
      expect(page.fraction).toBeGreaterThan(fraction);
      fraction = page.fraction ?? 0;
      for await (const { kind, batch } of page.changes) {
        expect([kind, batch.columns.map(({ name }) => name)]).toEqual(["upsert", request.columns]);
        count += batch.count;
        largest = Math.max(largest, batch.csv().length);
      }
    }
    expect([count, pages, fraction]).toEqual([rowCount, 3, 1]);
    expect(largest).toBeGreaterThan(4 * 1024 ** 2);
    expect(largest).toBeLessThan(5 * 1024 ** 2);
    close();
  });

  it("are never a short page: a statement that is ended breaks the answer off", async () => {
    const { source, close } = await openSource();
    const changes = await firstChanges(source.read(request));
    await changes.next();
    const [pid] = await copies();
    expect(pid).toBeGreaterThan(0);
    await database.query("select pg_terminate_backend($1)", [pid]);
    const rest = async (): Promise<void> => {
      while ((await changes.next()).done === false);
    };
    await expect(rest()).rejects.toMatchObject({ code: "target_protocol" });
    close();
  });

  it("are not read from the database before they are taken, and no longer when nobody takes them", async () => {
    const { source, close } = await openSource();
    const stop = new AbortController();
    const changes = await firstChanges(source.read({ ...request, signal: stop.signal }));
    await changes.next();
    // The page has 50,000 rows, of which a batch is out: the statement waits, and that of the page which is made ready meanwhile.
    await expect.poll(async () => (await copies()).length, { timeout: 10_000 }).toBe(2);
    stop.abort(new Error("enough"));
    await expect(changes.next()).rejects.toThrow("enough");
    await expect.poll(copies, { timeout: 10_000 }).toEqual([]);
    close();
  });

  it("leave tickets alone: with all readers asleep the desk goes on, and further readers wait", async () => {
    const { source, close } = await openSource();
    const stop = new AbortController();
    const asleep = [1, 2, 3, 4].map(async () => {
      const changes = await firstChanges(source.read({ ...request, signal: stop.signal }));
      await changes.next();
    });
    await Promise.all(asleep);
    await expect.poll(async () => (await copies()).length, { timeout: 10_000 }).toBe(8);
    const body = { subject: "Late", requester: { email: "ada@example.com" } };
    expect((await stand.send({ method: "POST", path: "/v1/tickets", body })).status).toBe(201);
    stop.abort();
    await expect.poll(copies, { timeout: 10_000 }).toEqual([]);
    close();
  });

  it("end with the server, which does not wait for who reads slowly", async () => {
    const other = await openDeskStand({ route: async () => stand.databaseUrl });
    const address = await other.listen();
    const url = `${address}/v1/datasets/messages`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${other.adminKey}` } });
    const reader = answer.body?.getReader();
    await reader?.read();
    await other.server.close();
    const rest = async (): Promise<void> => {
      while ((await reader?.read())?.done === false);
    };
    await expect(rest()).rejects.toThrow(/terminated/);
    await other.close();
  });
});
