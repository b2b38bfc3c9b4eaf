import Table from "cli-table3";
import type { WriteFigures } from "./child-desk-writer.ts";
import type { DeskFeedFigures } from "./measure-desk-feed.ts";
import type { DeskWritesFigures } from "./measure-desk-writes.ts";
import { median, percentile, significant } from "./statistics.ts";

/** What of the rate of bare SQL the Support API has to reach, for each kind of write. */
const leastRatio = 0.5;
/** Changes a second that one reader has to get. */
const leastChanges = 20_000;

/** Figures beside what was set out. */
export interface DeskReport {
  readonly table: string;
  /** What is not as it should be, in words. */
  readonly failures: readonly string[];
}

interface WriteSummary {
  readonly kind: string;
  readonly apiPerSecond: number;
  readonly sqlPerSecond: number;
  /** The median of the rounds' own ratios. */
  readonly ratio: number;
  readonly ratios: readonly number[];
  readonly apiP50Ms: number;
  readonly apiP99Ms: number;
}

/** `writes` is how many each round made. */
export function deskWritesReport(
  figures: readonly DeskWritesFigures[],
  writes: number,
): DeskReport & { readonly writes: readonly WriteSummary[] } {
  const summaries = figures.map(({ kind, api, sql }): WriteSummary => {
    const rates = (side: readonly WriteFigures[]): number[] => side.map(({ seconds }) => writes / seconds);
    const [apiRates, sqlRates] = [rates(api), rates(sql)];
    const ratios = apiRates.map((rate, round) => rate / (sqlRates[round] ?? Number.NaN));
    const latencies = api.flatMap(({ latenciesMs }) => latenciesMs);
    return {
      kind,
      apiPerSecond: Math.round(median(apiRates)),
      sqlPerSecond: Math.round(median(sqlRates)),
      ratio: significant(median(ratios)),
      ratios: ratios.map((each) => significant(each)),
      apiP50Ms: significant(percentile(latencies, 0.5)),
      apiP99Ms: significant(percentile(latencies, 0.99)),
    };
  });
  const table = new Table({
    head: ["writes", "Support API, 1/s", "bare SQL, 1/s", "ratio", "p50 ms", "p99 ms"],
    colAligns: ["left", "right", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  for (const { kind, apiPerSecond, sqlPerSecond, ratio, apiP50Ms, apiP99Ms } of summaries)
    table.push([kind, apiPerSecond, sqlPerSecond, ratio, apiP50Ms, apiP99Ms]);
  const failures = summaries
    .filter(({ ratio }) => !(ratio >= leastRatio))
    .map(({ kind, ratio }) => `${kind}: ${ratio} of bare SQL is less than ${leastRatio}`);
  return { writes: summaries, table: table.toString(), failures };
}

interface FeedSummary {
  readonly way: string;
  readonly perSecond: number;
  readonly perSecondOfRounds: readonly number[];
}

export function deskFeedReport(
  figures: DeskFeedFigures,
): DeskReport & { readonly feed: readonly FeedSummary[] } {
  const feed = Object.entries(figures).map(([way, rates]: [string, readonly number[]]): FeedSummary => {
    return { way, perSecond: Math.round(median(rates)), perSecondOfRounds: rates.map(Math.round) };
  });
  const table = new Table({
    head: ["feed", "changes, 1/s"],
    colAligns: ["left", "right"],
    style: { head: [], border: [] },
  });
  for (const { way, perSecond } of feed) table.push([way, perSecond]);
  const failures = feed
    .filter(({ perSecond }) => !(perSecond >= leastChanges))
    .map(({ way, perSecond }) => `${way}: ${perSecond} changes a second are fewer than ${leastChanges}`);
  return { feed, table: table.toString(), failures };
}
