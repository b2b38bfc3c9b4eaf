import type { Pool } from "pg";
import type { Cursor } from "../sdk/source.ts";
import type { DueLane, DueOptions, HeldLanes, Lease, StoredReceipt } from "./ledger.ts";
import type { OwnedLease } from "./lanes.ts";
import { inReplayTurn } from "./replay.ts";
import { leaseLost } from "./lanes.ts";

const renewText = `
update lane_lease set until = clock_timestamp() + $5 * interval '1 millisecond'
where target = $1 and lane = $2 and owner = $3 and fence = $4`;

export async function renewLease(pool: Pool, lease: OwnedLease, leaseMs: number): Promise<Lease> {
  const startedAt = performance.now();
  const values = [lease.target, lease.lane, lease.owner, lease.fence, leaseMs];
  const { rowCount } = await pool.query({ name: "renew", text: renewText, values });
  if (rowCount !== 1) throw leaseLost(lease);
  return { ...lease, expiresAt: startedAt + leaseMs };
}

const releaseText = `
delete from lane_lease l using unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as a(target, lane, owner, fence)
where l.target = a.target and l.lane = a.lane and l.owner = a.owner and l.fence = a.fence`;

export async function releaseLeases(pool: Pool, leases: readonly OwnedLease[]): Promise<void> {
  await pool.query({
    name: "release",
    text: releaseText,
    values: [
      leases.map((lease) => lease.target),
      leases.map((lease) => lease.lane),
      leases.map((lease) => lease.owner),
      leases.map((lease) => lease.fence),
    ],
  });
}

export async function pauseTarget(pool: Pool, target: string, forMs: number, reason: string): Promise<void> {
  await pool.query(
    `insert into target_pause (target, until, reason) values ($1, clock_timestamp() + $2 * interval '1 millisecond', $3)
     on conflict (target) do update set until = excluded.until, reason = excluded.reason
     where target_pause.until < excluded.until`,
    [target, forMs, reason],
  );
}

const overdueMs = 2000;

/** Rows looked at in one step when searching for due lanes; a step is an index range, however large the backlog is. */
const dueStep = 5000;
const dueSteps = 20;

// What waits behind a dead delivery that holds its lane is due, and nothing is to be done about it: it must not fill the steps. Nor must what
// waits for a target that is paused.
const dueText = `
with held as materialized (
  select target, lane from delivery where status = 0 and due_at = 'infinity' and lane_head_due(target, lane) = 'infinity'
), step as (
  select id, target, lane, priority, due_at from delivery
  where status = 0 and due_at <= clock_timestamp() - $3 * interval '1 millisecond' and (due_at, id) > ($1::timestamptz, $2::bigint)
    and (target, lane) not in (select target, lane from held)
    and target not in (select target from target_pause where until > clock_timestamp()) and target <> all ($4::text[])
  order by due_at, id limit ${dueStep}
), lanes as (
  select target, lane, min(priority) as priority, min(id) as first from step group by target, lane
)
select l.target, l.lane, l.priority, l.first,
  (select count(*)::int from step) as rows,
  (select max(due_at)::text from step) as last_due,
  (select id from step order by due_at desc, id desc limit 1) as last_id
from lanes l
where lane_head_due(l.target, l.lane) <= clock_timestamp()
  and not exists (select 1 from lane_lease h where h.target = l.target and h.lane = l.lane and h.until > clock_timestamp())
union all
select null, null, null, null, (select count(*)::int from step), (select max(due_at)::text from step),
  (select id from step order by due_at desc, id desc limit 1)
order by 4 nulls last`;

interface DueRow {
  readonly target: string | null;
  readonly lane: string;
  readonly priority: number;
  readonly rows: number;
  readonly last_due: string | null;
  readonly last_id: number | null;
}

