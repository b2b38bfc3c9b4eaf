import type { Pool } from "pg";
import { createBatcher } from "../../ledger/batcher.ts";
import type { FeedPosition } from "../change.ts";
import { feedStart, isBehind, requireReached } from "../change.ts";
import type { ChangesPlace, Window } from "../dataset-place.ts";
import { settled } from "./changes.ts";
import { guarded } from "./fault.ts";

interface Beginning {
  /** The newest change that may be read. */
  readonly position: FeedPosition;
  /** When it was looked at, in milliseconds since the epoch. */
  readonly asOf: number;
  readonly edge: number;
}

/**
 * Where a read begins. `edge` is a query for the largest id of a table, looked up in the same snapshot: an object that it does not show is in a change
 * behind the position.
 */
export async function beginRead(pool: Pool, edge = "null"): Promise<Beginning> {
  const text = `select coalesce(c.tx, 0) as tx, coalesce(c.id, 0) as id, coalesce((${edge})::bigint, 0) as edge,
      floor(date_part('epoch', clock_timestamp()) * 1000)::bigint as "asOf"
    from (select) as one left join lateral (
      select tx, id from change where ${settled} order by tx desc, id desc limit 1
    ) c on true`;
  const { rows } = await guarded(() => pool.query<FeedPosition & Omit<Beginning, "position">>(text));
  const { tx, id, asOf, edge: last } = rows[0] ?? { ...feedStart, asOf: 0, edge: 0 };
  return { position: { tx, id }, asOf, edge: last };
}

/** Where reads begin that need no edge: one look for all that are asked for at the same time. Each is looked up after it was asked for. */
export type SharedBeginning = () => Promise<Beginning>;

const mostReaders = 10_000;

export function createSharedBeginning(pool: Pool): SharedBeginning {
  const { submit } = createBatcher<undefined, Beginning>({
    maxItems: mostReaders,
    maxWaiting: mostReaders,
    parallel: 1,
    run: async (readers) => {
      const beginning = await beginRead(pool);
      return readers.map(() => beginning);
    },
    isShared: () => true,
  });
  return () => submit(undefined);
}

/** Opens the window from a place up to now. Without a window in it, nothing has changed. Throws `cursor_ahead` as `requireReached` does. */
export async function openWindow(
  pool: Pool,
  begin: SharedBeginning,
  after: FeedPosition,
  limit: number,
): Promise<{ readonly place: ChangesPlace; readonly asOf: number }> {
  const { position: until, asOf } = await begin();
  requireReached(after, until);
  const place = isBehind(after, until)
    ? await nextStretch(pool, { until, asOf, origin: after.id, end: after }, limit)
    : ({ kind: "changes", after } as const);
  return { place, asOf };
}

const stretchText = `select tx, id from (
    select tx, id from change where (tx, id) > ($1, $2) and (tx, id) <= ($3, $4) order by tx, id limit $5
  ) s order by tx desc, id desc limit 1`;

/** The place behind a stretch that is done: at the beginning of the next one, of `limit` changes, or where the window ends. */
export async function nextStretch(
  pool: Pool,
  { until, asOf, origin, end }: Pick<Window, "until" | "asOf" | "origin" | "end">,
  limit: number,
): Promise<ChangesPlace> {
  if (!isBehind(end, until)) return { kind: "changes", after: until };
  const values = [end.tx, end.id, until.tx, until.id, limit];
  const query = { name: "desk-dataset-stretch", text: stretchText, values };
  const { rows } = await guarded(() => pool.query<FeedPosition>(query));
  const next = rows[0] ?? until;
  return { kind: "changes", after: end, window: { until, asOf, origin, end: next, phase: 0, key: 0 } };
}

/** How much of a window is done at a place. */
export function fractionOf({ after, window }: ChangesPlace): number {
  if (window === undefined) return 1;
  const { origin, until } = window;
  return Math.min(Math.max((after.id - origin) / Math.max(until.id - origin, 1), 0), 1);
}
