import type { Cell } from "./metric-cell.ts";
import { flowOf, slot } from "./metric-cell.ts";
import { cutDays } from "./metric-day.ts";
import type { DayCut, Segment } from "./metric-day.ts";
import type { MetricName } from "./metric-definition.ts";
import type { GroupChange } from "./metric-facts.ts";
import { daySeconds, quarterSeconds } from "./metric-facts.ts";
import type { MetricSum } from "./metric-sum.ts";
import { createMetricSum } from "./metric-sum.ts";
import type { PackedText } from "./metric-text.ts";
import { openPacked, takeNumber } from "./metric-text.ts";
import type { MetricDay, MetricFigures } from "./store/metrics-read.ts";

/** Durations in seconds. */
interface Durations {
  readonly average: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
}

export interface DurationReport {
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

/** The figures of one group: packed cells in the order of their times, and what is still to be added to them. */
interface Group {
  readonly days: MetricDay[];
  readonly unfolded: GroupChange[];
  /** Open tickets at the start of the first day. */
  open: number;
}

/** Puts figures together by group and bucket. `edges` are those of the buckets, in seconds. Groups in which nothing was and is are left out, but for `always`. */
export function reportMetrics(
  figures: MetricFigures,
  edges: readonly number[],
  metrics: ReadonlySet<MetricName>,
  always?: string,
): readonly GroupReport[] {
  const sum = createMetricSum();
  const cuts = cutDays(edges);
  const reports: GroupReport[] = [];
  for (const [key, group] of [...gatherGroups(figures, always)].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    let { open } = group;
    let isThere = false;
    const buckets: BucketReport[] = [];
    addInOrder(group, edges, cuts, sum, (bucket) => {
      open += flowOf(sum.figure);
      // Before the first edge only what is open counts.
      if (bucket >= 0) {
        isThere ||= open !== 0 || !sum.isEmpty();
        buckets.push(reportBucket(sum, open, metrics));
      }
      sum.clear();
    });
    if (isThere || key === always) reports.push({ key, buckets });
  }
  return reports;
}

function gatherGroups(figures: MetricFigures, always: string | undefined): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  const groupOf = (key: string): Group => {
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { days: [], unfolded: [], open: 0 }));
    return group;
  };
  if (always !== undefined) groupOf(always);
  for (const [key, open] of figures.openBefore) groupOf(key).open = open;
  for (const day of figures.days) groupOf(day.key).days.push(day);
  for (const change of figures.unfolded) groupOf(change.key).unfolded.push(change);
  return groups;
}

/** Adds the figures of a group to the sum, bucket after bucket from the one before the first edge (-1), and calls `end` after each of them. */
function addInOrder(
  { days, unfolded }: Group,
  edges: readonly number[],
  cuts: ReadonlyMap<number, DayCut>,
  sum: MetricSum,
  end: (bucket: number) => void,
): void {
  const added = Map.groupBy(unfolded.flatMap(cellsOf), ({ at }) => bucketAt(edges, at));
  const last = edges.length - 1;
  let bucket = -1;
  added.get(bucket)?.forEach(({ cell }) => sum.add(cell));
  const moveTo = (at: number): void => {
    while (bucket < last && (edges[bucket + 1] ?? 0) <= at) {
      end(bucket);
      bucket += 1;
      if (bucket < last) added.get(bucket)?.forEach(({ cell }) => sum.add(cell));
    }
  };
  for (const figures of days.toSorted((a, b) => a.day - b.day)) {
    const start = figures.day * daySeconds;
    const cut = cuts.get(figures.day);
    if (cut === undefined) {
      moveTo(start);
      addWhole(sum, figures.total);
    } else addCut(sum, figures, cut, (quarter) => moveTo(start + quarter * quarterSeconds));
  }
  moveTo(Infinity);
  sum.clear();
}

function addWhole(sum: MetricSum, total: string): void {
  const text = openPacked(total);
  sum.addPacked(text, text.bytes.length, 1);
}

