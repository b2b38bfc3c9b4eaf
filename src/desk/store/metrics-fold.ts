import type { Pool, PoolClient } from "pg";
import type { GroupChange, TicketFacts } from "../metric-facts.ts";
import { gatherChanges } from "../metric-facts.ts";
import { guarded } from "./fault.ts";
import { storeChanges } from "./metrics-store.ts";

interface FoldPosition {
  readonly tx: number;
  readonly id: number;
}

interface TouchedRow extends FoldPosition {
  readonly ticket: number | null;
}

export interface FactsRow {
  readonly ticket: number;
  /** Null for a ticket that counts nowhere. */
  readonly facts: string | null;
  /** What is in the sums already. */
  readonly folded: string | null;
}

const lockNumber = "hashtextextended('deskbridge metrics', 0)";

/** Only one process folds at a time; the others find nothing to do. */
const lockText = `select pg_try_advisory_xact_lock(${lockNumber}) as mine`;

// Not beyond the oldest transaction that is still running: what it writes would be left out.
const touchedText = `
select tx, id, ticket from change
where (tx, id) > ($1, $2) and tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (select value from feed_offset)
order by tx, id limit $3`;

/** The facts of tickets as they are, beside those that were folded; only where the two differ. What counts nowhere has none. */
export const factsText = `
select * from (
  select t.id as ticket, f.facts as folded, case when t.merged_into is null then json_build_object(
    'created', floor(date_part('epoch', t.created_at)),
    'turns', (select coalesce(array_agg(floor(date_part('epoch', turn))), '{}') from unnest(m.turns) as turn),
    'reply', case when m.first_reply_at is not null then json_build_array(
      floor(date_part('epoch', m.first_reply_at)), m.first_reply_seconds, m.first_reply_business_seconds) end,
    'resolution', case when m.resolved_at is not null then json_build_array(
      floor(date_part('epoch', m.resolved_at)), m.resolution_seconds, m.resolution_business_seconds) end,
    'reopens', coalesce(m.reopens, 0),
    'replies', coalesce(m.replies, 0),
    'rating', case when c.score is not null then json_build_array(floor(date_part('epoch', c.rated_at)), c.score) end,
    'channel', t.channel,
    'tags', t.tags,
    'assignee', t.assignee,
    'order_sources', array(
      select distinct o.source from ticket_order l join sales_order o on o.id = l.sales_order where l.ticket = t.id order by 1
    ),
    'reason', coalesce(nullif(t.custom_fields->>'reason', ''), t.tags[1])
  )::text end as facts
  from ticket t left join ticket_metric m on m.ticket = t.id left join ticket_csat c on c.ticket = t.id
    left join metric_folded f on f.ticket = t.id
  where t.id = any ($1) offset 0
) as compared
where facts is distinct from folded`;

const keepText = `
insert into metric_folded (ticket, facts) select * from unnest($1::bigint[], $2::text[])
on conflict (ticket) do update set facts = excluded.facts`;

const dropText = "delete from metric_folded where ticket = any ($1)";

/**
 * Folds changes into the sums, `batch` changes a transaction, until there are none left or the time is up, by the clock of `performance.now()`; returns
 * how many tickets were folded. Where another process is at it, there is nothing to do.
 */
export async function foldMetrics(pool: Pool, batch: number, deadline = Infinity): Promise<number> {
  let folded = 0;
  for (;;) {
    const { tickets, more } = await guarded(() => foldBatch(pool, batch));
    folded += tickets;
    if (!more || performance.now() > deadline) return folded;
  }
}

async function foldBatch(pool: Pool, batch: number): Promise<{ tickets: number; more: boolean }> {
  const client = await pool.connect();
  let failed = true;
  try {
    await client.query("begin isolation level repeatable read");
    const outcome = await foldIn(client, batch);
    await client.query("commit");
    failed = false;
    return outcome;
  } finally {
    client.release(failed);
  }
}

async function foldIn(client: PoolClient, batch: number): Promise<{ tickets: number; more: boolean }> {
  const lock = await client.query<{ mine: boolean }>(lockText);
  if (lock.rows[0]?.mine !== true) return { tickets: 0, more: false };
  const position = await client.query<
    FoldPosition & { readonly number: number; readonly keepsGains: boolean }
  >(`select tx, id, batch + 1 as number, gains_from is not null as "keepsGains" from metric_fold`);
  const { tx, id, number, keepsGains } = position.rows[0] ?? { tx: 0, id: 0, number: 1, keepsGains: false };
  const { rows: touched } = await client.query<TouchedRow>(touchedText, [tx, id, batch]);
  const last = touched.at(-1);
  if (last === undefined) return { tickets: 0, more: false };
  const tickets = [...new Set(touched.flatMap(({ ticket }) => ticket ?? []))];
  const { rows } = await client.query<FactsRow>(factsText, [tickets]);
  await keepFacts(client, rows);
  await storeChanges(client, changesOf(rows), { number, keepsGains });
  await client.query("update metric_fold set tx = $1, id = $2, batch = $3", [last.tx, last.id, number]);
  if (keepsGains && number % foldsBetweenPrunes === 0) await client.query(pruneText, [gainDays, mostPruned]);
  return { tickets: rows.length, more: touched.length === batch };
}

/** Who reads the figures by day at least that often is told only of what changed. */
const gainDays = 35;
const foldsBetweenPrunes = 100;
const mostPruned = 100_000;

const pruneText = `
with gone as (
  delete from metric_gain where (batch, grouping, day, key) in (
    select batch, grouping, day, key from metric_gain order by batch limit $2
  ) and folded_at < now() - $1 * interval '1 day' returning batch
)
update metric_fold set gains_from = greatest(gains_from, (select max(batch) from gone))`;

const keepGainsText = `
with mine as materialized (select pg_advisory_xact_lock(${lockNumber}))
update metric_fold set gains_from = batch from mine where gains_from is null`;

/** From the next fold on it is put down which days have another backlog by it. */
export async function keepGains(pool: Pool): Promise<void> {
  await guarded(() => pool.query(keepGainsText));
}

/** What has to be done to the sums so that they hold the present facts. */
export function changesOf(rows: readonly FactsRow[]): readonly GroupChange[] {
  const gathered = gatherChanges();
  for (const { facts, folded } of rows) {
    if (folded !== null) gathered.add(JSON.parse(folded) as TicketFacts, -1);
    if (facts !== null) gathered.add(JSON.parse(facts) as TicketFacts, 1);
  }
  return gathered.changes();
}

async function keepFacts(client: PoolClient, rows: readonly FactsRow[]): Promise<void> {
  const kept = rows.filter(({ facts }) => facts !== null);
  const gone = rows.filter(({ facts }) => facts === null);
  if (kept.length > 0) {
    await client.query(keepText, [kept.map(({ ticket }) => ticket), kept.map(({ facts }) => facts)]);
  }
  if (gone.length > 0) await client.query(dropText, [gone.map(({ ticket }) => ticket)]);
}
