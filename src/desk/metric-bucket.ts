import { Temporal } from "temporal-polyfill";
import { AppError } from "../errors.ts";
import { quarterSeconds } from "./metric-facts.ts";

export const intervals = ["hour", "day", "week"] as const;
export type Interval = (typeof intervals)[number];

/** Whether there is a time zone of this name, such as `Europe/Berlin`. */
export function isTimeZone(name: string): boolean {
  try {
    Temporal.Now.zonedDateTimeISO(name);
    return !/^[+-]/.test(name);
  } catch {
    return false;
  }
}

export interface BucketRequest {
  /** Seconds since the epoch; rounded down to a quarter of an hour. */
  readonly from: number;
  readonly until: number;
  /** Undefined for one bucket of everything. */
  readonly interval: Interval | undefined;
  readonly timeZone: string;
  readonly mostBuckets: number;
}

/**
 * The edges of the buckets, in seconds since the epoch: each bucket reaches from its edge up to the next one. Buckets begin on the hour, at the
 * start of the day or of Monday in the time zone, whatever the length that daylight saving gives them; the first and the last may be cut short.
 * Throws `bad_request` for a range that is empty, or cut into too many.
 */
export function bucketEdges({
  from,
  until,
  interval,
  timeZone,
  mostBuckets,
}: BucketRequest): readonly number[] {
  const first = onQuarter(from);
  const last = onQuarter(until);
  if (first >= last) throw refusal("until", "from must be a quarter of an hour before until, or more");
  const edges = [first];
  if (interval !== undefined) {
    let start = startOf(Temporal.Instant.fromEpochMilliseconds(first * 1000), interval, timeZone);
    for (;;) {
      start = nextStart(start, interval);
      const edge = onQuarter(start.epochMilliseconds / 1000);
      if (edge >= last) break;
      if (edge > first) edges.push(edge);
      if (edges.length > mostBuckets) {
        throw refusal("interval", `the range has more than ${mostBuckets} of these`);
      }
    }
  }
  return [...edges, last];
}

function onQuarter(seconds: number): number {
  return Math.floor(seconds / quarterSeconds) * quarterSeconds;
}

function refusal(path: string, message: string): AppError {
  return new AppError("bad_request", `the query is not valid: ${path}: ${message}`, {
    details: { fields: [{ path, message }] },
  });
}

function startOf(instant: Temporal.Instant, interval: Interval, timeZone: string): Temporal.ZonedDateTime {
  const local = instant.toZonedDateTimeISO(timeZone);
  if (interval === "hour") return local.subtract({ minutes: local.minute, seconds: local.second });
  const day = local.startOfDay();
  return interval === "day" ? day : day.subtract({ days: day.dayOfWeek - 1 }).startOfDay();
}

function nextStart(start: Temporal.ZonedDateTime, interval: Interval): Temporal.ZonedDateTime {
  if (interval === "day") return start.add({ days: 1 }).startOfDay();
  if (interval === "week") return start.add({ weeks: 1 }).startOfDay();
  // Where clocks are moved by half an hour, that hour has half an hour more or less.
  const next = start.add({ hours: 1 });
  if (next.minute === 0) return next;
  return next.minute < 30 ? next.subtract({ minutes: next.minute }) : next.add({ minutes: 60 - next.minute });
}
