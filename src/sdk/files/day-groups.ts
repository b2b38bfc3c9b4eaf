import { duckdbThreads } from "./duckdb.ts";

/** Bytes of rows that each thread gathers before it writes them. */
const gatheredBytes = 6 * 1024 ** 2;
/** For rows that nothing is known of. */
const usualRowBytes = 1024;
/** Days that a thread may gather rows of at a time: each takes room for two thousand rows, be there one. */
const daysInMemory = 24;
/** Days that are written in one statement at most. */
const mostDays = 512;

/** How many rows of a size each thread gathers before it writes them. */
export function gatheredRows(rows: number, bytes: number): number {
  const rowBytes = rows === 0 ? usualRowBytes : Math.max(bytes / rows, 1);
  return Math.min(Math.max(Math.floor(gatheredBytes / rowBytes), 256), 524_288);
}

/** How many days DuckDB has memory for when their rows come mixed. */
export function daysAtOnce(): number {
  return Math.floor((2 * daysInMemory * 2) / duckdbThreads());
}

/**
 * Days in order, cut into stretches that can be written in one statement each, given that the rows come by day. A day with few rows is gathered together with
 * the next ones before any of them is written, so there may not be too many such days in a stretch.
 */
export function groupDays(
  days: readonly string[],
  rowsOf: (day: string) => number,
  gathered: number,
  most = mostDays,
): readonly (readonly string[])[] {
  const groups: string[][] = [];
  let group: string[] = [];
  let small = 0;
  for (const day of days) {
    const isSmall = rowsOf(day) * daysInMemory < gathered;
    if (group.length === most || (isSmall && small === daysAtOnce())) {
      groups.push(group);
      group = [];
      small = 0;
    }
    group.push(day);
    if (isSmall) small += 1;
  }
  return group.length === 0 ? groups : [...groups, group];
}
