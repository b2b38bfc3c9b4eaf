import type { Pool, PoolClient } from "pg";
import { repeatOnDeadlock, toLedgerError } from "./fault.ts";
import type { EventRow } from "./reader.ts";
import { eventColumns } from "./reader.ts";
import { inTransaction } from "./transaction.ts";

/** Which events of the past a replay is about. Times are those of receipt, RFC 3339; `since` inclusive, `until` exclusive. */
export interface ReplayRange {
  readonly flow: string;
  readonly connections: readonly string[];
  readonly types: readonly string[];
  readonly since: string;
  readonly until: string;
}

/** An event of the range. */
export interface ReplayEvent extends EventRow {
  /** A delivery of it by the same flow is not over yet. */
  readonly pending: boolean;
}

export interface ReplayPage {
  readonly events: readonly ReplayEvent[];
  /** Where the next page begins: after this sequence. */
  readonly last: number;
}

export interface NewReplay {
  readonly sequence: number;
  readonly target: string;
  readonly lane: string;
}

/** Reads past events and makes new deliveries of them. */
export interface Replays {
  /** The first and the last event's sequence; undefined for an empty ledger. */
  readonly bounds: () => Promise<{ readonly first: number; readonly last: number } | undefined>;
  /** Looks at some thousand events after a sequence and returns those of the range, in order of arrival. */
  readonly page: (range: ReplayRange, after: number) => Promise<ReplayPage>;
  /**
   * Makes new deliveries behind all others of their lanes, in the order given, and returns those made. Left out are events that have gone
   * meanwhile, and those that this flow has an unfinished delivery of. Dead letters of the same event and flow are closed: the new delivery
   * takes their place. Rings for nobody.
   */
  readonly redeliver: (flow: string, replays: readonly NewReplay[]) => Promise<readonly NewReplay[]>;
}

/** Events looked at for a page, and returned in one at most. */
const pageSpan = 5000;
const pageSize = 200;

const pageText = `
select ${eventColumns},
  exists (select 1 from delivery d where d.sequence = e.sequence and d.flow = $1 and d.status = 0) as pending
from event e
where e.sequence > $2 and e.sequence <= $3 and e.connection = any ($4) and e.type = any ($5)
  and e.received_at >= $6 and e.received_at < $7
order by e.sequence limit ${pageSize}`;

const redeliverText = `
with made as (
  insert into delivery (sequence, flow, target, lane, priority, status, again, replayed_at)
  select i.sequence, $1, i.target, i.lane, 1, 0, true, clock_timestamp()
  from unnest($2::bigint[], $3::text[], $4::text[]) with ordinality as i(sequence, target, lane, ordinal)
  where exists (select 1 from event e where e.sequence = i.sequence)
    and not exists (select 1 from delivery d where d.sequence = i.sequence and d.flow = $1 and d.status = 0)
  order by i.ordinal
  returning id, sequence, target, lane
), closed as (
  update delivery d set status = 2, code = null, reason = 'replayed as delivery ' || m.id, finished_at = clock_timestamp()
  from made m where d.sequence = m.sequence and d.flow = $1 and d.status = 3
  returning d.id, m.id as made
), noted as (
  insert into intervention (delivery, kind, details) select id, 'replayed', json_build_object('delivery', made) from closed
)
select sequence, target, lane from made order by id`;

/** Replays on the ledger's own pool. */
export function createReplays(pool: Pool): Replays {
  return {
    bounds: () =>
      guarded(async () => {
        const { rows } = await pool.query<{ first: number | null; last: number }>(
          "select min(sequence) as first, max(sequence) as last from event",
        );
        const [row] = rows;
        return row === undefined || row.first === null ? undefined : { first: row.first, last: row.last };
      }),
    page: (range, after) => guarded(() => readPage(pool, range, after)),
    redeliver: (flow, replays) =>
      guarded(() =>
        inReplayTurn(pool, async (client) => {
          const columns = [
            replays.map((one) => one.sequence),
            replays.map((one) => one.target),
            replays.map((one) => one.lane.replaceAll("\0", "\uFFFD")),
          ];
          const { rows } = await client.query<NewReplay>(redeliverText, [flow, ...columns]);
          return rows;
        }),
      ),
  };
}

async function readPage(pool: Pool, range: ReplayRange, after: number): Promise<ReplayPage> {
  const { flow, connections, types, since, until } = range;
  const end = after + pageSpan;
  const values = [flow, after, end, connections, types, since, until];
  const { rows } = await pool.query<ReplayEvent>(pageText, values);
  const events = JSON.parse(JSON.stringify(rows)) as ReplayEvent[];
  return { events, last: events.length < pageSize ? end : (events.at(-1)?.sequence ?? end) };
}

async function guarded<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await repeatOnDeadlock(run);
  } catch (error) {
    throw toLedgerError(error);
  }
}

/**
 * Runs in a transaction that no other replay and no pruning runs beside: two replays do not make the same delivery, and no event goes while a
 * delivery is made of it.
 */
export async function inReplayTurn<T>(pool: Pool, run: (client: PoolClient) => Promise<T>): Promise<T> {
  return inTransaction(pool, async (client) => {
    await client.query("select pg_advisory_xact_lock(hashtextextended('deskbridge replay', 0))");
    return run(client);
  });
}
