import type { Pool } from "pg";
import type { FeedPosition } from "../change.ts";
import { feedStart } from "../change.ts";
import type { AllPlace, ChangesPlace, DaysPlace, Window } from "../dataset-place.ts";
import type { DatasetRequest, PlannedPage } from "./dataset-page.ts";
import type { TableDataset, TableName } from "./dataset-table.ts";
import { rowsOf, tableDatasets } from "./dataset-table.ts";
import type { SharedBeginning } from "./dataset-window.ts";
import { beginRead, fractionOf, nextStretch, openWindow } from "./dataset-window.ts";
import { guarded } from "./fault.ts";

/** A request for a dataset of tables, at a place of such a one. */
export interface TableRequest extends DatasetRequest {
  readonly dataset: TableName;
  readonly place: AllPlace | ChangesPlace | DaysPlace | undefined;
}

type Parts = TableRequest & TablePools & { readonly table: TableDataset };

interface TablePools {
  readonly pool: Pool;
  readonly begin: SharedBeginning;
}

/** What the page of a place holds: a few short queries, which read nothing of the rows themselves. */
export async function planTablePage(pools: TablePools, request: TableRequest): Promise<PlannedPage> {
  const table = tableDatasets[request.dataset];
  const parts: Parts = { ...request, ...pools, table };
  const { place } = request;
  if (place?.kind === "all") return planAll(parts, place);
  if (place?.kind === "changes") return planChanges(parts, place);
  if (place?.kind === "days") return planDays(parts, place);
  if (table.objects === undefined) return planChanges(parts, { kind: "changes", after: feedStart });
  const [name, column] = table.objects;
  const { position, asOf, edge } = await beginRead(pools.pool, `select max(${column}) from ${name}`);
  return planAll(parts, { kind: "all", until: position, asOf, key: 0, edge });
}

/** Page after page by id, with no look at the changes: what changes meanwhile is behind `until`. */
async function planAll(parts: Parts, place: AllPlace): Promise<PlannedPage> {
  const { pool, dataset, table, columns, limit } = parts;
  const { key, edge, until, asOf } = place;
  const [name, column] = table.objects ?? ["change", "id"];
  const text = `select max(id) as last, count(*) as count from (
    select ${column} as id from ${name} where ${column} > $1 and ${column} <= $2 order by ${column} limit $3) p`;
  const query = { name: `desk-dataset-all-${dataset}`, text, values: [key, edge, limit] };
  const { rows } = await guarded(() => pool.query<{ last: number | null; count: number }>(query));
  const { last, count } = rows[0] ?? { last: null, count: 0 };
  const goesOn = count === limit && last !== null && last < edge;
  return {
    part: "upsert",
    select:
      last === null ? undefined : rowsOf(table, columns, { objects: `$id > ${key} and $id <= ${last}` }),
    next: goesOn ? { ...place, key: last } : { kind: "changes", after: until },
    more: goesOn,
    asOf,
    fraction: goesOn ? last / edge : 1,
  };
}

/** Stretches in which nothing of the dataset changed that one page passes over. */
const mostStretches = 20;

/** The window is cut into stretches of as many changes as a page has rows; most stretches are a page, and a second one for what is gone. */
async function planChanges(parts: Parts, place: ChangesPlace): Promise<PlannedPage> {
  const { pool, begin, limit } = parts;
  const opened = place.window === undefined ? await openWindow(pool, begin, place.after, limit) : undefined;
  const asOf = place.window?.asOf ?? opened?.asOf;
  let at = opened?.place ?? place;
  for (let looked = 0; at.window !== undefined && looked < mostStretches; looked += 1) {
    const touched = await touchedIn(parts, at.after, at.window);
    if (touched.length > 0) return planTouched(parts, at.after, at.window, touched);
    at = await nextStretch(pool, at.window, limit);
  }
  const more = at.window !== undefined;
  return { part: "upsert", select: undefined, next: at, more, asOf, fraction: fractionOf(at) };
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

/** The page of the first phase in which something was touched. */
async function planTouched(
  parts: Parts,
  after: FeedPosition,
  window: Window,
  touched: readonly Touched[],
): Promise<PlannedPage> {
  const { pool, table, columns, limit } = parts;
  const number = touched[0]?.phase ?? 0;
  const phase = table.phases[number] ?? { part: "upsert", where: "false" };
  const ids = touched.slice(0, limit).flatMap((row) => (row.phase === number ? row.id : []));
  const here = { ...window, phase: number, key: ids.at(-1) ?? 0 };
  const next: ChangesPlace =
    touched.length > ids.length
      ? { kind: "changes", after, window: here }
      : await nextStretch(pool, window, limit);
  const filled = (sql: string): string =>
    sql
      .replaceAll("$ids", listOf(ids))
      .replaceAll("$after", `${after.tx}, ${after.id}`)
      .replaceAll("$until", `${window.end.tx}, ${window.end.id}`);
  return {
    part: phase.part,
    select:
      phase.part === "upsert"
        ? rowsOf(table, columns, { objects: filled(phase.where) })
        : filled(phase.select),
    next,
    more: next.window !== undefined,
    asOf: window.asOf,
    fraction: fractionOf(next),
  };
}

function listOf(ids: readonly number[]): string {
  return `'{${ids.join(",")}}'::bigint[]`;
}

/** The rows of some days as they are now. */
async function planDays(parts: Parts, place: DaysPlace): Promise<PlannedPage> {
  const { pool, dataset, table, columns, limit } = parts;
  const { from, until } = place;
  const key = Number(place.key);
  // The days first: by id the whole table would be read up to them.
  const text = `with days as materialized (
      select distinct ${table.id} as id from ${table.from}
      where ${table.createdAt} >= $1::timestamptz and ${table.createdAt} < $2::timestamptz
    ) select id from days where id > $3 order by id limit $4`;
  const query = { name: `desk-dataset-days-${dataset}`, text, values: [from, until, key, limit] };
  const { rows } = await guarded(() => pool.query<{ id: number }>(query));
  const ids = rows.map(({ id }) => id);
  const within = `${table.createdAt} >= '${from}'::timestamptz and ${table.createdAt} < '${until}'::timestamptz`;
  const wanted = { objects: `$id = any (${listOf(ids)})`, and: within };
  return {
    part: "upsert",
    select: ids.length === 0 ? undefined : rowsOf(table, columns, wanted),
    next: { ...place, key: String(ids.at(-1) ?? key) },
    more: ids.length === limit,
    asOf: undefined,
    fraction: undefined,
  };
}
