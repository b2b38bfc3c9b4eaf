import type { Pool, PoolClient } from "pg";
import type { DayCut } from "../metric-day.ts";
import { dayParts } from "../metric-day.ts";
import type { GroupChange } from "../metric-facts.ts";
import { guarded } from "./fault.ts";
import type { FactsRow } from "./metrics-fold.ts";
import { changesOf, factsText } from "./metrics-fold.ts";
import { daysPerBlock } from "./metrics-store.ts";

export interface MetricRequest {
  /** See `groupingCode`. */
  readonly grouping: number;
  /** UTC days, counted from the epoch; `untilDay` is the first one after. */
  readonly fromDay: number;
  readonly untilDay: number;
  /** Days of which quarters of an hour are needed. */
  readonly cuts: readonly DayCut[];
}

/** The figures of a group on a day, packed; what is not needed is empty. */
export interface MetricDay {
  readonly key: string;
  readonly day: number;
  readonly total: string;
  readonly quarters: string;
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
select key, day, case when day = any ($4) then '' else total end as total,
  ${dayParts.map((part, index) => `case when day = any ($${index + 5}) then ${part} else '' end`).join(" || ")} as quarters
from metric_day where grouping = $1 and day >= $2 and day < $3`;

// Whole blocks of days up to the last one, and the days of that.
const openText = `
select key, sum(flow)::integer as open from (
  select key, flow from metric_flow where grouping = $1 and block < $2::integer / ${daysPerBlock}
  union all
  select key, flow from metric_day
  where grouping = $1 and day >= $2::integer / ${daysPerBlock} * ${daysPerBlock} and day < $2::integer
) as flows group by key`;

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
  const { grouping, fromDay, untilDay, cuts } = request;
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
    values: [grouping, fromDay, untilDay, ...neededDays(cuts)],
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

/** The days of which the total is not needed, and for each part of a day the days of which it is. */
function neededDays(cuts: readonly DayCut[]): readonly (readonly number[])[] {
  const daysOf = (kind: (cut: DayCut) => boolean): readonly number[] =>
    cuts.filter(kind).map(({ day }) => day);
  return [
    daysOf(({ rest }) => rest === undefined),
    ...dayParts.map((_, part) => daysOf(({ parts }) => parts.includes(part))),
  ];
}
