import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import { AppError } from "../../errors.ts";
import type { FeedPosition } from "../change.ts";
import { isBehind } from "../change.ts";
import type { DaysPlace, FiguresPlace, FiguresState } from "../dataset-place.ts";
import type { DayPart, GroupDays } from "../metric-day-row.ts";
import { dayColumns, formatDays } from "../metric-day-row.ts";
import { settled } from "./changes.ts";
import type { DatasetRequest, PageFacts } from "./dataset-page.ts";
import { guarded } from "./fault.ts";
import { foldMetrics } from "./metrics-fold.ts";
import type { MetricDay } from "./metrics-read.ts";

/** A request for the figures by day, at a place of theirs. */
export interface FiguresRequest extends Omit<DatasetRequest, "place"> {
  readonly place: FiguresPlace | DaysPlace | undefined;
}

interface FiguresPage extends PageFacts {
  readonly rows: Readable | undefined;
}

interface GroupRow {
  readonly code: number;
  readonly key: string;
  readonly first: number;
}

/**
 * A page of the figures by day: whole groups, from the first day on that changed. Every write that was acknowledged before a read begins is in it, because it
 * begins with a fold.
 */
export async function readFigures(pool: Pool, request: FiguresRequest): Promise<FiguresPage> {
  const { place } = request;
  if (place?.kind === "days") return readDays(pool, request, place);
  const { since, read = await beginFigures(pool) } = place ?? { since: undefined };
  // Only what changed can have become empty.
  const lastPhase = since === undefined ? 0 : 1;
  for (let { phase, code, key } = read; phase <= lastPhase; phase += 1) {
    const groups = await changedGroups(pool, { since, until: read.until, phase, code, key });
    const { chosen, isAll } = choose(groups, read.until.day, request.limit);
    const last = chosen.at(-1);
    [code, key] = [-1, ""];
    if (last === undefined) continue;
    const next = isAll
      ? { ...read, phase: phase + 1, code: -1, key: "" }
      : { ...read, phase, code: last.code, key: last.key };
    const more = next.phase <= lastPhase;
    const part = phase === 0 ? "upsert" : "delete";
    return {
      part,
      next: { kind: "figures", since: more ? since : read.until, ...(more ? { read: next } : {}) },
      more,
      asOf: read.asOf,
      fraction: more ? undefined : 1,
      rows: streamGroups(pool, chosen, { part, columns: request.columns, lastDay: read.until.day }),
    };
  }
  const next: FiguresPlace = { kind: "figures", since: read.until };
  return { part: "upsert", next, more: false, asOf: read.asOf, fraction: 1, rows: undefined };
}

type OpenRead = NonNullable<FiguresPlace["read"]>;

const stateText = `
select f.tx, f.id, f.batch, coalesce(c.tx, 0) as "endTx", coalesce(c.id, 0) as "endId",
  floor(date_part('epoch', clock_timestamp()) / 86400)::integer as day,
  floor(date_part('epoch', clock_timestamp()) * 1000)::bigint as "asOf"
from metric_fold f left join lateral (
  select tx, id from change where ${settled} order by tx desc, id desc limit 1
) c on true`;

interface StateRow extends FeedPosition, FiguresState {
  readonly endTx: number;
  readonly endId: number;
  readonly asOf: number;
}

async function readState(pool: Pool): Promise<StateRow> {
  const query = { name: "desk-figures-state", text: stateText };
  const { rows } = await guarded(() => pool.query<StateRow>(query));
  return rows[0] ?? { tx: 0, id: 0, batch: 0, endTx: 0, endId: 0, day: 0, asOf: 0 };
}

const foldBatch = 5000;
/** How long a read may take part in adding up what nobody has yet, in milliseconds. */
const foldMs = 15_000;
/** How long it leaves another process to it before it looks again. */
const foldPauseMs = 50;

/** The state of the figures once everything is in them that had happened when it was asked for; throws `ledger_unavailable` where that takes too long. */
async function beginFigures(pool: Pool): Promise<OpenRead> {
  const deadline = performance.now() + foldMs;
  let state = await readState(pool);
  const { asOf, endTx: tx, endId: id } = state;
  while (isBehind(state, { tx, id })) {
    if (performance.now() > deadline) {
      const message = "the figures by day are still being added up; ask again shortly";
      throw new AppError("ledger_unavailable", message, { retryAfterMs: foldMs });
    }
    const folded = await foldMetrics(pool, foldBatch, deadline);
    if (folded === 0) await sleep(foldPauseMs);
    state = await readState(pool);
  }
  return { until: { batch: state.batch, day: state.day }, asOf, phase: 0, code: -1, key: "" };
}

/** Groups at a time; those of a page are among them. */
const groupsAtOnce = 5000;

const changedText = `
select grouping as code, key, min(first) as first from (
  select grouping, key, day as first from metric_day where batch > $1
  union all
  select grouping, key, $2::integer from (
    select distinct grouping, key from metric_day where $2::integer <= $3::integer
  ) as every
) changed where (grouping, key) > ($4, $5) group by grouping, key order by grouping, key limit ${groupsAtOnce}`;

interface Changed {
  readonly since: FiguresState | undefined;
  readonly until: FiguresState;
  readonly phase: number;
  readonly code: number;
  readonly key: string;
}

