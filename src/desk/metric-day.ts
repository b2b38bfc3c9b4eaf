import { daySeconds, quarterSeconds } from "./metric-facts.ts";

/** The parts of a UTC day whose quarters of an hour are stored together, six hours each. */
export const dayParts = ["night", "morning", "afternoon", "evening"] as const;
const quartersOfDay = daySeconds / quarterSeconds;
const quartersOfPart = quartersOfDay / dayParts.length;

/** The part of the day that a quarter, from 0 to 95, is in. */
export function partOf(quarter: number): number {
  return Math.floor(quarter / quartersOfPart);
}

/** Quarters of a day that are in one bucket: from `start` up to, not including, `end`. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

/** How the edges of buckets cut a UTC day. */
export interface DayCut {
  readonly day: number;
  /** In their order, up to the last edge of all. */
  readonly segments: readonly Segment[];
  /**
   * The segment that is most of the day: its figures are those of the whole day less those of the other segments, which are quicker to read than all of its
   * quarters. Undefined when there is none, and then the figures of the whole day are not needed.
   */
  readonly rest: number | undefined;
  /** The parts of the day whose quarters are needed. */
  readonly parts: readonly number[];
}

/** The days that are cut in two or more, by their number. `edges` are those of the buckets, in seconds. */
export function cutDays(edges: readonly number[]): ReadonlyMap<number, DayCut> {
  const last = edges.at(-1) ?? 0;
  const cutting = edges.filter((edge) => edge % daySeconds !== 0);
  const byDay = Map.groupBy(cutting, (edge) => Math.floor(edge / daySeconds));
  return new Map([...byDay].map(([day, edgesOfDay]) => [day, cutDay(day, edgesOfDay, last)]));
}

function cutDay(day: number, edges: readonly number[], last: number): DayCut {
  const bounds = [0, ...edges.map((edge) => (edge % daySeconds) / quarterSeconds), quartersOfDay];
  const all = bounds.slice(1).map((end, index) => ({ start: bounds[index] ?? 0, end }));
  const segments = all.filter(({ start }) => day * daySeconds + start * quarterSeconds < last);
  const longest = segments.findIndex(({ start, end }) => end - start > quartersOfDay / 2);
  // What is behind the last edge belongs to no bucket, but has to be taken from the whole day all the same.
  const byQuarters = longest === -1 ? segments : all.filter((_, index) => index !== longest);
  const parts = dayParts.keys().filter((part) => byQuarters.some((segment) => reachesInto(segment, part)));
  return { day, segments, rest: longest === -1 ? undefined : longest, parts: [...parts] };
}

function reachesInto({ start, end }: Segment, part: number): boolean {
  return partOf(start) <= part && part <= partOf(end - 1);
}
