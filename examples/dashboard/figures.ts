import type { SupportApi } from "../support-api.ts";

/** One day of the support desk. Times are in seconds; null where nothing was measured that day. */
export interface DayFigures {
  /** The day in the time zone asked for, `2026-11-22`. */
  readonly day: string;
  readonly opened: number;
  readonly solved: number;
  readonly backlog: number;
  readonly firstReplyP50: number | null;
  readonly resolutionP50: number | null;
  readonly rating: number | null;
}

interface Duration {
  /** Null where there was none. */
  readonly calendar_seconds: { readonly p50: number } | null;
}

interface Bucket {
  readonly start: string;
  readonly volume: number;
  readonly solved: number;
  readonly backlog: number;
  readonly first_reply_time: Duration;
  readonly full_resolution_time: Duration;
  readonly csat: { readonly average: number | null };
}

const metrics = "volume,solved,backlog,first_reply_time,full_resolution_time,csat";

export interface FiguresRequest {
  /** The first day is the one that this is in; the last is today. */
  readonly from: Date;
  /** An IANA name: a day begins at its midnight. */
  readonly timeZone: string;
}

/** Volume and resolution, day by day. */
export async function readFigures(api: SupportApi, request: FiguresRequest): Promise<readonly DayFigures[]> {
  const { from, timeZone } = request;
  const query = new URLSearchParams({
    metrics,
    interval: "day",
    time_zone: timeZone,
    from: from.toISOString(),
  });
  const { body } = await api<{ readonly data: readonly Bucket[] }>({
    method: "GET",
    path: `/v1/metrics?${query.toString()}`,
  });
  // Swedish writes dates as ISO 8601 does.
  const dayIn = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short" });
  return body.data.map((bucket) => ({
    day: dayIn.format(new Date(bucket.start)),
    opened: bucket.volume,
    solved: bucket.solved,
    backlog: bucket.backlog,
    firstReplyP50: bucket.first_reply_time.calendar_seconds?.p50 ?? null,
    resolutionP50: bucket.full_resolution_time.calendar_seconds?.p50 ?? null,
    rating: bucket.csat.average,
  }));
}
