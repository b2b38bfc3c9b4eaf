import type { Pool } from "pg";
import { toLedgerError } from "./fault.ts";
import type { DeliveryStatus } from "./ledger.ts";

/** One attempt as it is on record. */
export interface AttemptRow {
  readonly number: number;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly outcome: string;
  readonly code: string | null;
  readonly message: string | null;
  readonly receipts: readonly Readonly<Record<string, unknown>>[];
}

export interface DeliveryRow {
  readonly id: number;
  readonly sequence: number;
  readonly flow: string;
  readonly target: string;
  readonly lane: string;
  readonly priority: "live" | "backfill";
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly dueAt: string;
  readonly finishedAt: string | null;
  readonly code: string | null;
  readonly reason: string | null;
}

/** An event as the ledger keeps it; `data` and `raw` may hold personal data. */
export interface EventRow {
  readonly sequence: number;
  readonly connection: string;
  readonly eventId: string;
  readonly type: string;
  readonly subject: string;
  readonly happenedAt: string;
  readonly receivedAt: string;
  readonly via: string;
  readonly data: unknown;
  readonly raw: unknown;
}

/** The whole way of one event. */
export interface EventWay {
  readonly event: EventRow;
  readonly deliveries: readonly (DeliveryRow & { readonly history: readonly AttemptRow[] })[];
}

export interface DeadLetter extends DeliveryRow {
  readonly connection: string;
  readonly eventId: string;
  readonly type: string;
  readonly subject: string;
}

export interface TargetCounts {
  readonly target: string;
  readonly pending: number;
  readonly due: number;
  readonly dead: number;
  readonly oldestDueSeconds: number | null;
  readonly pausedSeconds: number | null;
  readonly pauseReason: string | null;
}

export interface LedgerCounts {
  readonly events: number;
  readonly deliveries: Readonly<Record<DeliveryStatus, number>>;
  readonly targets: readonly TargetCounts[];
  readonly cursors: readonly { connection: string; source: string; time: string; movedAt: string }[];
}

/** Looks into the ledger for people: slower than the hot path, and never in its way. */
export interface LedgerReader {
  /** The events with this id, newest first: several when two connections use the same one. A number is also tried as a sequence. */
  readonly wayOf: (id: string) => Promise<readonly EventWay[]>;
  readonly deadLetters: (filter: { flow?: string; limit: number }) => Promise<readonly DeadLetter[]>;
  readonly deadLetter: (delivery: number) => Promise<(DeadLetter & { readonly way: EventWay }) | undefined>;
  /** Makes dead letters pending again and returns the lanes to ring for. All of them when neither ids nor a flow is given. */
  readonly retryDead: (which: {
    ids?: readonly number[];
    flow?: string;
  }) => Promise<readonly { readonly delivery: number; readonly target: string; readonly lane: string }[]>;
  readonly counts: () => Promise<LedgerCounts>;
}

const statusNames = `(array['pending', 'done', 'skipped', 'dead'])[d.status + 1]`;
const deliveryColumns = `d.id, d.sequence, d.flow, d.target, d.lane, case d.priority when 0 then 'live' else 'backfill' end as priority,
  ${statusNames} as status, d.attempts, d.due_at as "dueAt", d.finished_at as "finishedAt", d.code, d.reason`;
const eventColumns = `e.sequence, e.connection, e.event_id as "eventId", e.type, e.subject, e.happened_at as "happenedAt",
  e.received_at as "receivedAt", e.via, e.data, e.raw`;

const deadLetterColumns = `${deliveryColumns}, e.connection, e.event_id as "eventId", e.type, e.subject`;

