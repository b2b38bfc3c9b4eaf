import type { Pool } from "pg";
import type { FiguresState } from "../dataset-place.ts";
import { guarded } from "./fault.ts";

/** Days that follow on one another, counted from the epoch, both included. */
export interface Stretch {
  readonly first: number;
  readonly last: number;
}

/** A group of tickets with the days of it that are to be read: stretches in order, apart from each other. */
export interface GroupStretches {
  /** See `groupingCode`. */
  readonly code: number;
  readonly key: string;
  readonly stretches: readonly Stretch[];
}

/** Groups at a time; those of a page are among them. */
export const groupsAtOnce = 5000;

const wholeText = `
select grouping as code, key, array[min(first)] as firsts, array[$3::integer] as lasts from (
  select grouping, key, day as first from metric_day where batch > $1
  union all
  select grouping, key, $2::integer from (
    select distinct grouping, key from metric_day where $2::integer <= $3::integer
  ) as every
) changed where (grouping, key) > ($4, $5) group by grouping, key having min(first) <= $3::integer
order by grouping, key limit ${groupsAtOnce}`;

// Each fold by itself: of two that cancel each other out, the read before may have seen the first only.
const touchedText = `
with touched as (
  select grouping, key, day as first, day as last from metric_day where batch > $1 and day <= $3::integer
  union all
  select grouping, key, day, next - 1 from (
    select grouping, key, day, sum(gain) over days as gained, lead(day, 1, $3::integer + 1) over days as next
    from metric_gain where batch > $1 and day <= $3::integer
    window days as (partition by batch, grouping, key order by day)
  ) as gains where gained <> 0
  union all
  select grouping, key, $2::integer, $3::integer from (
    select distinct grouping, key from metric_day where $2::integer <= $3::integer
  ) as every
)
select grouping as code, key, array_agg(first order by first) as firsts, array_agg(last order by first) as lasts,
  (select coalesce(gains_from <= $1, false) from metric_fold) as "isKnown"
from touched where (grouping, key) > ($4, $5) group by grouping, key order by grouping, key limit ${groupsAtOnce}`;

export interface Changed {
  /** Undefined for everything. */
  readonly since: FiguresState | undefined;
  readonly until: FiguresState;
  /** Whether what is read may be gone: then a day that is new to every group is none. What is open is open on it too, but no row of it can be gone. */
  readonly phase: number;
  readonly code: number;
  readonly key: string;
}

interface ChangedRow {
  readonly code: number;
  readonly key: string;
  readonly firsts: readonly number[];
  readonly lasts: readonly number[];
  readonly isKnown?: boolean;
}

/**
 * The groups behind a place with the days on which figures are others than in an earlier state: where something happened, and where what is open became more
 * or less by what happened before. Where that is not known any more, all days from the first one on.
 */
export async function changedGroups(pool: Pool, changed: Changed): Promise<readonly GroupStretches[]> {
  const { since, until, phase, code, key } = changed;
  const newDay = since === undefined || phase === 1 ? until.day + 1 : since.day + 1;
  const values = [since?.batch ?? -1, newDay, until.day, code, key];
  const rowsOf = async (name: string, text: string): Promise<readonly ChangedRow[]> =>
    (await guarded(() => pool.query<ChangedRow>({ name: `desk-figures-${name}`, text, values }))).rows;
  const touched = since === undefined ? undefined : await rowsOf("touched", touchedText);
  const isKnown = touched !== undefined && touched.every((row) => row.isKnown === true);
  const rows = isKnown ? touched : await rowsOf("whole", wholeText);
  return rows.map((row) => ({ code: row.code, key: row.key, stretches: joined(row) }));
}

/** Stretches in order, with those joined that overlap or follow on one another. */
function joined({ firsts, lasts }: Pick<ChangedRow, "firsts" | "lasts">): readonly Stretch[] {
  const stretches: { first: number; last: number }[] = [];
  firsts.forEach((first, index) => {
    const last = lasts[index] ?? first;
    const before = stretches.at(-1);
    if (before === undefined || first > before.last + 1) stretches.push({ first, last });
    else before.last = Math.max(before.last, last);
  });
  return stretches;
}

/** As many groups as there is room for their days, at least one. */
export function chooseGroups(
  groups: readonly GroupStretches[],
  limit: number,
): { readonly chosen: readonly GroupStretches[]; readonly isAll: boolean } {
  let room = limit;
  let count = 0;
  for (const { stretches } of groups) {
    for (const { first, last } of stretches) room -= last - first + 1;
    if (room < 0 && count > 0) break;
    count += 1;
  }
  return { chosen: groups.slice(0, count), isAll: count === groups.length && count < groupsAtOnce };
}
