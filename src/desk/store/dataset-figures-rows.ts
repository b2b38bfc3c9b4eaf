import { Readable } from "node:stream";
import type { Pool } from "pg";
import type { DayPart, GroupDays } from "../metric-day-row.ts";
import { dayColumns, formatDays } from "../metric-day-row.ts";
import type { GroupStretches, Stretch } from "./dataset-figures-changed.ts";
import { chooseGroups } from "./dataset-figures-changed.ts";
import { guarded } from "./fault.ts";
import type { MetricDay } from "./metrics-read.ts";

/** Days of groups that are held at a time. */
const daysAtOnce = 2000;

/** The rows of groups' days as CSV, read as they are asked for. */
export function streamGroups(
  pool: Pool,
  groups: readonly GroupStretches[],
  { part, columns }: { readonly part: DayPart["part"]; readonly columns: readonly string[] },
): Readable {
  const written = { part, columns: dayColumns(part, columns) };
  return Readable.from(formatGroups(pool, groups, written), { objectMode: false });
}

async function* formatGroups(
  pool: Pool,
  groups: readonly GroupStretches[],
  written: DayPart,
): AsyncGenerator<string, void> {
  for (let rest = groups; rest.length > 0;) {
    const { chosen } = chooseGroups(rest, daysAtOnce);
    rest = rest.slice(chosen.length);
    const days = await groupDays(pool, chosen);
    const text = days.map((stretch) => formatDays(stretch, written)).join("");
    if (text !== "") yield text;
  }
}

// One statement, which is one snapshot: what was open before and what happened since belong together.
const daysText = `
with wanted as materialized (
  select * from unnest($1::smallint[], $2::text[], $3::integer[], $4::integer[]) with ordinality as w(grouping, key, first, last, place)
)
select w.place, null::integer as day, coalesce(sum(d.flow), 0)::integer as open, null as total
from wanted w left join metric_day d on d.grouping = w.grouping and d.key = w.key and d.day < w.first group by w.place
union all
select w.place, d.day, 0, d.total
from wanted w join metric_day d on d.grouping = w.grouping and d.key = w.key and d.day >= w.first and d.day <= w.last`;

interface DayRow {
  readonly place: number;
  readonly day: number | null;
  readonly open: number;
  readonly total: string | null;
}

/** Days between two stretches that are rather read as well than the second by itself, for which what was open before it has to be added up. */
const smallGap = 30;

/** Stretches that are read as one. */
function readTogether(stretches: readonly Stretch[]): readonly (readonly Stretch[])[] {
  const together: Stretch[][] = [];
  for (const stretch of stretches) {
    const before = together.at(-1);
    const end = before?.at(-1)?.last ?? -Infinity;
    if (before !== undefined && stretch.first - end <= smallGap) before.push(stretch);
    else together.push([stretch]);
  }
  return together;
}

async function groupDays(pool: Pool, groups: readonly GroupStretches[]): Promise<readonly GroupDays[]> {
  const wanted = groups.flatMap(({ code, key, stretches }) =>
    readTogether(stretches).map((some) => ({
      code,
      key,
      firstDay: some[0]?.first ?? 0,
      lastDay: some.at(-1)?.last ?? -1,
      wanted: some,
    })),
  );
  const values = [
    wanted.map(({ code }) => code),
    wanted.map(({ key }) => key),
    wanted.map(({ firstDay }) => firstDay),
    wanted.map(({ lastDay }) => lastDay),
  ];
  const query = { name: "desk-figures-days", text: daysText, values };
  const { rows } = await guarded(() => pool.query<DayRow>(query));
  const open = wanted.map(() => 0);
  const days = wanted.map((): MetricDay[] => []);
  for (const { place, day, open: before, total } of rows) {
    if (day === null) open[place - 1] = before;
    else days[place - 1]?.push({ key: wanted[place - 1]?.key ?? "", day, total: total ?? "", quarters: "" });
  }
  return wanted.map((stretch, index) => ({
    ...stretch,
    openBefore: open[index] ?? 0,
    days: days[index] ?? [],
  }));
}
