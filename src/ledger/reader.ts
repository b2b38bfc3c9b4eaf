import type { Pool } from "pg";
import type { DeadChoice } from "./dead-letters.ts";
import { toLedgerError } from "./fault.ts";
import type { Event } from "../model/event.ts";
import type { DeliveryStatus, StoredReceipt } from "./ledger.ts";

/** One attempt as it is on record. */
export interface AttemptRow {
  readonly number: number;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly outcome: string;
  readonly code: string | null;
  readonly message: string | null;
  readonly receipts: readonly StoredReceipt[];
  /** Version of the configuration that it was made with. */
  readonly config: string | null;
  /** What the flow mapped to, of an attempt that ended dead after it had mapped; may hold personal data. */
  readonly operations: readonly MappedRow[] | null;
}

export interface MappedRow {
  readonly name: string;
  readonly input: unknown;
}

/** What somebody did about a delivery, by hand. `details` of an edit hold values before and after, which may be personal data. */
export interface InterventionRow {
  readonly kind: "retried" | "edited" | "discarded" | "resolved" | "replayed";
  readonly happenedAt: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface DeliveryRow {
  readonly id: number;
  readonly sequence: number;
  readonly flow: string;
  readonly target: string;
  readonly lane: string;
  readonly priority: "live" | "backfill";
  readonly status: DeliveryStatus;
  /** It is dead, and its lane stands still until somebody decides. */
  readonly holds: boolean;
  readonly attempts: number;
  /** Null for one that holds its lane. */
  readonly dueAt: string | null;
  readonly finishedAt: string | null;
  readonly code: string | null;
  readonly reason: string | null;
  /** When a replay made it; null for one that came with its event. */
  readonly replayedAt: string | null;
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

/** A delivery with all that happened to it. */
export interface DeliveryWay extends DeliveryRow {
  readonly history: readonly AttemptRow[];
  readonly interventions: readonly InterventionRow[];
  /** What stands in place of the event's data for this delivery, null unless it was edited. */
  readonly editedData: unknown;
  /** The dead letter that keeps it waiting, because it holds their lane; null for what does not wait. */
  readonly heldBy: number | null;
}

/** The whole way of one event. */
export interface EventWay {
  readonly event: EventRow;
  readonly deliveries: readonly DeliveryWay[];
}

export interface DeadLetter extends DeliveryRow {
  readonly connection: string;
  readonly eventId: string;
  readonly type: string;
  readonly subject: string;
  /** How many deliveries wait behind it, where it holds its lane; else 0. */
  readonly waiting: number;
}

export interface DeadCount {
  readonly flow: string;
  readonly target: string;
  readonly count: number;
}

/** A dead letter with its event and all of that event's deliveries. */
export type FullDeadLetter = DeadLetter & { readonly way: EventWay };

export interface TargetCounts {
  readonly target: string;
  readonly pending: number;
  readonly due: number;
  readonly dead: number;
  /** Lanes that stand still behind a dead delivery, and the deliveries that wait in them. They count as pending, not as due. */
  readonly heldLanes: number;
  readonly heldWaiting: number;
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
  /** Newest first. */
  readonly deadLetters: (filter: { flow?: string; limit: number }) => Promise<readonly DeadLetter[]>;
  /** How many of those chosen there are of each flow and target. */
  readonly deadCounts: (which: DeadChoice) => Promise<readonly DeadCount[]>;
  readonly deadLetter: (delivery: number) => Promise<FullDeadLetter | undefined>;
  readonly counts: () => Promise<LedgerCounts>;
}

const holds = "(d.status = 0 and d.due_at = 'infinity')";
const statusNames = `case when ${holds} then 'dead' else (array['pending', 'done', 'skipped', 'dead'])[d.status + 1] end`;
const deliveryColumns = `d.id, d.sequence, d.flow, d.target, d.lane, case d.priority when 0 then 'live' else 'backfill' end as priority,
  ${statusNames} as status, ${holds} as holds, d.attempts, nullif(d.due_at, 'infinity') as "dueAt", d.finished_at as "finishedAt",
  d.code, d.reason, d.replayed_at as "replayedAt"`;
/** An event's columns under the names of `EventRow`. */
export const eventColumns = `e.sequence, e.connection, e.event_id as "eventId", e.type, e.subject, e.happened_at as "happenedAt",
  e.received_at as "receivedAt", e.via, e.data, e.raw`;

const waitingColumn = `case when ${holds} then (
  select count(*) from delivery w where w.status = 0 and w.target = d.target and w.lane = d.lane and w.id > d.id
) else 0 end as waiting`;
const heldByColumn = `case when d.status = 0 then (
  select max(h.id) from delivery h
  where h.status = 0 and h.due_at = 'infinity' and h.target = d.target and h.lane = d.lane and h.id < d.id
) end as "heldBy"`;
const deadLetterColumns = `${deliveryColumns}, e.connection, e.event_id as "eventId", e.type, e.subject, ${waitingColumn}`;
// Two parts, so that each finds its rows by an index of its own.
const deadIds =
  "(select id from delivery where status = 3 union all select id from delivery where status = 0 and due_at = 'infinity')";

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
        `select ${deadLetterColumns} from ${deadIds} dead join delivery d using (id) join event e using (sequence)
         where $1::text is null or d.flow = $1 order by d.id desc limit $2`,
        [flow ?? null, limit],
      ),
    deadCounts: (which) =>
      query<DeadCount>(
        `select d.flow, d.target, count(*) as count from ${deadIds} dead join delivery d using (id)
         where ($1::bigint[] is null or d.id = any ($1)) and ($2::text is null or d.flow = $2) group by 1, 2 order by 1, 2`,
        ["ids" in which ? which.ids : null, "flow" in which ? which.flow : null],
      ),
    deadLetter: (delivery) => readDeadLetter(query, delivery),
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

async function readDeliveries(query: Query, sequence: number): Promise<readonly DeliveryWay[]> {
  const deliveries = await query<Omit<DeliveryWay, "history" | "interventions">>(
    `select ${deliveryColumns}, d.data as "editedData", ${heldByColumn} from delivery d where d.sequence = $1 order by d.id`,
    [sequence],
  );
  const ids = deliveries.map((delivery) => delivery.id);
  const [attempts, interventions] = await Promise.all([
    query<AttemptRow & { delivery: number }>(
      `select delivery, number, started_at as "startedAt", duration_ms as "durationMs", outcome, code, message, receipts, config,
         operations from attempt where delivery = any ($1) order by delivery, id`,
      [ids],
    ),
    query<InterventionRow & { delivery: number }>(
      `select delivery, kind, happened_at as "happenedAt", details from intervention where delivery = any ($1) order by delivery, id`,
      [ids],
    ),
  ]);
  const attemptsOf = Map.groupBy(attempts, (attempt) => attempt.delivery);
  const interventionsOf = Map.groupBy(interventions, (intervention) => intervention.delivery);
  return deliveries.map((delivery) => ({
    ...delivery,
    history: attemptsOf.get(delivery.id) ?? [],
    interventions: interventionsOf.get(delivery.id) ?? [],
  }));
}

async function readDeadLetter(query: Query, delivery: number): Promise<FullDeadLetter | undefined> {
  const [row] = await query<DeadLetter>(
    `select ${deadLetterColumns} from delivery d join event e using (sequence)
     where d.id = $1 and (d.status = 3 or ${holds})`,
    [delivery],
  );
  if (row === undefined) return undefined;
  const ways = await readWays(query, String(row.sequence));
  const way = ways.find((candidate) => candidate.event.sequence === row.sequence);
  return way === undefined ? undefined : { ...row, way };
}

/** The event as it was received, out of the ledger. */
export function eventOf(row: EventRow): Event {
  const { eventId, connection, type, subject, happenedAt, data, raw } = row;
  const event = { id: eventId, source: connection, type, subject, time: happenedAt, data } as Event;
  return raw === null || raw === undefined ? event : { ...event, raw };
}

type Query = <Row>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

async function readCounts(query: Query): Promise<LedgerCounts> {
  const [totals, statuses, targets, cursors] = await Promise.all([
    query<{ events: number }>("select count(*) as events from event"),
    query<{ status: DeliveryStatus; count: number }>(
      `select ${statusNames} as status, count(*) as count from delivery d group by 1`,
    ),
    query<TargetCounts>(
      `with held as (
         select target, lane, max(id) as id from delivery where status = 0 and due_at = 'infinity' group by target, lane
       ), unfinished as (
         select d.*, d.status = 0 and d.due_at <> 'infinity' as pending, h.id is not null as stands
         from delivery d left join held h on d.status = 0 and h.target = d.target and h.lane = d.lane and h.id < d.id
         where d.status in (0, 3)
       ), c as (
         select target, count(*) filter (where pending) as pending,
           count(*) filter (where pending and not stands and due_at <= clock_timestamp()) as due,
           count(*) filter (where not pending) as dead, count(*) filter (where pending and stands) as waiting,
           extract(epoch from clock_timestamp()
             - min(due_at) filter (where pending and not stands and due_at <= clock_timestamp()))::float8 as oldest
         from unfinished group by target
       ), h as (select target, count(*) as lanes from held group by target)
       select coalesce(c.target, p.target) as target, coalesce(pending, 0) as pending, coalesce(due, 0) as due, coalesce(dead, 0) as dead,
         coalesce(lanes, 0) as "heldLanes", coalesce(waiting, 0) as "heldWaiting", oldest as "oldestDueSeconds",
         extract(epoch from p.until - clock_timestamp())::float8 as "pausedSeconds", p.reason as "pauseReason"
       from c left join h using (target) full join (select * from target_pause where until > clock_timestamp()) p using (target) order by 1`,
    ),
    query<{ connection: string; source: string; time: string; movedAt: string }>(
      `select connection, source, cursor->>'time' as time, moved_at as "movedAt" from source_cursor order by 1, 2`,
    ),
  ]);
  const deliveries = { pending: 0, done: 0, skipped: 0, dead: 0 };
  for (const { status, count } of statuses) deliveries[status] = count;
  return { events: totals[0]?.events ?? 0, deliveries, targets, cursors };
}
