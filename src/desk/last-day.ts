import type { SupportDay } from "../telemetry/metrics.ts";
import { cutDays } from "./metric-day.ts";
import { daySeconds, groupingCode } from "./metric-facts.ts";
import { metricNames } from "./metric-definition.ts";
import { reportMetrics } from "./metric-report.ts";
import type { DurationReport } from "./metric-report.ts";
import type { DeskStore } from "./store/store.ts";

/** The support metrics of the last whole day (UTC), of all tickets: the row of `metrics_daily` for it, as of now. `now` in milliseconds since the epoch. */
export async function readLastDay(store: DeskStore, now: number): Promise<SupportDay> {
  const today = Math.floor(now / 1000 / daySeconds);
  const edges = [(today - 1) * daySeconds, today * daySeconds];
  const figures = await store.readMetrics({
    grouping: groupingCode(undefined),
    fromDay: today - 1,
    untilDay: today,
    cuts: [...cutDays(edges).values()],
  });
  const day = reportMetrics(figures, edges, new Set(metricNames), "")[0]?.buckets[0];
  return {
    tickets: { created: day?.volume ?? 0, solved: day?.solved ?? 0, open: day?.backlog ?? 0 },
    seconds: {
      first_reply: percentiles(day?.first_reply_time),
      full_resolution: percentiles(day?.full_resolution_time),
    },
    csat: {
      responses: day?.csat?.responses ?? 0,
      average: day?.csat?.average ?? undefined,
      good_share: day?.csat?.good_share ?? undefined,
    },
  };
}

function percentiles(report: DurationReport | undefined): SupportDay["seconds"]["first_reply"] {
  const { p50, p90, p95 } = report?.calendar_seconds ?? {};
  return { "0.5": p50, "0.9": p90, "0.95": p95 };
}
