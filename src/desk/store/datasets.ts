import type { Readable } from "node:stream";
import type { Pool } from "pg";
import type { FeedPosition } from "../change.ts";
import { feedStart, isBehind } from "../change.ts";
import type { AllPlace, ChangesPlace, DatasetPlace, DaysPlace } from "../dataset-place.ts";
import { settled } from "./changes.ts";
import { createCopies } from "./copy.ts";
import { guarded } from "./fault.ts";
import type { TableDataset, TableName } from "./dataset-table.ts";
import { rowsOf, tableDatasets } from "./dataset-table.ts";

export interface DatasetRequest {
  readonly dataset: TableName;
  /** Undefined for everything, from the beginning. */
  readonly place: DatasetPlace | undefined;
  readonly columns: readonly string[];
  /** Objects on a page. */
  readonly limit: number;
}

/** A page of rows that are there, or of the keys of those that are gone. */
interface PageFacts {
  readonly part: "upsert" | "delete";
  readonly next: DatasetPlace;
  /** Whether the read goes on. */
  readonly more: boolean;
  /** In milliseconds since the epoch. */
  readonly asOf: number | undefined;
  readonly fraction: number | undefined;
}

export interface DatasetPage extends PageFacts {
  /** CSV; undefined when there are none. */
  readonly rows: Readable | undefined;
}

interface PlannedPage extends PageFacts {
  /** The `select` of the rows. */
  readonly select: string | undefined;
}

/** Reads of whole datasets. */
export interface DatasetStore {
  /** The page of a place. Whoever gets it reads its rows, or destroys them. */
  readonly read: (request: DatasetRequest) => Promise<DatasetPage>;
  /** Ends every read. */
  readonly close: () => void;
}

/** `rowPool` is for the rows alone; see `createCopies`. */
export function createDatasetStore(pool: Pool, rowPool: Pool): DatasetStore {
  const copies = createCopies(rowPool);
  return {
    read: async (request) => {
      const { select, ...page } = await planPage(pool, request);
      return { ...page, rows: select === undefined ? undefined : await copies.open(select) };
    },
    close: copies.close,
  };
}

type Parts = DatasetRequest & { readonly pool: Pool; readonly table: TableDataset };

/** What the page of a place holds: a few short queries, which read nothing of the rows themselves. */
async function planPage(pool: Pool, request: DatasetRequest): Promise<PlannedPage> {
  const parts: Parts = { ...request, pool, table: tableDatasets[request.dataset] };
  const { place } = request;
  if (place === undefined) {
    const { position, asOf, edge } = await begin(parts);
    return planAll(parts, { kind: "all", until: position, asOf, key: 0, edge });
  }
  if (place.kind === "all") return planAll(parts, place);
  return place.kind === "days" ? planDays(parts, place) : planChanges(parts, place);
}

interface Beginning {
  /** The newest change that may be read. */
  readonly position: FeedPosition;
  readonly asOf: number;
  readonly edge: number;
}

/** One snapshot for all of it: an object that it does not show is in a change behind the position. */
async function begin({ pool, dataset, table }: Parts): Promise<Beginning> {
  const text = `select coalesce(c.tx, 0) as tx, coalesce(c.id, 0) as id, coalesce((${table.edge}), 0) as edge,
      floor(date_part('epoch', clock_timestamp()) * 1000)::bigint as "asOf"
    from (select) as one left join lateral (
      select tx, id from change where ${settled} order by tx desc, id desc limit 1
    ) c on true`;
  const query = { name: `desk-dataset-begin-${dataset}`, text };
  const { rows } = await guarded(() => pool.query<FeedPosition & Omit<Beginning, "position">>(query));
  const { tx, id, asOf, edge } = rows[0] ?? { ...feedStart, asOf: 0, edge: 0 };
  return { position: { tx, id }, asOf, edge };
}

/** Page after page by id, with no look at the feed: what changes meanwhile is behind `until`. */
async function planAll(parts: Parts, place: AllPlace): Promise<PlannedPage> {
  const { pool, dataset, table, columns, limit } = parts;
  const { key, edge, until, asOf } = place;
  const [from, column] = table.ids;
  const text = `select max(id) as last, count(*) as count from (
    select ${column} as id from ${from} where ${column} > $1 and ${column} <= $2 order by ${column} limit $3) p`;
  const query = { name: `desk-dataset-all-${dataset}`, text, values: [key, edge, limit] };
  const { rows } = await guarded(() => pool.query<{ last: number | null; count: number }>(query));
  const { last, count } = rows[0] ?? { last: null, count: 0 };
  const more = count === limit && last !== null && last < edge;
  return {
    part: "upsert",
    select:
      last === null ? undefined : rowsOf(table, columns, `${table.id} > ${key} and ${table.id} <= ${last}`),
    next: more ? { ...place, key: last } : { kind: "changes", after: until },
    more,
    asOf,
    fraction: more ? last / edge : 1,
  };
}

/** Stretches in which nothing of the dataset changed that one page passes over. */
const mostStretches = 20;

