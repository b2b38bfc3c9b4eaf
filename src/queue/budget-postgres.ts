import { AppError } from "../errors.ts";
import type { AccountState } from "./budget-state.ts";
import { usageOf } from "./budget-state.ts";
import type { BudgetAnswer, BudgetStore } from "./budget-store.ts";

interface PostgresPool {
  readonly query: (query: {
    readonly name?: string;
    readonly text: string;
    readonly values?: readonly unknown[];
  }) => Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
}

function asPool(value: unknown): PostgresPool {
  if (typeof value === "object" && value !== null && "query" in value && typeof value.query === "function") {
    return value as PostgresPool;
  }
  throw new AppError("internal", "the rate budget needs the URL of a Redis or a PostgreSQL pool");
}

/**
 * Counts in PostgreSQL, in a table of the schema given, by the rules of `budget-redis.ts`. The pool stays the caller's. Throws
 * `queue_unavailable` when the table cannot be made.
 */
export async function openPostgresBudget(pool: unknown, schema: string): Promise<BudgetStore> {
  const postgres = asPool(pool);
  try {
    await postgres.query({ text: setUp(schema) });
  } catch (cause) {
    throw new AppError("queue_unavailable", "the rate budget's table could not be prepared in PostgreSQL", {
      cause,
    });
  }
  // Statements are known to a connection by name, and a pool may serve several schemas.
  const name = `budget ${schema}`;
  const text = `SELECT "${schema}".ask_budget($1, $2) AS answer`;
  return {
    ask: async (account, ask) => {
      const { rows } = await postgres.query({ name, text, values: [account, JSON.stringify(ask)] });
      return rows[0]?.answer as BudgetAnswer;
    },
    list: async () => {
      const { rows } = await postgres.query({ text: listText(schema) });
      const usages = (rows as unknown as readonly ListRow[]).map(({ account, now, ...state }) =>
        usageOf(account, state, now),
      );
      return usages.filter((usage) => usage !== undefined);
    },
    close: () => undefined,
  };
}

type ListRow = AccountState & { readonly account: string; readonly now: number };

const listText = (schema: string): string => `SELECT account, closed::float8 AS closed,
  floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now,
  (SELECT coalesce(jsonb_agg(jsonb_build_array(o, w)), '[]') FROM unnest(overs, weights) AS spent(o, w)) AS spent,
  (SELECT coalesce(jsonb_agg(value), '[]') FROM jsonb_each(processes)) AS processes
  FROM "${schema}".budget_account`;

/** Unlogged: counting a call must not wait for the disk, and after a crash of the server each process says again what it had counted. */
const setUp = (schema: string): string => `DO $setup$ BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('deskbridge budget table'));
  CREATE SCHEMA IF NOT EXISTS "${schema}";
  CREATE UNLOGGED TABLE IF NOT EXISTS "${schema}".budget_account (
    account text PRIMARY KEY,
    epoch text NOT NULL,
    closed bigint NOT NULL DEFAULT 0,
    learned integer,
    -- When weight is forgotten, and how much then.
    overs bigint[] NOT NULL DEFAULT '{}',
    weights integer[] NOT NULL DEFAULT '{}',
    -- For each process: seen until, waits until, weight that waits by priority, and the limit in force.
    processes jsonb NOT NULL DEFAULT '{}'
  ) WITH (fillfactor = 50);
  CREATE OR REPLACE FUNCTION "${schema}".ask_budget(asked text, ask jsonb) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = "${schema}", pg_catalog AS $body$${body}$body$;
END $setup$`;

