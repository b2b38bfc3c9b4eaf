import { addAbortSignal } from "node:stream";
import type { Pool } from "pg";
import { to as copyTo } from "pg-copy-streams";
import { AppError } from "../errors.ts";
import { datasetCatalogue } from "../model/dataset-catalogue.ts";
import type { Column } from "../model/dataset.ts";
import { cutCsv } from "../sdk/csv.ts";
import type { DatasetPage, DatasetSource, DayRange } from "../sdk/dataset-source.ts";
import { createCsvBatch } from "../sdk/row-batch.ts";
import type { RowChange } from "../sdk/row-batch.ts";
import type { Guarded } from "./fault.ts";
import { toLedgerError } from "./fault.ts";

/** Deliveries in one page of a read from the beginning. */
const idsPerPage = 250_000;
/** Longer than a page may take. */
const patienceMs = 2 ** 31 - 1;

/** How each column is made of a delivery `d` and its event `e`. */
const expressions: Readonly<Record<string, string>> = {
  id: "d.id",
  event_id: "e.event_id",
  event_type: "e.type",
  source: "e.connection",
  flow: "d.flow",
  target: "d.target",
  status: `case when d.status = 0 and d.due_at = 'infinity' then 'dead' else (array['pending', 'done', 'skipped', 'dead'])[d.status + 1] end`,
  attempts: "d.attempts",
  code: "d.code",
  received_at: "e.received_at",
  finished_at: "d.finished_at",
};

/**
 * The dataset `deliveries`. Its watermark is no time but a transaction: everything of transactions before it has been read, and those that were still
 * running then come with the next read, whenever they end. What is pruned from the ledger stays in the warehouse.
 */
export function createDeliveryDataset(pool: Pool, guarded: Guarded): DatasetSource {
  return {
    datasets: ["deliveries"],
    forgets: ["deliveries"],
    read: (request) => readChanged(pool, guarded, request),
    readDays: (request) => readDays(pool, request),
  };
}

type ReadRequest = Parameters<DatasetSource["read"]>[0];

/** Where a read stopped: `tx` is the first transaction that it may have missed; `id` the last delivery of a first read that is not over. */
interface Place {
  readonly tx: number;
  readonly id?: number;
}

async function* readChanged(
  pool: Pool,
  guarded: Guarded,
  { columns, after, signal }: ReadRequest,
): AsyncGenerator<DatasetPage> {
  const wanted = columnsOf(columns);
  const now = await guarded(() => readEdge(pool));
  let place = placeOf(after, now) ?? { tx: now.oldest, id: 0 };
  for (let from = place.id; from !== undefined && from < now.lastId;) {
    const to = Math.min(from + idsPerPage, now.lastId);
    place = { tx: place.tx, id: to };
    const rows = copyRows(pool, wanted, `d.id > ${from} and d.id <= ${to}`, signal);
    yield { changes: rows, watermark: textOf(place), fraction: to / now.lastId };
    from = to;
  }
  // The edge is looked at before the rows are, so what ends between the two is read again rather than not at all.
  const edge = place.id === undefined ? now : await guarded(() => readEdge(pool));
  const rows = edge.next === place.tx ? noRows() : copyRows(pool, wanted, `d.changed >= ${place.tx}`, signal);
  yield { changes: rows, watermark: textOf({ tx: edge.oldest }), asOf: edge.asOf, fraction: 1 };
}

async function* readDays(
  pool: Pool,
  { columns, from, until, signal }: Omit<ReadRequest, "after"> & DayRange,
): AsyncGenerator<DatasetPage> {
  for (const day of [from, until]) {
    if (!/^\d{4}-\d\d-\d\d$/.test(day)) throw new AppError("bad_request", `${day} is not a day`);
  }
  const condition = `e.received_at >= '${from} 00:00:00+00' and e.received_at < '${until} 00:00:00+00'`;
  yield { changes: copyRows(pool, columnsOf(columns), condition, signal), watermark: "", fraction: 1 };
}

function columnsOf(names: readonly string[]): Column[] {
  return datasetCatalogue.deliveries.columns.filter(({ name }) => names.includes(name));
}

interface Edge {
  /** No transaction before this one is still running. */
  readonly oldest: number;
  /** The next one that begins. */
  readonly next: number;
  readonly lastId: number;
  readonly asOf: string;
}

const edgeText = `
select pg_snapshot_xmin(s)::text::bigint as oldest, pg_snapshot_xmax(s)::text::bigint as next,
  coalesce((select max(id) from delivery), 0) as "lastId",
  to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "asOf"
from pg_current_snapshot() s`;

async function readEdge(pool: Pool): Promise<Edge> {
  const { rows } = await pool.query<Edge>(edgeText);
  if (rows[0] === undefined) throw new AppError("internal", "the snapshot of the database has no row");
  return rows[0];
}

function textOf({ tx, id }: Place): string {
  return id === undefined ? `x${tx}` : `x${tx}i${id}`;
}

/** Undefined to begin anew: without a watermark, and with one of another database, whose transactions were counted further. */
function placeOf(watermark: string | undefined, { next }: Edge): Place | undefined {
  const [, tx, id] = /^x(\d+)(?:i(\d+))?$/.exec(watermark ?? "") ?? [];
  if (tx === undefined || Number(tx) > next) return undefined;
  return id === undefined ? { tx: Number(tx) } : { tx: Number(tx), id: Number(id) };
}

async function* noRows(): AsyncGenerator<RowChange> {
  // Nothing was written since.
}

async function* copyRows(
  pool: Pool,
  columns: readonly Column[],
  condition: string,
  signal: AbortSignal,
): AsyncGenerator<RowChange> {
  signal.throwIfAborted();
  const selected = columns.map(({ name }) => expressions[name]).join(", ");
  const text = `copy (select ${selected} from delivery d join event e on e.sequence = d.sequence where ${condition} order by d.id)
    to stdout (format csv)`;
  const client = await pool.connect();
  let whole = false;
  try {
    await client.query("begin isolation level repeatable read read only");
    await client.query(
      "set local timezone = 'UTC'; set local datestyle = 'ISO'; set local statement_timeout = 0",
    );
    // The pool's own time limit is for everyday statements.
    const stream = client.query(Object.assign(copyTo(text), { query_timeout: patienceMs }));
    for await (const { csv, count } of cutCsv(addAbortSignal(signal, stream))) {
      yield { kind: "upsert", batch: createCsvBatch(columns, csv, count) };
    }
    await client.query("commit");
    whole = true;
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof AppError ? error : toLedgerError(error);
  } finally {
    // A copy that was left in the middle leaves a connection that is good for nothing.
    client.release(!whole);
  }
}
