import type { Pool, PoolClient } from "pg";
import type { AppendItem, Appended, CursorMove } from "./ledger.ts";
import { inTransaction } from "./transaction.ts";

const insertEvents = `
with incoming as (
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::text[],
    string_to_array($8, E'\\x1e'), string_to_array($9, E'\\x1e', ''))
    with ordinality as i(connection, event_id, type, subject, happened_at, received_at, via, data, raw, position)
), stored as (
  insert into event (connection, event_id, type, subject, happened_at, received_at, via, data, raw)
  select connection, event_id, type, subject, happened_at, received_at, via, data::json, raw::json from incoming order by position
  on conflict (connection, event_id) do nothing
  returning sequence, connection, event_id
), delivered as (
  insert into delivery (sequence, flow, target, lane, priority, status, code, reason, finished_at)
  select s.sequence, d.flow, d.target, d.lane, d.priority, d.status, d.code, d.reason,
    case when d.status <> 0 then clock_timestamp() end
  from unnest($10::bigint[], $11::text[], $12::text[], $13::text[], $14::smallint[], $15::smallint[], $16::text[], $17::text[])
    with ordinality as d(position, flow, target, lane, priority, status, code, reason, ordinal)
  join incoming i on i.position = d.position
  join stored s on s.connection = i.connection and s.event_id = i.event_id
  order by s.sequence, d.ordinal
)
select i.position, s.sequence is null as duplicate, coalesce(
  s.sequence, (select e.sequence from event e where e.connection = i.connection and e.event_id = i.event_id)
) as sequence
from incoming i
left join stored s on s.connection = i.connection and s.event_id = i.event_id`;

interface AppendedRow {
  readonly position: number;
  readonly sequence: number | null;
  readonly duplicate: boolean;
}

/** PostgreSQL text holds no NUL; a vendor's id that has one keeps its identity with the replacement character. */
function storable(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\uFFFD") : text;
}

function identity(item: AppendItem): string {
  return JSON.stringify([item.event.source, item.event.id]);
}

/**
 * Between the JSON texts of a batch, which go over as one text: as members of an array each of their quotes would be escaped here and read
 * again there. JSON holds no control character as such.
 */
const separator = "\x1e";

/** Column arrays for the events of a batch and for their deliveries. */
function toColumns(items: readonly AppendItem[]): unknown[] {
  const events: unknown[][] = [[], [], [], [], [], [], []];
  const deliveries: unknown[][] = [[], [], [], [], [], [], [], []];
  items.forEach(({ event, receivedAt, via, deliveries: wanted }, index) => {
    const row = [
      storable(event.source),
      storable(event.id),
      event.type,
      storable(event.subject),
      event.time,
      new Date(receivedAt),
      via,
    ];
    row.forEach((value, column) => events[column]?.push(value));
    for (const delivery of wanted) {
      const columns = [
        index + 1,
        delivery.flow,
        delivery.target,
        storable(delivery.lane),
        delivery.priority === "live" ? 0 : 1,
        delivery.dead === undefined ? 0 : 3,
        delivery.dead?.code ?? null,
        delivery.dead?.message ?? null,
      ];
      columns.forEach((value, column) => deliveries[column]?.push(value));
    }
  });
  const data = items.map(({ event }) => JSON.stringify(event.data));
  const raw = items.map(({ event }) => JSON.stringify(event.raw) ?? "");
  return [...events, data.join(separator), raw.join(separator), ...deliveries];
}

/**
 * Stores a batch of events with their deliveries in one statement. An event that is there already, or twice in the batch, is a duplicate: it
 * changes nothing. Results are in the order of the items.
 */
export async function appendBatch(
  db: Pool | PoolClient,
  items: readonly AppendItem[],
): Promise<readonly Appended[]> {
  const firstOf = new Map<string, number>();
  const distinct: AppendItem[] = [];
  const places = items.map((item) => {
    const key = identity(item);
    const known = firstOf.get(key);
    if (known !== undefined) return { place: known, repeated: true };
    firstOf.set(key, distinct.length);
    distinct.push(item);
    return { place: distinct.length - 1, repeated: false };
  });
  const { rows } = await db.query<AppendedRow>({
    name: "append",
    text: insertEvents,
    values: toColumns(distinct),
  });
  const byPlace = new Map(rows.map((row) => [row.position - 1, row]));
  return places.map(({ place, repeated }) => {
    const row = byPlace.get(place);
    return { sequence: row?.sequence ?? undefined, duplicate: repeated || (row?.duplicate ?? true) };
  });
}

const moveCursor = `
insert into source_cursor (connection, source, cursor) values ($1, $2, $3)
on conflict (connection, source) do update set cursor = excluded.cursor, moved_at = clock_timestamp()`;

/** Stores a page of events and the cursor behind it, in one transaction on its own connection. */
export async function appendPage(
  pool: Pool,
  items: readonly AppendItem[],
  move: CursorMove,
): Promise<readonly Appended[]> {
  return inTransaction(pool, async (client) => {
    const appended = items.length === 0 ? [] : await appendBatch(client, items);
    await client.query(moveCursor, [move.connection, move.source, JSON.stringify(move.cursor)]);
    return appended;
  });
}
