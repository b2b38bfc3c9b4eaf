import type { Pool } from "pg";
import { guarded } from "./fault.ts";

/** A webhook as its sender needs it. */
export interface WebhookRow {
  readonly id: number;
  readonly url: string;
  /** Patterns of types, such as `ticket.*`. */
  readonly events: readonly string[];
  readonly enabled: boolean;
  readonly secret: string;
  readonly oldSecret: string | null;
  readonly oldSecretUntil: Date | null;
  readonly failingSince: Date | null;
}

/** A delivery that was handed out to be sent. */
export interface TakenDelivery {
  readonly id: number;
  /** The id of the event: that of the change in the feed. */
  readonly event: string;
  readonly reason: "change" | "replay" | "test";
  /** This one counted. */
  readonly attempts: number;
  readonly firstAt: Date;
  readonly body: string;
}

/** How an attempt ended, as it is written down. Times are RFC 3339. */
export interface SettledAttempt {
  readonly result: "delivered" | "retry" | "failed";
  readonly due_at?: string;
  /** Until when the whole webhook rests. */
  readonly paused_until?: string;
  /** Switches the webhook off. */
  readonly disabled_reason?: string;
  readonly body: string;
  readonly log: {
    readonly at: string;
    readonly status: number | null;
    readonly error: string | null;
    readonly duration_ms: number;
    readonly answer: string | null;
  };
}

/** What senders of webhooks do with the tables. Times are handed in, so that a clock of one's own can be used. */
export interface WebhookStore {
  readonly webhook: (id: number) => Promise<WebhookRow | undefined>;
  readonly enabled: () => Promise<readonly Pick<WebhookRow, "id" | "events">[]>;
  /** Turns the next changes into deliveries; returns whether there may be more. */
  readonly fanOut: (id: number, now: Date) => Promise<boolean>;
  /** Hands out due deliveries until `until`; then, unless they are settled, somebody else gets them. */
  readonly take: (id: number, request: TakeRequest) => Promise<readonly TakenDelivery[]>;
  /** False when the delivery was no longer ours. */
  readonly settle: (delivery: number, lease: string, attempt: SettledAttempt, now: Date) => Promise<boolean>;
  /** Webhooks with something to do. */
  readonly due: (now: Date) => Promise<readonly number[]>;
  /** When the next delivery of a webhook is due. */
  readonly nextDue: (id: number, now: Date) => Promise<Date | undefined>;
  readonly countFailing: () => Promise<number>;
  /** Removes deliveries that ended before a time, `batch` at a time. */
  readonly prune: (before: Date, batch: number) => Promise<number>;
}

export interface TakeRequest {
  readonly limit: number;
  readonly lease: string;
  readonly until: Date;
  readonly now: Date;
}

/** With so many deliveries due no more are made; with so many failures in a row neither. */
const fanOutLimit = 500;
/** Failures in a row from which on a webhook gets one call at a time. */
export const manyFailures = 20;

const webhookColumns = `id, url, events, enabled, secret, old_secret as "oldSecret", old_secret_until as "oldSecretUntil", failing_since as "failingSince", failures`;

const texts = {
  webhook: `select ${webhookColumns} from webhook where id = $1`,
  enabled: "select id, events from webhook where enabled order by id",
  fanOut: "select fan_out_webhook($1, $2, $3, $4) as more",
  take: `select d.id, event_name(d) as event, d.reason, d.attempts, d.first_at as "firstAt", webhook_body(d) as body
    from take_webhook_deliveries($1,
      case when (select failures from webhook where id = $1) >= $6 then 1 else $2 end, $3, $4, $5) as d`,
  settle: "select settle_webhook_delivery($1, $2, $3, $4) as settled",
  due: `select w.id from webhook w where exists (
      select from webhook_delivery d where d.webhook = w.id and d.state = 'pending' and d.due_at <= $1
        and (d.reason = 'test' or (w.enabled and coalesce(w.paused_until <= $1, true)))
    ) or (w.enabled and w.failures < $2 and cardinality(next_changes(w.cursor_tx, w.cursor_id, 1)) > 0)`,
  nextDue: `select greatest(d.due_at, w.paused_until) as at from webhook w join webhook_delivery d on d.webhook = w.id
    where w.id = $1 and w.enabled and d.state = 'pending' and d.due_at > $2 order by d.due_at limit 1`,
  countFailing: "select count(*) as failing from webhook where failing_since is not null and enabled",
  prune: `delete from webhook_delivery where id = any (array(
    select id from webhook_delivery where ended_at < $1 order by ended_at limit $2))`,
} as const;

export function createWebhookStore(pool: Pool): WebhookStore {
  const run = async <R>(name: keyof typeof texts, values: unknown[]): Promise<readonly R[]> => {
    const query = { name: `desk-webhook-${name}`, text: texts[name], values };
    return (await guarded(() => pool.query(query))).rows as R[];
  };
  return {
    webhook: async (id) => (await run<WebhookRow>("webhook", [id]))[0],
    enabled: () => run("enabled", []),
    fanOut: async (id, now) => {
      const rows = await run<{ more: boolean }>("fanOut", [id, fanOutLimit, manyFailures, now]);
      return rows[0]?.more === true;
    },
    take: (id, { limit, lease, until, now }) => run("take", [id, limit, lease, until, now, manyFailures]),
    settle: async (delivery, lease, attempt, now) => {
      const rows = await run<{ settled: boolean }>("settle", [delivery, lease, JSON.stringify(attempt), now]);
      return rows[0]?.settled === true;
    },
    due: async (now) => (await run<{ id: number }>("due", [now, manyFailures])).map(({ id }) => id),
    nextDue: async (id, now) => (await run<{ at: Date }>("nextDue", [id, now]))[0]?.at,
    countFailing: async () => Number((await run<{ failing: number }>("countFailing", []))[0]?.failing),
    prune: async (before, batch) => prune(pool, before, batch),
  };
}

async function prune(pool: Pool, before: Date, batch: number): Promise<number> {
  let gone = 0;
  for (;;) {
    const { rowCount } = await guarded(() => pool.query(texts.prune, [before, batch]));
    gone += rowCount ?? 0;
    if ((rowCount ?? 0) < batch) return gone;
  }
}