const body = `
DECLARE
  state budget_account%ROWTYPE;
  now_ms bigint;
  window_ms bigint := (ask->>'windowMs')::bigint;
  slice_ms bigint := (ask->>'sliceMs')::bigint;
  look boolean := (ask->>'look')::boolean;
  calls integer := (ask->>'calls')::integer;
  news jsonb := ask->'news';
  waits integer[] := ARRAY[(ask->'waiting'->>0)::integer, (ask->'waiting'->>1)::integer, (ask->'waiting'->>2)::integer];
  others integer[] := ARRAY[0, 0, 0];
  given integer[] := ARRAY[0, 0, 0];
  used integer;
  process_count integer;
  granted integer := 0;
  wait_ms bigint := 0;
  place integer;
  rank integer;
  weight integer;
  room integer;
  share integer;
BEGIN
  IF NOT look THEN
    INSERT INTO budget_account (account, epoch) VALUES (asked, gen_random_uuid()::text) ON CONFLICT DO NOTHING;
  END IF;
  SELECT * INTO state FROM budget_account WHERE account = asked FOR UPDATE;
  -- After the lock: while it was waited for, others were granted calls.
  now_ms := floor(extract(epoch FROM clock_timestamp()) * 1000);

  SELECT coalesce(array_agg(o), '{}'), coalesce(array_agg(w), '{}'), coalesce(sum(w), 0)
    INTO state.overs, state.weights, used
    FROM unnest(state.overs, state.weights) AS spent(o, w) WHERE o > now_ms;
  SELECT coalesce(jsonb_object_agg(key, value), '{}'), count(*) + 1,
      ARRAY[coalesce(sum((value->>2)::integer) FILTER (WHERE waiting), 0),
            coalesce(sum((value->>3)::integer) FILTER (WHERE waiting), 0),
            coalesce(sum((value->>4)::integer) FILTER (WHERE waiting), 0)]
    INTO state.processes, process_count, others
    FROM (SELECT key, value, (value->>1)::bigint > now_ms AS waiting
            FROM jsonb_each(coalesce(state.processes, '{}'))
           WHERE (value->>0)::bigint > now_ms AND key <> ask->>'process') AS process;

  weight := CASE WHEN ask->>'epoch' NOT IN ('', state.epoch) THEN (ask->>'own')::integer ELSE (ask->>'owed')::integer END;
  IF weight > 0 THEN
    state.overs := state.overs || (now_ms + window_ms);
    state.weights := state.weights || weight;
    used := used + weight;
  END IF;

  state.learned := coalesce((news->>'limit')::integer, state.learned);
  IF (news->>'used')::integer > used THEN
    state.overs := state.overs || (now_ms + least(window_ms, coalesce((news->>'resetMs')::bigint, window_ms)));
    state.weights := state.weights || (news->>'used')::integer - used;
    used := (news->>'used')::integer;
  END IF;
  state.closed := greatest(state.closed, now_ms + (news->>'closeMs')::bigint);

  IF state.learned < calls OR NOT (ask->>'ceiling')::boolean THEN
    calls := coalesce(state.learned, calls);
  END IF;
  FOR place IN 0 .. jsonb_array_length(ask->'weights') - 1 LOOP
    rank := (ask->'ranks'->>place)::integer + 1;
    weight := least((ask->'weights'->>place)::integer, calls);
    room := calls - used - CASE rank WHEN 1 THEN 0 WHEN 2 THEN others[1] ELSE others[1] + others[2] END;
    share := ceil((room + given[rank])::numeric * waits[rank] / greatest(1, waits[rank] + others[rank]));
    IF state.closed > now_ms THEN
      wait_ms := state.closed - now_ms;
      EXIT;
    ELSIF calls - used < weight THEN
      SELECT min(o) - now_ms INTO wait_ms
        FROM (SELECT o, sum(w) OVER (ORDER BY o) AS freed FROM unnest(state.overs, state.weights) AS spent(o, w)) AS spent
       WHERE calls - used + freed >= weight;
      EXIT;
    ELSIF room < weight OR (given[rank] > 0 AND given[rank] + weight > share) THEN
      wait_ms := 50;
      EXIT;
    END IF;
    used := used + weight;
    given[rank] := given[rank] + weight;
    granted := granted + 1;
  END LOOP;

  IF NOT look THEN
    weight := given[1] + given[2] + given[3];
    IF weight > 0 THEN
      state.overs := state.overs || (ceil((now_ms + window_ms)::numeric / slice_ms) * slice_ms)::bigint;
      state.weights := state.weights || weight;
    END IF;
    -- One entry a slice, however many were made in it.
    SELECT coalesce(array_agg(o), '{}'), coalesce(array_agg(w), '{}') INTO state.overs, state.weights
      FROM (SELECT o, sum(w)::integer AS w FROM unnest(state.overs, state.weights) AS spent(o, w) GROUP BY o) AS spent;
    UPDATE budget_account SET closed = state.closed, learned = state.learned,
        overs = state.overs, weights = state.weights,
        processes = state.processes || jsonb_build_object(ask->>'process', jsonb_build_array(
          now_ms + 60000, now_ms + greatest(wait_ms, (ask->>'waitsMs')::bigint) + 1000,
          greatest(0, waits[1] - given[1]), greatest(0, waits[2] - given[2]), greatest(0, waits[3] - given[3]), calls))
      WHERE account = asked;
  END IF;
  RETURN jsonb_build_object('granted', granted, 'waitMs', coalesce(wait_ms, 50), 'epoch', coalesce(state.epoch, ''),
    'limit', calls, 'used', used, 'waiting', others[1] + others[2] + others[3], 'processes', process_count,
    'closedMs', greatest(0, coalesce(state.closed, 0) - now_ms));
END
`;
