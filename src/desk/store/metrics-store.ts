import type { PoolClient } from "pg";
import type { Cell } from "../metric-cell.ts";
import { addTo, flowOf, packCell, packQuarters, unpackCell, unpackQuarters } from "../metric-cell.ts";
import { dayParts, partOf } from "../metric-day.ts";
import type { GroupChange } from "../metric-facts.ts";

interface DayFigures {
  readonly flow: number;
  /** Packed, as are the quarters in each part of the day. */
  readonly total: string;
  readonly parts: readonly string[];
}

interface DayRow extends DayFigures {
  readonly grouping: number;
  readonly day: number;
  readonly key: string;
}

const partColumns = dayParts.join(", ");

const daysText = `
select d.grouping, d.day, d.key, d.flow, d.total, array[${partColumns}] as parts
from unnest($1::smallint[], $2::integer[], $3::text[]) as w(grouping, day, key)
join metric_day d on d.grouping = w.grouping and d.day = w.day and d.key = w.key`;

const storeText = `
insert into metric_day (grouping, day, key, flow, total, ${partColumns}, batch)
select *, $${dayParts.length + 6} from unnest(
  $1::smallint[], $2::integer[], $3::text[], $4::integer[], $5::text[],
  ${dayParts.map((_, part) => `$${part + 6}::text[]`).join(", ")}
)
on conflict (grouping, day, key) do update set
  flow = excluded.flow, total = excluded.total, ${dayParts.map((part) => `${part} = excluded.${part}`).join(", ")},
  batch = excluded.batch`;

/** How many days a block has, of which as a whole it is kept by how many the open tickets became more. */
export const daysPerBlock = 64;

const flowText = `
insert into metric_flow (grouping, block, key, flow)
select grouping, day / ${daysPerBlock}, key, sum(flow)
from unnest($1::smallint[], $2::integer[], $3::text[], $4::integer[]) as w(grouping, day, key, flow)
where flow <> 0 group by 1, 2, 3
on conflict (grouping, block, key) do update set flow = metric_flow.flow + excluded.flow`;

const gainText = `
insert into metric_gain (batch, grouping, day, key, gain)
select $5, * from unnest($1::smallint[], $2::integer[], $3::text[], $4::integer[]) as w(grouping, day, key, gain)
where gain <> 0`;

const daysAtOnce = 500;

/** The fold that changes are part of. */
export interface Fold {
  readonly number: number;
  /** Whether it is put down which days have another backlog by it. */
  readonly keepsGains: boolean;
}

/** Adds changes to the sums. The caller sees to it that nobody else does so at the same time. */
export async function storeChanges(
  client: PoolClient,
  changes: readonly GroupChange[],
  { number, keepsGains }: Fold,
): Promise<void> {
  for (let start = 0; start < changes.length; start += daysAtOnce) {
    const some = changes.slice(start, start + daysAtOnce);
    const places = [some.map(({ code }) => code), some.map(({ day }) => day), some.map(({ key }) => key)];
    const { rows } = await client.query<DayRow>(daysText, places);
    const byName = new Map(rows.map((row) => [nameOf(row.grouping, row.day, row.key), row]));
    const before = some.map(({ code, day, key }) => byName.get(nameOf(code, day, key)) ?? nothing);
    const after = some.map((change, index) => applied(before[index] ?? nothing, change));
    await client.query(storeText, [
      ...places,
      after.map(({ flow }) => flow),
      after.map(({ total }) => total),
      ...dayParts.map((_, part) => after.map(({ parts }) => parts[part])),
      number,
    ]);
    const gains = after.map(({ flow }, index) => flow - (before[index]?.flow ?? 0));
    await client.query(flowText, [...places, gains]);
    if (keepsGains) await client.query(gainText, [...places, gains, number]);
  }
}

const nothing: DayFigures = { flow: 0, total: "", parts: dayParts.map(() => "") };

function nameOf(code: number, day: number, key: string): string {
  return `${code} ${day} ${key}`;
}

function applied(before: DayFigures, change: GroupChange): DayFigures {
  const total = unpackCell(before.total);
  const changed = Map.groupBy(change.quarters, ([quarter]) => partOf(quarter));
  const parts = before.parts.map((packed, part) => {
    const cells = changed.get(part) ?? [];
    for (const [, cell] of cells) addAll(total, cell);
    return cells.length === 0 ? packed : withCells(packed, cells);
  });
  return { flow: flowOf((slot) => total.get(slot) ?? 0), total: packCell(total), parts };
}

/** Packed quarters with cells added to some of them; the others stay as they are packed. */
function withCells(packed: string, cells: readonly (readonly [quarter: number, cell: Cell])[]): string {
  const quarters = unpackQuarters(packed);
  for (const [number, cell] of cells) {
    const quarter = unpackCell(quarters.get(number) ?? "");
    addAll(quarter, cell);
    quarters.set(number, packCell(quarter));
  }
  return packQuarters(quarters);
}

function addAll(to: Cell, cell: Cell): void {
  for (const [at, amount] of cell) addTo(to, at, amount);
}
