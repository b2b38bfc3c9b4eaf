import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pool } from "pg";
import type { FeedPosition } from "../change.ts";
import { isBehind, requireReached } from "../change.ts";
import type { DaysPlace, FiguresPlace, FiguresState } from "../dataset-place.ts";
import { settled } from "./changes.ts";
import { changedGroups, chooseGroups, groupsAtOnce } from "./dataset-figures-changed.ts";
import { streamGroups } from "./dataset-figures-rows.ts";
import type { DatasetRequest, PageFacts } from "./dataset-page.ts";
import { guarded } from "./fault.ts";
import { foldMetrics, keepGains } from "./metrics-fold.ts";

/** A request for the figures by day, at a place of theirs. */
export interface FiguresRequest extends Omit<DatasetRequest, "place"> {
  readonly place: FiguresPlace | DaysPlace | undefined;
}

interface FiguresPage extends PageFacts {
  readonly rows: Readable | undefined;
}

/** From where on nothing is read. */
const start: FiguresPlace = { kind: "figures", since: undefined };

/**
 * A page of the figures by day: whole groups, with the days on which they changed. Every write that was acknowledged before a read begins is in it, because it
 * begins with a fold; while that goes on, its pages are empty. A fold is given up to `foldMs` milliseconds of each.
 */
export async function readFigures(pool: Pool, request: FiguresRequest, foldMs: number): Promise<FiguresPage> {
  const { place = start } = request;
  if (place.kind === "days") return readDays(pool, request, place, foldMs);
  if (place.read !== undefined) return readChanged(pool, request, place.since, place.read);
  const begun = await beginFigures(pool, foldMs);
  if ("preparing" in begun) return { ...notYet(begun), next: place };
  requireReached({ tx: place.since?.batch ?? 0, id: 0 }, { tx: begun.batch, id: 0 });
  if (!begun.keepsGains) await keepGains(pool);
  return readChanged(pool, request, place.since, openRead(begun));
}

type OpenRead = NonNullable<FiguresPlace["read"]>;

async function readChanged(
  pool: Pool,
  request: FiguresRequest,
  since: FiguresState | undefined,
  read: OpenRead,
): Promise<FiguresPage> {
  // Only what changed can have become empty.
  const lastPhase = since === undefined ? 0 : 1;
  for (let { phase, code, key } = read; phase <= lastPhase; phase += 1) {
    const groups = await changedGroups(pool, { since, until: read.until, phase, code, key });
    const { chosen, isAll } = chooseGroups(groups, request.limit);
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
      rows: streamGroups(pool, chosen, { part, columns: request.columns }),
    };
  }
  const next: FiguresPlace = { kind: "figures", since: read.until };
  return { part: "upsert", next, more: false, asOf: read.asOf, fraction: 1, rows: undefined };
}

const stateText = `
select f.tx, f.id, f.batch, f.gains_from is not null as "keepsGains", coalesce(c.tx, 0) as "endTx", coalesce(c.id, 0) as "endId",
  floor(date_part('epoch', clock_timestamp()) / 86400)::integer as day,
  floor(date_part('epoch', clock_timestamp()) * 1000)::bigint as "asOf"
from metric_fold f left join lateral (
  select tx, id from change where ${settled} order by tx desc, id desc limit 1
) c on true`;

interface StateRow extends FeedPosition, FiguresState {
  readonly keepsGains: boolean;
  readonly endTx: number;
  readonly endId: number;
  readonly asOf: number;
}

async function readState(pool: Pool): Promise<StateRow> {
  const query = { name: "desk-figures-state", text: stateText };
  const { rows } = await guarded(() => pool.query<StateRow>(query));
  return rows[0] ?? { tx: 0, id: 0, batch: 0, keepsGains: false, endTx: 0, endId: 0, day: 0, asOf: 0 };
}

const foldBatch = 5000;
/** How long a read leaves it to another process before it looks again. */
const foldPauseMs = 50;

interface Unfinished {
  /** Between 0 and 1: how much has been added up. */
  readonly preparing: number;
}

/** The state of the figures once everything is in them that had happened when it was asked for, where that is to be had in this time. */
async function beginFigures(pool: Pool, foldMs: number): Promise<StateRow | Unfinished> {
  const deadline = performance.now() + foldMs;
  let state = await readState(pool);
  const { asOf, endTx: tx, endId: id } = state;
  while (isBehind(state, { tx, id })) {
    const folded = await foldMetrics(pool, foldBatch, deadline);
    state = await readState(pool);
    if (!isBehind(state, { tx, id })) break;
    if (performance.now() > deadline) return { preparing: Math.min(state.id / Math.max(id, 1), 1) };
    if (folded === 0) await sleep(foldPauseMs);
  }
  return { ...state, asOf };
}

function openRead({ batch, day, asOf }: StateRow): OpenRead {
  return { until: { batch, day }, asOf, phase: 0, code: -1, key: "" };
}

/** A page of a read that has not begun. */
function notYet({ preparing }: Unfinished): Omit<FiguresPage, "next"> {
  return { part: "upsert", more: true, asOf: undefined, fraction: undefined, preparing, rows: undefined };
}

interface DayGroup {
  readonly code: number;
  readonly key: string;
  readonly first: number;
}

const daysText = `
select grouping as code, key, greatest(min(day), $1) as first from metric_day
where day <= $2 and (grouping, key) > ($3, $4) group by grouping, key order by grouping, key limit ${groupsAtOnce}`;

/** The figures of some days, up to today. */
async function readDays(
  pool: Pool,
  request: FiguresRequest,
  place: DaysPlace,
  foldMs: number,
): Promise<FiguresPage> {
  const begun = await beginFigures(pool, foldMs);
  if ("preparing" in begun) return { ...notYet(begun), next: place };
  const [fromDay, untilDay] = [place.from, place.until].map((day) => Date.parse(day) / 86_400_000) as [
    number,
    number,
  ];
  const lastDay = Math.min(untilDay - 1, begun.day);
  const [code, key] = groupIn(place.key);
  const query = { name: "desk-figures-of", text: daysText, values: [fromDay, lastDay, code, key] };
  const { rows } = await guarded(() => pool.query<DayGroup>(query));
  const groups = rows.map(({ first, ...group }) => ({
    ...group,
    stretches: first > lastDay ? [] : [{ first, last: lastDay }],
  }));
  const { chosen, isAll } = chooseGroups(groups, request.limit);
  const last = chosen.at(-1);
  const written = { part: "upsert", columns: request.columns } as const;
  return {
    part: "upsert",
    next: { ...place, key: last === undefined ? place.key : `${last.code} ${last.key}` },
    more: !isAll,
    asOf: begun.asOf,
    fraction: undefined,
    rows: last === undefined ? undefined : streamGroups(pool, chosen, written),
  };
}

function groupIn(key: string): readonly [code: number, key: string] {
  const [, code = "-1", rest = ""] = /^(\d) (.*)$/s.exec(key) ?? [];
  return [Number(code), rest];
}