/** Adds a day that is cut, segment after segment; calls `moveTo` with the first quarter of each before. */
function addCut(
  sum: MetricSum,
  { total, quarters }: MetricDay,
  { segments, rest }: DayCut,
  moveTo: (quarter: number) => void,
): void {
  const text = openPacked(quarters);
  segments.forEach((segment, index) => {
    moveTo(segment.start);
    if (index !== rest) {
      addQuarters(sum, text, segment, 1);
      return;
    }
    const { place } = text;
    addWhole(sum, total);
    text.place = 0;
    addQuarters(sum, text, { start: 0, end: segment.start }, -1);
    addQuarters(sum, text, { start: segment.end, end: Infinity }, -1);
    text.place = place;
  });
}

/** Adds the quarters of a segment, or takes them away; passes over those before it. */
function addQuarters(sum: MetricSum, text: PackedText, { start, end }: Segment, sign: 1 | -1): void {
  while (text.place < text.bytes.length) {
    const { place } = text;
    const quarter = takeNumber(text);
    if (quarter >= end) {
      text.place = place;
      return;
    }
    const length = takeNumber(text);
    if (quarter < start) text.place += length;
    else sum.addPacked(text, text.place + length, sign);
  }
}

function cellsOf({ day, quarters }: GroupChange): { readonly at: number; readonly cell: Cell }[] {
  return [...quarters].map(([number, cell]) => ({ at: day * daySeconds + number * quarterSeconds, cell }));
}

/** The bucket that a time falls into, -1 before the first edge; one that does not exist when it is behind the last. */
function bucketAt(edges: readonly number[], at: number): number {
  return edges.findLastIndex((edge) => edge <= at);
}

function reportBucket(sum: MetricSum, open: number, metrics: ReadonlySet<MetricName>): BucketReport {
  const solved = sum.figure(slot.solved);
  const report: BucketReport = {};
  if (metrics.has("volume")) report.volume = sum.figure(slot.created);
  if (metrics.has("solved")) report.solved = solved;
  if (metrics.has("backlog")) report.backlog = open;
  if (metrics.has("first_reply_time")) {
    report.first_reply_time = reportDurations(sum, sum.figure(slot.replied), "reply");
  }
  if (metrics.has("full_resolution_time")) {
    report.full_resolution_time = reportDurations(sum, solved, "resolution");
  }
  if (metrics.has("reopen_rate")) report.reopen_rate = share(sum.figure(slot.reopened), solved);
  if (metrics.has("one_touch_rate")) report.one_touch_rate = share(sum.figure(slot.oneTouch), solved);
  if (metrics.has("csat")) {
    const responses = sum.figure(slot.rated);
    report.csat = {
      responses,
      average: share(sum.figure(slot.ratingSum), responses),
      good_share: share(sum.figure(slot.ratedWell), responses),
    };
  }
  return report;
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function reportDurations(sum: MetricSum, count: number, kind: "reply" | "resolution"): DurationReport {
  if (count === 0) return { count, calendar_seconds: null, business_seconds: null };
  const ranks = [rankOf(50, count), rankOf(90, count), rankOf(95, count)];
  return {
    count,
    calendar_seconds: durationsOf(sum, slot[`${kind}Sum`], slot[`${kind}Bins`], count, ranks),
    business_seconds: durationsOf(sum, slot[`${kind}BusinessSum`], slot[`${kind}BusinessBins`], count, ranks),
  };
}

/** Nearest rank, in whole numbers: a product such as 0.9 × 30 is not exact. */
function rankOf(percent: number, count: number): number {
  return Math.ceil((percent * count) / 100);
}

function durationsOf(
  sum: MetricSum,
  total: number,
  firstBin: number,
  count: number,
  ranks: readonly number[],
): Durations {
  const [p50 = 0, p90 = 0, p95 = 0] = sum.atRanks(firstBin, ranks);
  return { average: sum.figure(total) / count, p50, p90, p95 };
}
