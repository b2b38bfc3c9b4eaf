import { AppError } from "../errors.ts";
import { businessSpans } from "./business-hours.ts";
import { bucketEdges } from "./metric-bucket.ts";
import { generalDefinitions, metricDefinitions, metricNames } from "./metric-definition.ts";
import { cutDays } from "./metric-day.ts";
import { daySeconds, groupingCode } from "./metric-facts.ts";
import type { GroupReport } from "./metric-report.ts";
import { reportMetrics } from "./metric-report.ts";
import type { Call, ReadAnswer, Route } from "./route.ts";
import { readRoute, writeRoute } from "./route.ts";
import { findTicket, ticketAddresses } from "./route-ticket.ts";
import type { MetricQuery } from "./schema-metric.ts";
import {
  businessHours,
  businessHoursAnswer,
  metricQuery,
  metricReport,
  ticketMetric,
} from "./schema-metric.ts";
import type { DeskStore } from "./store/store.ts";

/** Most buckets of an answer, all groups together. */
const mostBuckets = 10_000;
const usualDays = 30;

interface Span {
  readonly start: string;
  readonly end: string;
}

async function readMetrics({ query }: Call<MetricQuery, undefined>, store: DeskStore): Promise<ReadAnswer> {
  const { interval, time_zone: timeZone, group_by: grouping, metrics = metricNames } = query;
  // One bucket more than now, so that what happens in this quarter of an hour is in it.
  const until = secondsOf(query.until) ?? Math.ceil(Date.now() / 900_000) * 900;
  const from = secondsOf(query.from) ?? until - usualDays * daySeconds;
  const edges = bucketEdges({ from, until, interval, timeZone, mostBuckets });
  const [first = 0, last = 0] = [edges[0], edges.at(-1)];
  const figures = await store.readMetrics({
    grouping: groupingCode(grouping),
    fromDay: Math.floor(first / daySeconds),
    untilDay: Math.ceil(last / daySeconds),
    cuts: [...cutDays(edges).values()],
  });
  const groups = reportMetrics(figures, edges, new Set(metrics), grouping === undefined ? "" : undefined);
  const names = new Set<string>(metrics);
  const spans = spansOf(edges);
  const told = Object.entries(metricDefinitions).filter(([name]) => names.has(name));
  const body = {
    from: timeOf(first),
    until: timeOf(last),
    interval: interval ?? null,
    time_zone: timeZone,
    group_by: grouping ?? null,
    data: groups.flatMap((group) => rowsOf(group, spans, grouping !== undefined)),
    definitions: { ...Object.fromEntries(told), ...generalDefinitions },
  };
  return { body: JSON.stringify(body) };
}

/** Start and end of each bucket, as they are told. */
function spansOf(edges: readonly number[]): readonly Span[] {
  const times = edges.map(timeOf);
  return times.slice(1).map((end, index) => ({ start: times[index] ?? "", end }));
}

function rowsOf(
  { key, buckets }: GroupReport,
  spans: readonly Span[],
  isGrouped: boolean,
): readonly object[] {
  const group = isGrouped ? { group: key === "" ? null : key } : {};
  return buckets.map((bucket, index) => ({ ...spans[index], ...group, ...bucket }));
}

function secondsOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / 1000;
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** The support metrics, and the hours that business time is counted in. */
export const metricRoutes: readonly Route[] = [
  readRoute({
    method: "GET",
    path: "/v1/metrics",
    scope: "metrics:read",
    summary: "Get support metrics over time",
    query: metricQuery,
    answers: { 200: metricReport },
    read: readMetrics,
  }),
  ...ticketAddresses.map((address) =>
    readRoute({
      method: "GET",
      path: `${address}/metrics`,
      scope: "tickets:read",
      summary: "Get the metrics of a ticket",
      answers: { 200: ticketMetric },
      read: async ({ params }, store) => {
        const { id } = await findTicket(params, store);
        const found = await store.find("ticketMetric", [id]);
        if (found === undefined) throw new AppError("not_found", "there is no such ticket");
        return { body: found.body };
      },
    }),
  ),
  readRoute({
    method: "GET",
    path: "/v1/business-hours",
    scope: "metrics:read",
    summary: "Get the business hours",
    answers: { 200: businessHoursAnswer },
    read: async (_call, store) => ({ body: (await store.find("businessHours", []))?.body ?? "" }),
  }),
  writeRoute({
    method: "PUT",
    path: "/v1/business-hours",
    scope: "admin",
    summary: "Set the business hours",
    body: businessHours,
    answers: { 200: businessHoursAnswer },
    operation: "put_business_hours",
    input: ({ body }) => {
      const { opens, closes } = businessSpans(body, new Date().getUTCFullYear()) ?? { opens: [], closes: [] };
      return { ...body, opens, closes };
    },
  }),
];
