import Table from "cli-table3";
import type { QueryFigures } from "./measure-desk-queries.ts";

/** What every query has to stay under, in milliseconds. */
const limitMs = 50;

export interface DeskQueriesReport {
  readonly queries: readonly QueryFigures[];
  readonly table: string;
  /** What is not as it should be, in words. */
  readonly failures: readonly string[];
}

/** Puts the figures of the queries beside what was set out. */
export function deskQueriesReport(queries: readonly QueryFigures[]): DeskQueriesReport {
  const table = new Table({
    head: ["query", "p50 ms", "p95 ms", "read from end to end"],
    colAligns: ["left", "right", "right", "left"],
    style: { head: [], border: [] },
  });
  for (const { name, p50Ms, p95Ms, scans } of queries) {
    table.push([name, p50Ms, p95Ms, scans.length === 0 ? "nothing" : scans.join(", ")]);
  }
  const slow = queries.filter(({ p95Ms }) => p95Ms >= limitMs);
  const scanning = queries.filter(({ scans }) => scans.length > 0);
  return {
    queries,
    table: table.toString(),
    failures: [
      ...slow.map(({ name, p95Ms }) => `${name}: p95 ${p95Ms} ms is not under ${limitMs} ms`),
      ...scanning.map(({ name, scans }) => `${name}: reads ${scans.join(", ")} from end to end`),
    ],
  };
}