/** The window is cut into stretches of as many changes as a page has objects; most stretches are a page, and a second one for what is gone. */
async function planChanges(parts: Parts, place: ChangesPlace): Promise<PlannedPage> {
  const opened = place.window === undefined ? await openWindow(parts, place.after) : undefined;
  const asOf = place.window?.asOf ?? opened?.asOf;
  let at = opened?.place ?? place;
  for (let looked = 0; at.window !== undefined && looked < mostStretches; looked += 1) {
    const touched = await touchedIn(parts, at.after, at.window);
    if (touched.length > 0) return planTouched(parts, at.after, at.window, touched);
    at = await stretchAfter(parts, at.window);
  }
  const more = at.window !== undefined;
  return { part: "upsert", select: undefined, next: at, more, asOf, fraction: undefined };
}

type Window = NonNullable<ChangesPlace["window"]>;

async function openWindow(
  parts: Parts,
  after: FeedPosition,
): Promise<{ readonly place: ChangesPlace; readonly asOf: number }> {
  const { position: until, asOf } = await begin(parts);
  const place = isBehind(after, until)
    ? await stretchAfter(parts, { until, asOf, end: after })
    : ({ kind: "changes", after } as const);
  return { place, asOf };
}

/** The page of the first phase in which something was touched. */
async function planTouched(
  parts: Parts,
  after: FeedPosition,
  window: Window,
  touched: readonly Touched[],
): Promise<PlannedPage> {
  const phase = touched[0]?.phase ?? 0;
  const objects = touched.slice(0, parts.limit).filter((row) => row.phase === phase);
  const here = { ...window, phase, key: objects.at(-1)?.id ?? 0 };
  const next: ChangesPlace =
    touched.length > objects.length
      ? { kind: "changes", after, window: here }
      : await stretchAfter(parts, window);
  return {
    part: phase === 0 ? "upsert" : "delete",
    select: selectOf(parts, phase, objects, { after, until: window.end }),
    next,
    more: next.window !== undefined,
    asOf: window.asOf,
    fraction: undefined,
  };
}

/** The place behind a stretch that is done. */
async function stretchAfter(
  parts: Parts,
  { until, asOf, end }: Pick<Window, "until" | "asOf" | "end">,
): Promise<ChangesPlace> {
  if (!isBehind(end, until)) return { kind: "changes", after: until };
  const next = await endOfStretch(parts, end, until);
  return { kind: "changes", after: end, window: { until, asOf, end: next, phase: 0, key: 0 } };
}

const stretchText = `select tx, id from (
    select tx, id from change where (tx, id) > ($1, $2) and (tx, id) <= ($3, $4) order by tx, id limit $5
  ) s order by tx desc, id desc limit 1`;

async function endOfStretch(
  { pool, limit }: Parts,
  after: FeedPosition,
  until: FeedPosition,
): Promise<FeedPosition> {
  const values = [after.tx, after.id, until.tx, until.id, limit];
  const query = { name: "desk-dataset-stretch", text: stretchText, values };
  const { rows } = await guarded(() => pool.query<FeedPosition>(query));
  return rows[0] ?? until;
}

interface Stretch {
  readonly after: FeedPosition;
  readonly until: FeedPosition;
}

interface Touched {
  readonly phase: number;
  readonly id: number;
}

/** The objects that a stretch touched, behind a phase and id: one more than a page has. */
async function touchedIn(
  { pool, dataset, table, limit }: Parts,
  after: FeedPosition,
  { end, phase, key }: Window,
): Promise<readonly Touched[]> {
  const touched = table.touched.replaceAll("$after", "$1, $2").replaceAll("$until", "$3, $4");
  const text = `select phase, id from (${touched}) w where (phase, id) > ($5, $6) order by phase, id limit $7`;
  const values = [after.tx, after.id, end.tx, end.id, phase, key, limit + 1];
  const query = { name: `desk-dataset-touched-${dataset}`, text, values };
  return (await guarded(() => pool.query<Touched>(query))).rows;
}

function selectOf(
  { table, columns }: Parts,
  phase: number,
  ids: readonly Touched[],
  { after, until }: Stretch,
): string {
  const list = `'{${ids.map(({ id }) => id).join(",")}}'::bigint[]`;
  if (phase === 0) return rowsOf(table, columns, `${table.id} = any (${list})`);
  return (table.gone ?? "")
    .replaceAll("$ids", list)
    .replaceAll("$after", `${after.tx}, ${after.id}`)
    .replaceAll("$until", `${until.tx}, ${until.id}`);
}

/** The rows of some days as they are now. */
async function planDays(parts: Parts, place: DaysPlace): Promise<PlannedPage> {
  const { pool, dataset, table, columns, limit } = parts;
  const { from, until } = place;
  const key = Number(place.key);
  // The days first: by id the whole table would be read up to them.
  const text = `with days as materialized (
      select distinct ${table.id} as id from ${table.from} where ${table.createdAt} >= $1::timestamptz and ${table.createdAt} < $2::timestamptz
    ) select id from days where id > $3 order by id limit $4`;
  const query = { name: `desk-dataset-days-${dataset}`, text, values: [from, until, key, limit] };
  const { rows } = await guarded(() => pool.query<{ id: number }>(query));
  const last = rows.at(-1)?.id ?? key;
  const more = rows.length === limit;
  const list = `'{${rows.map(({ id }) => id).join(",")}}'::bigint[]`;
  return {
    part: "upsert",
    select: rows.length === 0 ? undefined : rowsOf(table, columns, `${table.id} = any (${list})`),
    next: { ...place, key: String(last) },
    more,
    asOf: undefined,
    fraction: undefined,
  };
}
