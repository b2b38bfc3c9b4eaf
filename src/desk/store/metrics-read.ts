import type { Pool, PoolClient } from "pg";
import type { GroupChange } from "../metric-facts.ts";
import { guarded } from "./fault.ts";
import type { FactsRow } from "./metrics-fold.ts";
import { changesOf, factsText } from "./metrics-fold.ts";

export interface MetricRequest {
  /** See `groupingCode`. */
  readonly grouping: number;
  /** UTC days, counted from the epoch; `untilDay` is the first one after. */
  readonly fromDay: number;
  readonly untilDay: number;
  /** Days that are needed by the quarter of an hour. */
  readonly splitDays: readonly number[];
}

/** The figures of a group on a day: of the whole day, or of its quarters when the day is one of `splitDays`. */
export interface MetricDay {
  readonly key: string;
  readonly day: number;
  readonly cells: string;
}

export interface MetricFigures {
  readonly days: readonly MetricDay[];
  /** By group, its open tickets at the start of `fromDay`. */
  readonly openBefore: ReadonlyMap<string, number>;
  /** What was written since the last fold, still to be added to all of it. */
  readonly unfolded: readonly GroupChange[];
}

// One snapshot for all that follows: what is folded and what is not never overlap, and nothing is between the two.
const beginText = "begin isolation level repeatable read read only; select tx, id from metric_fold";

const tailText = `
select coalesce(array_agg(distinct ticket), '{}') as tickets from change where (tx, id) > ($1, $2) and ticket is not null`;

const daysText = `
select key, day, case when day = any ($4) then quarters else total end as cells
from metric_day where grouping = $1 and day >= $2 and day < $3`;

const openText = `
select key, sum(flow)::integer as open from metric_day where grouping = $1 and day < $2 group by key`;

/** The figures of days, as they are at this moment. */
export function readMetrics(pool: Pool, request: MetricRequest): Promise<MetricFigures> {
  return guarded(async () => {
    const client = await pool.connect();
    let failed = true;
    try {
      const figures = await readIn(client, request);
      await client.query("commit");
      failed = false;
      return figures;
    } finally {
      client.release(failed);
    }
  });
}

async function readIn(client: PoolClient, request: MetricRequest): Promise<MetricFigures> {
  const { grouping, fromDay, untilDay, splitDays } = request;
  // Two statements bring two results, which the types of the client do not know.
  const begun = (await client.query(beginText)) as unknown as readonly {
    rows: { tx: number; id: number }[];
  }[];
  const { tx, id } = begun[1]?.rows[0] ?? { tx: 0, id: 0 };
  const tail = await client.query<{ tickets: string[] }>({
    name: "desk-metric-tail",
    text: tailText,
    values: [tx, id],
  });
  const tickets = tail.rows[0]?.tickets ?? [];
  const facts =
    tickets.length === 0
      ? []
      : (await client.query<FactsRow>({ name: "desk-metric-facts", text: factsText, values: [tickets] }))
          .rows;
  const days = await client.query<MetricDay>({
    name: "desk-metric-days",
    text: daysText,
    values: [grouping, fromDay, untilDay, splitDays],
  });
  const open = await client.query<{ key: string; open: number }>({
    name: "desk-metric-open",
    text: openText,
    values: [grouping, fromDay],
  });
  return {
    days: days.rows,
    openBefore: new Map(open.rows.map((row) => [row.key, row.open])),
    unfolded: changesOf(facts).filter(({ code }) => code === grouping),
  };
}
