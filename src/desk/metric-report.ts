import type { Cell } from "./metric-cell.ts";
import { bytesOf, forEachQuarter, slot } from "./metric-cell.ts";
import type { MetricName } from "./metric-definition.ts";
import type { GroupChange } from "./metric-facts.ts";
import { daySeconds, quarterSeconds } from "./metric-facts.ts";
import type { MetricSum } from "./metric-sum.ts";
import { createMetricSum } from "./metric-sum.ts";
import type { MetricDay, MetricFigures } from "./store/metrics-read.ts";

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
  const reports: GroupReport[] = [];
  for (const [key, group] of [...gatherGroups(figures, always)].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    let { open } = group;
    let isThere = false;
    const buckets: BucketReport[] = [];
    addInOrder(group, edges, sum, (bucket) => {
      open += sum.figure(slot.flow);
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
  sum: MetricSum,
  end: (bucket: number) => void,
): void {
  const split = new Set(splitDaysOf(edges));
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
  for (const { day, cells } of days.toSorted((a, b) => a.day - b.day)) {
    const start = day * daySeconds;
    const bytes = bytesOf(cells);
    const add = (at: number, from: number, to: number): void => {
      moveTo(at);
      if (bucket < last) sum.addPacked(bytes, from, to);
    };
    if (split.has(day)) {
      forEachQuarter(bytes, (quarter, from, to) => add(start + quarter * quarterSeconds, from, to));
    } else add(start, 0, bytes.length);
  }
  moveTo(Infinity);
  sum.clear();
}

function cellsOf({ day, quarters }: GroupChange): { readonly at: number; readonly cell: Cell }[] {
  return [...quarters].map(([number, cell]) => ({ at: day * daySeconds + number * quarterSeconds, cell }));
}

/** The UTC days that an edge cuts in two. */
export function splitDaysOf(edges: readonly number[]): readonly number[] {
  const cut = edges.filter((edge) => edge % daySeconds !== 0);
  return [...new Set(cut.map((edge) => Math.floor(edge / daySeconds)))];
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
  // Nearest rank, in whole numbers: a product such as 0.9 × 30 is not exact.
  const ranks = [50, 90, 95].map((percent) => Math.ceil((percent * count) / 100));
  const of = (total: number, firstBin: number): Durations => {
    const [p50 = 0, p90 = 0, p95 = 0] = sum.atRanks(firstBin, ranks);
    return { average: sum.figure(total) / count, p50, p90, p95 };
  };
  return {
    count,
    calendar_seconds: of(slot[`${kind}Sum`], slot[`${kind}Bins`]),
    business_seconds: of(slot[`${kind}BusinessSum`], slot[`${kind}BusinessBins`]),
  };
}
