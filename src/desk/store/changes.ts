import type { Pool } from "pg";
import type { FeedPosition } from "../change.ts";
import { feedStart } from "../change.ts";
import { guarded } from "./fault.ts";

/** One change, as far as it is looked at before it is sent. */
export interface Change extends FeedPosition {
  readonly type: string;
  /** Which one of its kind; the kind is the first word of `type`. */
  readonly object: number;
  readonly ticket: number | null;
  /** The change as it is answered, in JSON. */
  readonly body: string;
}

export interface ChangeRequest {
  readonly after: FeedPosition;
  /** Undefined for all. */
  readonly types: readonly string[] | undefined;
  readonly limit: number;
}

/** A stretch of the feed, in its order. */
export interface ChangePage {
  readonly changes: readonly Change[];
  /** Everything up to here has been looked at. Where the next page goes on. */
  readonly end: FeedPosition;
  /** Whether there may be more already. */
  readonly more: boolean;
}

interface Row extends FeedPosition {
  readonly type: string;
  readonly object: number;
  readonly ticket: number | null;
  readonly body: string | null;
}

/** With a filter on types, so many changes are looked at in one statement. */
const scanAtLeast = 2000;

/**
 * What may be read: nothing of a transaction that is as young as the oldest one still running, or younger. Whatever becomes visible later
 * stands behind that, so a reader never passes by a place where something is still to appear.
 */
export const settled = `tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (select value from feed_offset)`;

const prefixOfKind = `case split_part(type, '.', 1)
  when 'ticket' then 'tkt' when 'message' then 'msg' when 'contact' then 'con' when 'order' then 'ord'
  when 'attachment' then 'att' else split_part(type, '.', 1) end`;

const body = `json_build_object(
  'id', 'evt_' || id,
  'sequence', lpad(to_hex(tx), 13, '0') || lpad(to_hex(id), 13, '0'),
  'type', type,
  'time', stamp(at),
  'actor', actor,
  'object_id', ${prefixOfKind} || '_' || object,
  'ticket_id', 'tkt_' || ticket,
  'data', data
)::text as body`;

const allText = `
select tx, id, type, object, ticket, ${body} from change
where (tx, id) > ($1, $2) and ${settled} order by tx, id limit $3`;

// The last one looked at comes without a body when it is of no type that was asked for: it only says how far the look went.
const filteredText = `
with looked as materialized (
  select * from change where (tx, id) > ($1, $2) and ${settled} order by tx, id limit $4
), edge as (
  select max(array[tx, id]) as at from looked
), wanted as (
  select looked.* from looked, edge where type = any ($5) or array[tx, id] = edge.at order by tx, id limit $3
)
select tx, id, type, object, ticket, case when type = any ($5) then ${body.replace(/ as body$/, "")} end as body from wanted order by tx, id`;

/** The next changes after a position. */
export async function readChanges(pool: Pool, { after, types, limit }: ChangeRequest): Promise<ChangePage> {
  const scan = Math.max(limit, scanAtLeast);
  const query =
    types === undefined
      ? { name: "desk-changes", text: allText, values: [after.tx, after.id, limit] }
      : { name: "desk-changes-of", text: filteredText, values: [after.tx, after.id, limit, scan, types] };
  const { rows } = await guarded(() => pool.query<Row>(query));
  const last = rows.at(-1);
  return {
    changes: rows.filter((row): row is Change => row.body !== null),
    end: last === undefined ? after : { tx: last.tx, id: last.id },
    // With a filter only a look that found nothing at all knows that it has reached the end.
    more: types === undefined ? rows.length === limit : last !== undefined,
  };
}

const endText = `select tx, id from change where ${settled} order by tx desc, id desc limit 1`;

/** The position of the newest change that may be read. */
export async function feedEnd(pool: Pool): Promise<FeedPosition> {
  const { rows } = await guarded(() => pool.query<FeedPosition>({ name: "desk-feed-end", text: endText }));
  return rows[0] ?? feedStart;
}
