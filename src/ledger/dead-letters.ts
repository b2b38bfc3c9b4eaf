import type { Pool, PoolClient } from "pg";
import { repeatOnDeadlock, toLedgerError } from "./fault.ts";
import { inTransaction } from "./transaction.ts";

/** Dead letters by their deliveries' ids, of one flow, or all of them. */
export type DeadChoice =
  | { readonly ids: readonly number[] }
  | { readonly flow: string }
  | { readonly all: true };

/** A delivery that was decided on, and the lane to ring for: it may have mail now. */
export interface DecidedLetter {
  readonly delivery: number;
  readonly target: string;
  readonly lane: string;
}

/** One value that an edit changed. What is undefined was not there, or is not there any more. */
export interface DataChange {
  readonly path: string;
  readonly from?: unknown;
  readonly to?: unknown;
}

/** What stands in place of an event's data for one delivery, and how it differs from what stood there before. */
export interface DataEdit {
  readonly data: unknown;
  readonly changes: readonly DataChange[];
}

/**
 * What people decide about dead letters. Each decision is kept on record with its time. What is no dead letter (any more) is passed over: it
 * is not among the letters returned. Rings for nobody.
 */
export interface DeadLetters {
  /** Makes them pending and due; the attempts made so far stay, and count. Those that no flow has seen are passed over. */
  readonly retry: (which: DeadChoice) => Promise<readonly DecidedLetter[]>;
  /** Puts other data in place of the event's, for this delivery only, and with `retry` makes it pending. Does not check the data. */
  readonly edit: (
    delivery: number,
    edit: DataEdit,
    options: { readonly retry: boolean },
  ) => Promise<DecidedLetter | undefined>;
  /** Ends them as skipped, for the reason given. A lane that one of them held goes on. */
  readonly discard: (which: DeadChoice, reason: string) => Promise<readonly DecidedLetter[]>;
  /**
   * For a letter that died with `effect_unknown`: puts on record that its writes with an unknown outcome were done, or that they never reached
   * the target, and makes it pending.
   */
  readonly resolve: (delivery: number, as: "done" | "unsent") => Promise<DecidedLetter | undefined>;
}

const isDead = "(d.status = 3 or (d.status = 0 and d.due_at = 'infinity'))";
// Two parts, so that each finds its rows by an index of its own.
const chosen = `d.id in (
    select id from delivery where status = 3 union all select id from delivery where status = 0 and due_at = 'infinity'
  ) and ${isDead} and ($1::bigint[] is null or d.id = any ($1)) and ($2::text is null or d.flow = $2)`;
const pending = "status = 0, due_at = clock_timestamp(), finished_at = null";

const retryText = `
with decided as (
  update delivery d set ${pending}, again = true where ${chosen} and d.flow <> '(intake)' returning d.id, d.target, d.lane
), noted as (
  insert into intervention (delivery, kind, details) select id, 'retried', '{}' from decided
)
select id as delivery, target, lane from decided order by id`;

const discardText = `
with decided as (
  update delivery d set status = 2, due_at = clock_timestamp(), finished_at = clock_timestamp(), code = null, reason = 'discarded: ' || $3
  where ${chosen} returning d.id, d.target, d.lane
), noted as (
  insert into intervention (delivery, kind, details) select id, 'discarded', json_build_object('reason', $3::text) from decided
)
select id as delivery, target, lane from decided order by id`;

const editText = (set: string): string => `
with decided as (
  update delivery d set data = $2, again = true${set} where d.id = $1 and ${isDead} and d.flow <> '(intake)'
  returning d.id, d.target, d.lane
), noted as (
  insert into intervention (delivery, kind, details) select id, 'edited', $3::json from decided
)
select id as delivery, target, lane from decided`;

const resolveText = `
with decided as (
  update delivery d set ${pending}, again = true where d.id = $1 and ${isDead} and d.code = 'effect_unknown'
  returning d.id, d.target, d.lane
), noted as (
  insert into intervention (delivery, kind, details) select id, 'resolved', json_build_object('as', $2::text) from decided
)
select id as delivery, target, lane from decided`;

const effectStates = { unsent: 1, done: 3 } as const;

/** Decisions about dead letters, on the ledger's own pool. */
export function createDeadLetters(pool: Pool): DeadLetters {
  const query = async (text: string, values: readonly unknown[]): Promise<readonly DecidedLetter[]> => {
    try {
      const { rows } = await repeatOnDeadlock(() => pool.query<DecidedLetter>(text, [...values]));
      return rows;
    } catch (error) {
      throw toLedgerError(error);
    }
  };
  return {
    retry: (which) => query(retryText, choiceValues(which)),
    discard: (which, reason) => query(discardText, [...choiceValues(which), reason]),
    edit: async (delivery, { data, changes }, { retry }) => {
      const text = editText(retry ? `, ${pending}` : "");
      const [letter] = await query(text, [delivery, JSON.stringify(data), JSON.stringify({ changes })]);
      return letter;
    },
    resolve: async (delivery, as) => {
      try {
        return await repeatOnDeadlock(() => inTransaction(pool, (client) => resolve(client, delivery, as)));
      } catch (error) {
        throw toLedgerError(error);
      }
    },
  };
}

function choiceValues(which: DeadChoice): unknown[] {
  return ["ids" in which ? which.ids : null, "flow" in which ? which.flow : null];
}

async function resolve(
  client: PoolClient,
  delivery: number,
  as: "done" | "unsent",
): Promise<DecidedLetter | undefined> {
  const { rows } = await client.query<DecidedLetter>(resolveText, [delivery, as]);
  if (rows[0] === undefined) return undefined;
  // Finishing an effect also lets go of the link that it holds, so that another write may make the object.
  await client.query(
    "select finish_effect(connection, effect_key, step, tries, $2::smallint, null) from effect where delivery = $1 and state = 2",
    [delivery, effectStates[as]],
  );
  return rows[0];
}
