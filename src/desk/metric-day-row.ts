import { datasetCatalogue } from "../model/dataset-catalogue.ts";
import type { Column } from "../model/dataset.ts";
import { formatCsvRow } from "../sdk/csv.ts";
import type { Row } from "../sdk/row-batch.ts";
import { metricNames } from "./metric-definition.ts";
import { daySeconds, groupings } from "./metric-facts.ts";
import type { BucketReport } from "./metric-report.ts";
import { reportMetrics } from "./metric-report.ts";
import type { MetricDay } from "./store/metrics-read.ts";

/** A stretch of one group's days: its open tickets before that, and what there is of the days. */
export interface GroupDays {
  /** See `groupingCode`. */
  readonly code: number;
  readonly key: string;
  readonly firstDay: number;
  readonly lastDay: number;
  /** Those of the days that are written: in order. */
  readonly wanted: readonly { readonly first: number; readonly last: number }[];
  readonly openBefore: number;
  readonly days: readonly MetricDay[];
}

/** What is written of a group's days: the rows of those on which anything is other than zero, or the keys of the others. */
export interface DayPart {
  readonly part: "upsert" | "delete";
  readonly columns: readonly Column[];
}

const metrics = new Set(metricNames);
const { columns: allColumns, key: keyNames } = datasetCatalogue.metrics_daily;

/** Columns of `metrics_daily` by name; those of the key for a part of keys. */
export function dayColumns(part: DayPart["part"], names: readonly string[]): readonly Column[] {
  if (part === "delete") return allColumns.filter(({ name }) => keyNames.includes(name));
  return names.flatMap((name) => allColumns.find((column) => column.name === name) ?? []);
}

/** A stretch of days as CSV: the same figures as in an answer of the metrics with buckets of a UTC day. */
export function formatDays(
  { code, key, firstDay, lastDay, wanted, openBefore, days }: GroupDays,
  { part, columns }: DayPart,
): string {
  const edges = Array.from({ length: lastDay - firstDay + 2 }, (_, index) => (firstDay + index) * daySeconds);
  const figures = { days, openBefore: new Map([[key, openBefore]]), unfolded: [] };
  const [report] = reportMetrics(figures, edges, metrics, key);
  const group = { group_by: code === 0 ? "all" : groupings[code - 1], group_key: key };
  let at = 0;
  const isWanted = (day: number): boolean => {
    while (day > (wanted[at]?.last ?? Infinity)) at += 1;
    return day >= (wanted[at]?.first ?? Infinity);
  };
  return (report?.buckets ?? [])
    .map((bucket, index) => {
      if (!isWanted(firstDay + index)) return "";
      const row = rowOf(bucket);
      if (isEmpty(row) !== (part === "delete")) return "";
      return formatCsvRow(columns, { day: dayText(firstDay + index), ...group, ...row });
    })
    .join("");
}

function dayText(day: number): string {
  return new Date(day * daySeconds * 1000).toISOString().slice(0, 10);
}

function rowOf(bucket: BucketReport): Row {
  const { first_reply_time: reply, full_resolution_time: resolution, csat } = bucket;
  return {
    volume: bucket.volume,
    solved: bucket.solved,
    backlog: bucket.backlog,
    ...durationsOf("first_reply", reply),
    ...durationsOf("full_resolution", resolution),
    reopen_rate: bucket.reopen_rate,
    one_touch_rate: bucket.one_touch_rate,
    csat_responses: csat?.responses,
    csat_average: csat?.average,
    csat_good_share: csat?.good_share,
  };
}

function durationsOf(name: string, report: BucketReport["first_reply_time"]): Row {
  const { calendar_seconds: calendar, business_seconds: business } = report ?? {};
  return {
    [`${name}_count`]: report?.count,
    ...Object.fromEntries(
      Object.entries({ calendar, business }).flatMap(([clock, figures]) =>
        Object.entries(figures ?? {}).map(([figure, value]) => [`${name}_${clock}_${figure}`, value]),
      ),
    ),
  };
}

function isEmpty(row: Row): boolean {
  return Object.values(row).every((value) => value === 0 || value === null || value === undefined);
}