/** Lanes with mail that has been due for so long or longer and that nobody holds, longest waiting first. */
export async function dueLanes(
  pool: Pool,
  limit: number,
  { dueForMs = overdueMs, except = [] }: DueOptions = {},
): Promise<readonly DueLane[]> {
  const found = new Map<string, DueLane>();
  let after: readonly [string, number] = ["-infinity", 0];
  for (let step = 0; step < dueSteps && found.size < limit; step += 1) {
    const values = [...after, dueForMs, except];
    const { rows } = await pool.query<DueRow>({ name: "due", text: dueText, values });
    for (const row of rows) {
      if (row.target === null || found.size >= limit) continue;
      found.set(`${row.target}\n${row.lane}`, {
        target: row.target,
        lane: row.lane,
        priority: row.priority === 0 ? "live" : "backfill",
      });
    }
    const last = rows.at(-1);
    if (last === undefined || last.rows < dueStep || last.last_due === null) break;
    after = [last.last_due, last.last_id ?? 0];
  }
  return [...found.values()];
}

export async function heldLanes(pool: Pool): Promise<readonly HeldLanes[]> {
  const { rows } = await pool.query<HeldLanes>(
    `select target, count(distinct lane)::int as lanes from delivery where status = 0 and due_at = 'infinity'
     group by target order by target`,
  );
  return rows;
}

export async function readReceipts(
  pool: Pool,
  sequence: number,
  flow: string,
  target: string,
): Promise<readonly StoredReceipt[]> {
  const { rows } = await pool.query<{ receipts: readonly StoredReceipt[] }>({
    name: "receipts",
    text: `select a.receipts from delivery d join attempt a on a.delivery = d.id
      where d.sequence = $1 and d.flow = $2 and d.target = $3 order by a.id`,
    values: [sequence, flow, target],
  });
  // Receipts used to say no place of their own: then they are those of the first operations, in order.
  return rows.flatMap((row) => row.receipts.map((receipt, index) => ({ index, ...receipt })));
}

const giveUpText = `
update delivery d set status = 3, finished_at = clock_timestamp(), code = 'connection_unknown',
  reason = 'no flow of the configuration writes to this target any more'
where d.status = 0 and d.target = $1 and d.due_at <= clock_timestamp()
  and not exists (select 1 from lane_lease l where l.target = d.target and l.lane = d.lane and l.until > clock_timestamp())`;

/** Ends the due deliveries to a target that nobody works for. */
export async function giveUp(pool: Pool, target: string): Promise<number> {
  const { rowCount } = await pool.query(giveUpText, [target]);
  return rowCount ?? 0;
}

const pruneText = `
with old as (
  select e.sequence, e.received_at from event e where e.sequence > $1 order by e.sequence limit $3
), over as (
  select o.sequence from old o
  where o.received_at < $2 and not exists (select 1 from delivery d where d.sequence = o.sequence and d.status in (0, 3))
), gone as (
  delete from delivery d using over o where d.sequence = o.sequence returning d.id
), attempts as (
  delete from attempt a using gone g where a.delivery = g.id
), effects as (
  delete from effect x using gone g where x.delivery = g.id
), interventions as (
  delete from intervention i using gone g where i.delivery = g.id
), events as (
  delete from event e using over o where e.sequence = o.sequence returning 1
)
select (select count(*)::int from events) as gone, (select max(sequence) from old) as last,
  (select count(*)::int from old where received_at < $2) as aged`;

interface PruneRow {
  readonly gone: number;
  readonly last: number | null;
  readonly aged: number;
}

/** Deletes what is over and older than `before`, batch by batch; pending deliveries and dead letters stay with their events. */
export async function prune(pool: Pool, before: number, batch: number, signal: AbortSignal): Promise<number> {
  let total = 0;
  let after = 0;
  while (!signal.aborted) {
    const values = [after, new Date(before), batch];
    const row = await inReplayTurn(pool, async (client) => {
      const { rows } = await client.query<PruneRow>(pruneText, values);
      return rows[0];
    });
    if (row === undefined || row.last === null) break;
    total += row.gone;
    after = row.last;
    // The ledger is in order of arrival: the first batch that reaches into the retention time is the last one to look at.
    if (row.aged < batch) break;
  }
  return total;
}

export async function readCursor(
  pool: Pool,
  connection: string,
  source: string,
): Promise<Cursor | undefined> {
  const { rows } = await pool.query<{ cursor: Cursor }>(
    "select cursor from source_cursor where connection = $1 and source = $2",
    [connection, source],
  );
  return rows[0]?.cursor;
}