export function createLedgerReader(pool: Pool): LedgerReader {
  const query: Query = async <Row>(text: string, values: readonly unknown[] = []) => {
    try {
      const { rows } = await pool.query(text, [...values]);
      return JSON.parse(JSON.stringify(rows)) as Row[];
    } catch (error) {
      throw toLedgerError(error);
    }
  };
  return {
    wayOf: (id) => readWays(query, id),
    deadLetters: ({ flow, limit }) =>
      query<DeadLetter>(
        `select ${deadLetterColumns} from delivery d join event e using (sequence)
         where d.status = 3 and ($1::text is null or d.flow = $1) order by d.id desc limit $2`,
        [flow ?? null, limit],
      ),
    deadLetter: (delivery) => readDeadLetter(query, delivery),
    retryDead: ({ ids, flow }) =>
      query(
        `update delivery set status = 0, due_at = clock_timestamp(), finished_at = null
         where status = 3 and flow <> '(intake)' and ($1::bigint[] is null or id = any ($1)) and ($2::text is null or flow = $2)
         returning id as delivery, target, lane`,
        [ids ?? null, flow ?? null],
      ),
    counts: () => readCounts(query),
  };
}

async function readWays(query: Query, id: string): Promise<readonly EventWay[]> {
  const sequence = /^\d{1,15}$/.test(id) ? Number(id) : -1;
  const events = await query<EventRow>(
    `select ${eventColumns} from event e where e.event_id = $1 or e.sequence = $2 order by e.sequence desc limit 20`,
    [id, sequence],
  );
  return Promise.all(
    events.map(async (event) => ({ event, deliveries: await readDeliveries(query, event.sequence) })),
  );
}

async function readDeliveries(query: Query, sequence: number): Promise<EventWay["deliveries"]> {
  const deliveries = await query<DeliveryRow>(
    `select ${deliveryColumns} from delivery d where d.sequence = $1 order by d.id`,
    [sequence],
  );
  const attempts = await query<AttemptRow & { delivery: number }>(
    `select delivery, number, started_at as "startedAt", duration_ms as "durationMs", outcome, code, message, receipts
     from attempt where delivery = any ($1) order by delivery, id`,
    [deliveries.map((delivery) => delivery.id)],
  );
  const byDelivery = Map.groupBy(attempts, (attempt) => attempt.delivery);
  return deliveries.map((delivery) => ({ ...delivery, history: byDelivery.get(delivery.id) ?? [] }));
}

async function readDeadLetter(
  query: Query,
  delivery: number,
): Promise<(DeadLetter & { readonly way: EventWay }) | undefined> {
  const [row] = await query<DeadLetter>(
    `select ${deadLetterColumns} from delivery d join event e using (sequence) where d.status = 3 and d.id = $1`,
    [delivery],
  );
  if (row === undefined) return undefined;
  const ways = await readWays(query, String(row.sequence));
  const way = ways.find((candidate) => candidate.event.sequence === row.sequence);
  return way === undefined ? undefined : { ...row, way };
}

type Query = <Row>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

async function readCounts(query: Query): Promise<LedgerCounts> {
  const [totals, statuses, targets, cursors] = await Promise.all([
    query<{ events: number }>("select count(*) as events from event"),
    query<{ status: DeliveryStatus; count: number }>(
      `select ${statusNames} as status, count(*) as count from delivery d group by d.status`,
    ),
    query<TargetCounts>(
      `with c as (
         select target, count(*) filter (where status = 0) as pending,
           count(*) filter (where status = 0 and due_at <= clock_timestamp()) as due, count(*) filter (where status = 3) as dead,
           extract(epoch from clock_timestamp() - min(due_at) filter (where status = 0 and due_at <= clock_timestamp()))::float8 as oldest
         from delivery where status in (0, 3) group by target
       )
       select coalesce(c.target, p.target) as target, coalesce(pending, 0) as pending, coalesce(due, 0) as due, coalesce(dead, 0) as dead,
         oldest as "oldestDueSeconds",
         extract(epoch from p.until - clock_timestamp())::float8 as "pausedSeconds", p.reason as "pauseReason"
       from c full join (select * from target_pause where until > clock_timestamp()) p using (target) order by 1`,
    ),
    query<{ connection: string; source: string; time: string; movedAt: string }>(
      `select connection, source, cursor->>'time' as time, moved_at as "movedAt" from source_cursor order by 1, 2`,
    ),
  ]);
  const deliveries = { pending: 0, done: 0, skipped: 0, dead: 0 };
  for (const { status, count } of statuses) deliveries[status] = count;
  return { events: totals[0]?.events ?? 0, deliveries, targets, cursors };
}
