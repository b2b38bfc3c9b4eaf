import { expect, it } from "vitest";
import pg from "pg";
import type { PostgresLedger } from "../../src/ledger/postgres.ts";
import { datasetCatalogue } from "../../src/model/dataset-catalogue.ts";
import type { DatasetPage } from "../../src/sdk/dataset-source.ts";
import type { Row } from "../../src/sdk/row-batch.ts";
import { openLedgers } from "../support/ledgers.ts";
import { failedFulfillment } from "../support/events.ts";

const columns = datasetCatalogue.deliveries.columns.map(({ name }) => name);

async function append(ledger: PostgresLedger, id: string): Promise<void> {
  await ledger.append({
    event: failedFulfillment(id, "1"),
    receivedAt: Date.parse("2026-11-27T10:00:00.250Z"),
    via: "webhook",
    deliveries: [{ flow: "late", target: "desk", lane: id, priority: "live" }],
  });
}

async function settle(ledger: PostgresLedger, lane: string): Promise<void> {
  const claim = await ledger.claim("desk", [lane], 60_000);
  if (claim.kind !== "leased" || claim.lanes[0] === undefined) throw new Error("nothing was leased");
  const { lease, mail } = claim.lanes[0];
  const attempt = { startedAt: Date.now(), durationMs: 5, outcome: "done" as const, receipts: [] };
  await ledger.settle(
    lease,
    mail.map(({ delivery }) => ({ delivery, status: "done" as const, counts: true, attempt })),
    60_000,
  );
}

/** Reads from a watermark to the end. */
async function read({ deliveries }: PostgresLedger, after: string | undefined) {
  const rows: Row[] = [];
  let watermark = after;
  let last: DatasetPage | undefined;
  const signal = new AbortController().signal;
  for await (const page of deliveries.read({ dataset: "deliveries", columns, after, signal })) {
    for await (const { kind, batch } of page.changes) {
      expect(kind).toBe("upsert");
      rows.push(...batch.rows());
    }
    watermark = page.watermark;
    last = page;
  }
  expect(last?.fraction).toBe(1);
  return { rows, watermark };
}

it("gives every delivery as it is, then those that changed, and stays where it is while nothing happens", async () => {
  const { ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  for (const id of ["a", "b", "c"]) await append(ledger, id);
  const first = await read(ledger, undefined);
  expect(first.rows).toMatchObject([
    {
      id: 1,
      event_id: "a",
      event_type: "fulfillment.failed",
      source: "shop",
      flow: "late",
      target: "desk",
      status: "pending",
      attempts: 0,
      code: null,
      received_at: "2026-11-27T10:00:00.25Z",
      finished_at: null,
    },
    { id: 2 },
    { id: 3 },
  ]);
  await settle(ledger, "b");
  await append(ledger, "d");
  const second = await read(ledger, first.watermark);
  expect(second.rows.map(({ id, status }) => [id, status])).toEqual([
    [2, "done"],
    [4, "pending"],
  ]);
  expect(second.rows[0]?.["finished_at"]).toMatch(/^20\d\d-.*Z$/);
  const third = await read(ledger, second.watermark);
  expect(third).toEqual({ rows: [], watermark: second.watermark });
});

it("columns that are not asked for do not come, and days are those on which the events came in", async () => {
  const { ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  await append(ledger, "a");
  await ledger.pool.query("update event set received_at = '2026-11-26T23:59:59.999999Z'");
  await append(ledger, "b");
  const days = async (from: string, until: string) => {
    const request = {
      dataset: "deliveries" as const,
      columns: ["id", "received_at"],
      from,
      until,
      signal: new AbortController().signal,
    };
    const rows: Row[] = [];
    for await (const page of ledger.deliveries.readDays!(request)) {
      for await (const { batch } of page.changes) rows.push(...batch.rows());
    }
    return rows;
  };
  expect(await days("2026-11-26", "2026-11-27")).toEqual([
    { id: 1, received_at: "2026-11-26T23:59:59.999999Z" },
  ]);
  expect(await days("2026-11-27", "2026-11-28")).toHaveLength(1);
  await expect(days("2026-11-27'; drop table event", "x")).rejects.toMatchObject({ code: "bad_request" });
});

it("a transaction that ends after the read in whose time it wrote comes with the next one", async () => {
  const { url, ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  for (const id of ["a", "b"]) await append(ledger, id);
  const late = new pg.Client({ connectionString: url, options: "-c search_path=deskbridge" });
  await late.connect();
  await late.query("begin");
  await late.query("update delivery set status = 2, finished_at = clock_timestamp() where id = 1");
  const before = await read(ledger, undefined);
  await append(ledger, "c");
  const during = await read(ledger, before.watermark);
  expect(during.rows.map(({ id }) => id)).toContain(3);
  await late.query("commit");
  await late.end();
  const after = await read(ledger, during.watermark);
  expect(after.rows).toContainEqual(expect.objectContaining({ id: 1, status: "skipped" }));
});

it("read again and again while many write, it misses nothing", async () => {
  const { url, ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  const seen = new Map<unknown, Row>();
  let writing = true;
  const write = async (writer: number): Promise<void> => {
    const client = new pg.Client({ connectionString: url, options: "-c search_path=deskbridge" });
    await client.connect();
    for (let times = 0; times < 40; times += 1) {
      await client.query("begin");
      await client.query(
        `with e as (
           insert into event (connection, event_id, type, subject, happened_at, received_at, via, data)
           values ('shop', $1, 'order.created', 's', now(), now(), 'poll', '{}') returning sequence
         )
         insert into delivery (sequence, flow, target, lane, priority, status) select sequence, 'f', 't', $1, 0, 0 from e`,
        [`${writer}-${times}`],
      );
      await client.query("update delivery set attempts = attempts + 1 where lane like $1 and id % 3 = $2", [
        `${writer}-%`,
        times % 3,
      ]);
      // Some are open for longer than a read takes.
      if (times % 5 === writer % 5) await client.query("select pg_sleep(0.03)");
      await client.query("commit");
    }
    await client.end();
  };
  const reading = async (): Promise<string | undefined> => {
    let watermark: string | undefined;
    let more = true;
    while (more) {
      more = writing;
      const page = await read(ledger, watermark);
      watermark = page.watermark;
      for (const row of page.rows) seen.set(row["id"], row);
    }
    return watermark;
  };
  const read1 = reading();
  await Promise.all([1, 2, 3, 4, 5, 6].map(write));
  writing = false;
  await read1;
  const { rows } = await ledger.pool.query<{ id: number; attempts: number }>(
    "select id, attempts from delivery order by id",
  );
  expect(rows).toHaveLength(240);
  expect(
    [...seen.values()]
      .map(({ id, attempts }) => ({ id, attempts }))
      .toSorted((a, b) => Number(a.id) - Number(b.id)),
  ).toEqual(rows);
});

it("a watermark of a database whose transactions were counted further begins anew", async () => {
  const { ledgers } = await openLedgers(1);
  const [ledger] = ledgers;
  await append(ledger, "a");
  expect((await read(ledger, "x999999999999")).rows).toHaveLength(1);
  expect((await read(ledger, "nonsense")).rows).toHaveLength(1);
});