/** Groups with the first day that changed. A new day is one for every group: what is open is open on it too. No row of it can be gone. */
async function changedGroups(
  pool: Pool,
  { since, until, phase, code, key }: Changed,
): Promise<readonly GroupRow[]> {
  const newDay = since === undefined || phase === 1 ? until.day + 1 : since.day + 1;
  const values = [since?.batch ?? -1, newDay, until.day, code, key];
  const query = { name: "desk-figures-changed", text: changedText, values };
  return (await guarded(() => pool.query<GroupRow>(query))).rows;
}

/** As many groups as a page has room for, at least one. */
function choose(
  groups: readonly GroupRow[],
  lastDay: number,
  limit: number,
): { readonly chosen: readonly GroupRow[]; readonly isAll: boolean } {
  let room = limit;
  let count = 0;
  for (const { first } of groups) {
    room -= Math.max(lastDay - first + 1, 0);
    if (room < 0 && count > 0) break;
    count += 1;
  }
  return { chosen: groups.slice(0, count), isAll: count === groups.length && count < groupsAtOnce };
}

interface StreamPart extends Omit<DayPart, "columns"> {
  readonly columns: readonly string[];
}

function streamGroups(
  pool: Pool,
  groups: readonly GroupRow[],
  { part, columns, lastDay }: StreamPart,
): Readable {
  const written = { part, columns: dayColumns(part, columns), lastDay };
  return Readable.from(formatGroups(pool, groups, written), { objectMode: false });
}

/** Days of groups that are held at a time. */
const daysAtOnce = 2000;

async function* formatGroups(
  pool: Pool,
  groups: readonly GroupRow[],
  written: DayPart,
): AsyncGenerator<string, void> {
  for (let rest = groups; rest.length > 0;) {
    const { chosen } = choose(rest, written.lastDay, daysAtOnce);
    rest = rest.slice(chosen.length);
    const days = await groupDays(pool, chosen, written.lastDay);
    const text = days.map((group) => formatDays(group, written)).join("");
    if (text !== "") yield text;
  }
}

// One statement, which is one snapshot: what was open before and what happened since belong together.
const groupText = `
with wanted as materialized (
  select * from unnest($1::smallint[], $2::text[], $3::integer[]) with ordinality as w(grouping, key, first, place)
)
select w.place, null::integer as day, coalesce(sum(d.flow), 0)::integer as open, null as total
from wanted w left join metric_day d on d.grouping = w.grouping and d.key = w.key and d.day < w.first group by w.place
union all
select w.place, d.day, 0, d.total
from wanted w join metric_day d on d.grouping = w.grouping and d.key = w.key and d.day >= w.first and d.day <= $4`;

interface GroupDayRow {
  readonly place: number;
  readonly day: number | null;
  readonly open: number;
  readonly total: string | null;
}

async function groupDays(
  pool: Pool,
  groups: readonly GroupRow[],
  lastDay: number,
): Promise<readonly GroupDays[]> {
  const values = [
    groups.map(({ code }) => code),
    groups.map(({ key }) => key),
    groups.map(({ first }) => first),
    lastDay,
  ];
  const query = { name: "desk-figures-days", text: groupText, values };
  const { rows } = await guarded(() => pool.query<GroupDayRow>(query));
  const open = groups.map(() => 0);
  const days = groups.map((): MetricDay[] => []);
  for (const { place, day, open: before, total } of rows) {
    if (day === null) open[place - 1] = before;
    else days[place - 1]?.push({ key: groups[place - 1]?.key ?? "", day, total: total ?? "", quarters: "" });
  }
  return groups.map(({ code, key, first }, index) => ({
    code,
    key,
    firstDay: first,
    openBefore: open[index] ?? 0,
    days: days[index] ?? [],
  }));
}

const daysText = `
select grouping as code, key, greatest(min(day), $1) as first from metric_day
where day <= $2 and (grouping, key) > ($3, $4) group by grouping, key order by grouping, key limit ${groupsAtOnce}`;

/** The figures of some days, up to today. */
async function readDays(pool: Pool, request: FiguresRequest, place: DaysPlace): Promise<FiguresPage> {
  const { until, asOf } = await beginFigures(pool);
  const [fromDay, untilDay] = [place.from, place.until].map((day) => Date.parse(day) / 86_400_000) as [
    number,
    number,
  ];
  const lastDay = Math.min(untilDay - 1, until.day);
  const [code, key] = groupIn(place.key);
  const query = { name: "desk-figures-of", text: daysText, values: [fromDay, lastDay, code, key] };
  const { rows } = await guarded(() => pool.query<GroupRow>(query));
  const { chosen, isAll } = choose(rows, lastDay, request.limit);
  const last = chosen.at(-1);
  return {
    part: "upsert",
    next: { ...place, key: last === undefined ? place.key : `${last.code} ${last.key}` },
    more: !isAll,
    asOf,
    fraction: undefined,
    rows:
      last === undefined
        ? undefined
        : streamGroups(pool, chosen, { part: "upsert", columns: request.columns, lastDay }),
  };
}

function groupIn(key: string): readonly [code: number, key: string] {
  const [, code = "-1", rest = ""] = /^(\d) (.*)$/s.exec(key) ?? [];
  return [Number(code), rest];
}
