import { addPacked, quartersIn, slot, slotCount } from "./metric-cell.ts";
import type { Cell } from "./metric-cell.ts";
import type { MetricName } from "./metric-definition.ts";
import { daySeconds, quarterSeconds } from "./metric-facts.ts";
import { binCount, secondsOf } from "./metric-histogram.ts";
import type { MetricFigures } from "./store/metrics-read.ts";

/** Durations in seconds. */
interface Durations {
  readonly average: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
}

interface DurationReport {
  readonly count: number;
  readonly calendar_seconds: Durations | null;
  readonly business_seconds: Durations | null;
}

/** The metrics of a bucket; those that were asked for. Rates are null where there is nothing to divide by. */
export interface BucketReport {
  volume?: number;
  solved?: number;
  backlog?: number;
  first_reply_time?: DurationReport;
  full_resolution_time?: DurationReport;
  reopen_rate?: number | null;
  one_touch_rate?: number | null;
  csat?: { responses: number; average: number | null; good_share: number | null };
}

/** One group in all of the buckets. */
export interface GroupReport {
  /** "" for tickets that are in no group, and for all tickets together. */
  readonly key: string;
  readonly buckets: readonly BucketReport[];
}

/** A piece of a bucket's figures. */
type Piece = Cell | { readonly cells: string; readonly start: number; readonly end: number };

interface Group {
  /** By bucket. */
  readonly pieces: Piece[][];
  /** Open tickets at the start of the first bucket. */
  open: number;
}

/** Puts figures together by group and bucket. `edges` are those of the buckets, in seconds. Groups in which nothing was and is are left out, but for `always`. */
export function reportMetrics(
  figures: MetricFigures,
  edges: readonly number[],
  metrics: ReadonlySet<MetricName>,
  always?: string,
): readonly GroupReport[] {
  const groups = gatherGroups(figures, edges, always);
  const scratch = new Float64Array(slotCount);
  const reports: GroupReport[] = [];
  for (const [key, group] of [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    let { open } = group;
    let isThere = open !== 0;
    const buckets = group.pieces.map((pieces) => {
      scratch.fill(0);
      for (const piece of pieces) addPiece(scratch, piece);
      open += figure(scratch, slot.flow);
      isThere ||= scratch.some((value) => value !== 0);
      return reportBucket(scratch, open, metrics);
    });
    if (isThere || key === always) reports.push({ key, buckets });
  }
  return reports;
}

function gatherGroups(
  figures: MetricFigures,
  edges: readonly number[],
  always: string | undefined,
): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  const [first = 0] = edges;
  const groupOf = (key: string): Group => {
    let group = groups.get(key);
    if (group === undefined) {
      group = { pieces: edges.slice(1).map(() => []), open: 0 };
      groups.set(key, group);
    }
    return group;
  };
  const place = (group: Group, at: number, piece: Piece): void => {
    if (at < first) group.open += flowOf(piece);
    else group.pieces[bucketAt(edges, at)]?.push(piece);
  };
  if (always !== undefined) groupOf(always);
  for (const [key, open] of figures.openBefore) groupOf(key).open = open;
  const split = new Set(splitDaysOf(edges));
  for (const { key, day, cells } of figures.days) {
    const group = groupOf(key);
    const start = day * daySeconds;
    if (!split.has(day)) {
      place(group, start, { cells, start: 0, end: cells.length });
      continue;
    }
    for (const quarter of quartersIn(cells)) {
      const { start: from, end } = quarter;
      place(group, start + quarter.number * quarterSeconds, { cells, start: from, end });
    }
  }
  for (const { key, day, quarters } of figures.unfolded) {
    const group = groupOf(key);
    for (const [number, cell] of quarters) place(group, day * daySeconds + number * quarterSeconds, cell);
  }
  return groups;
}

/** The UTC days that an edge cuts in two. */
export function splitDaysOf(edges: readonly number[]): readonly number[] {
  const cut = edges.filter((edge) => edge % daySeconds !== 0);
  return [...new Set(cut.map((edge) => Math.floor(edge / daySeconds)))];
}

/** The bucket that a time from the first edge on falls into; one that does not exist when it is behind the last edge. */
function bucketAt(edges: readonly number[], at: number): number {
  let low = 0;
  let high = edges.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((edges[middle] ?? 0) <= at) low = middle;
    else high = middle;
  }
  return low;
}

function addPiece(scratch: Float64Array, piece: Piece): void {
  if (!(piece instanceof Map)) {
    addPacked(scratch, piece.cells, piece.start, piece.end);
    return;
  }
  for (const [at, amount] of piece) scratch[at] = (scratch[at] ?? 0) + amount;
}

function flowOf(piece: Piece): number {
  const scratch = new Float64Array(slotCount);
  addPiece(scratch, piece);
  return figure(scratch, slot.flow);
}

function figure(scratch: Float64Array, at: number): number {
  return scratch[at] ?? 0;
}

function reportBucket(scratch: Float64Array, open: number, metrics: ReadonlySet<MetricName>): BucketReport {
  const solved = figure(scratch, slot.solved);
  const rated = figure(scratch, slot.rated);
  const report: BucketReport = {};
  if (metrics.has("volume")) report.volume = figure(scratch, slot.created);
  if (metrics.has("solved")) report.solved = solved;
  if (metrics.has("backlog")) report.backlog = open;
  if (metrics.has("first_reply_time")) {
    report.first_reply_time = reportDurations(scratch, figure(scratch, slot.replied), "reply");
  }
  if (metrics.has("full_resolution_time")) {
    report.full_resolution_time = reportDurations(scratch, solved, "resolution");
  }
  if (metrics.has("reopen_rate")) report.reopen_rate = share(figure(scratch, slot.reopened), solved);
  if (metrics.has("one_touch_rate")) report.one_touch_rate = share(figure(scratch, slot.oneTouch), solved);
  if (metrics.has("csat")) {
    report.csat = {
      responses: rated,
      average: share(figure(scratch, slot.ratingSum), rated),
      good_share: share(figure(scratch, slot.ratedWell), rated),
    };
  }
  return report;
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function reportDurations(scratch: Float64Array, count: number, kind: "reply" | "resolution"): DurationReport {
  const of = (sum: number, bins: number): Durations | null =>
    count === 0 ? null : { average: figure(scratch, sum) / count, ...percentilesOf(scratch, bins, count) };
  return {
    count,
    calendar_seconds: of(slot[`${kind}Sum`], slot[`${kind}Bins`]),
    business_seconds: of(slot[`${kind}BusinessSum`], slot[`${kind}BusinessBins`]),
  };
}

/** The nearest-rank percentiles of a histogram. */
function percentilesOf(scratch: Float64Array, first: number, count: number): Omit<Durations, "average"> {
  const ranks = [0.5, 0.9, 0.95].map((part) => Math.ceil(part * count - 1e-9));
  const found: number[] = [];
  let below = 0;
  for (let bin = 0; bin < binCount && found.length < ranks.length; bin += 1) {
    below += scratch[first + bin] ?? 0;
    while (found.length < ranks.length && below >= (ranks[found.length] ?? 0)) found.push(secondsOf(bin));
  }
  const [p50 = 0, p90 = 0, p95 = 0] = found;
  return { p50, p90, p95 };
}
