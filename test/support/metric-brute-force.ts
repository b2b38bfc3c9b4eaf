import type { BusinessHours } from "../../src/desk/business-hours.ts";
import { weekdays } from "../../src/desk/business-hours.ts";
import type { TicketLog } from "./metric-history.ts";

/** The metrics of one bucket, worked out from logs one ticket at a time and as literally as the definitions have it. */
export interface BruteReport {
  readonly volume: number;
  readonly solved: number;
  readonly backlog: number;
  readonly first_reply_time: unknown;
  readonly full_resolution_time: unknown;
  readonly reopen_rate: number | null;
  readonly one_touch_rate: number | null;
  readonly csat: unknown;
}

/** Counts the seconds of a stretch of time that are within business hours. */
export type BusinessCounter = (from: number, until: number) => number;

/** Asks for every minute whether the wall clock shows an open time. */
export function countBusiness({ time_zone, hours, holidays }: BusinessHours): BusinessCounter {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone: time_zone,
    hourCycle: "h23",
    weekday: "long",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  const known = new Map<number, boolean>();
  const isOpen = (minute: number): boolean => {
    let open = known.get(minute);
    if (open !== undefined) return open;
    const parts = Object.fromEntries(
      format.formatToParts(minute * 60_000).map((part) => [part.type, part.value]),
    );
    const time = `${parts.hour}:${parts.minute}`;
    const weekday = weekdays.find((day) => day === parts.weekday?.toLowerCase());
    const stretches = weekday === undefined ? undefined : hours?.[weekday];
    open =
      !holidays.includes(`${parts.year}-${parts.month}-${parts.day}`) &&
      (stretches?.some(([opens, closes]) => opens <= time && time < closes) ?? false);
    known.set(minute, open);
    return open;
  };
  return (from, until) => {
    if (hours === null) return until - from;
    let seconds = 0;
    for (let minute = Math.floor(from / 60); minute * 60 < until; minute += 1) {
      if (isOpen(minute)) seconds += Math.min(until, minute * 60 + 60) - Math.max(from, minute * 60);
    }
    return seconds;
  };
}

/** The metrics of a bucket from `start` to `end`, of these tickets. */
export function bruteForce(
  all: readonly TicketLog[],
  start: number,
  end: number,
  business: BusinessCounter,
): BruteReport {
  const tickets = all.filter(({ merged }) => !merged);
  const isIn = (at: number | undefined): boolean => at !== undefined && start <= at && at < end;
  const replied = tickets.filter(({ replies }) => isIn(replies[0]));
  const solved = tickets.filter(({ turns }) => turns.length % 2 === 1 && isIn(turns.at(-1)));
  const rated = tickets.flatMap(({ rating }) =>
    rating !== undefined && isIn(rating.at) ? [rating.score] : [],
  );
  const isOpenAtEnd = ({ createdAt, turns }: TicketLog): boolean =>
    createdAt < end && turns.filter((at) => at < end).length % 2 === 0;
  return {
    volume: tickets.filter(({ createdAt }) => isIn(createdAt)).length,
    solved: solved.length,
    backlog: tickets.filter(isOpenAtEnd).length,
    first_reply_time: durations(
      replied.map(({ createdAt, replies }) => [createdAt, replies[0] ?? 0]),
      business,
    ),
    full_resolution_time: durations(
      solved.map(({ createdAt, turns }) => [createdAt, turns.at(-1) ?? 0]),
      business,
    ),
    reopen_rate: share(solved.filter(({ turns }) => turns.length > 1).length, solved.length),
    one_touch_rate: share(
      solved.filter(({ turns, replies }) => turns.length === 1 && replies.length <= 1).length,
      solved.length,
    ),
    csat: {
      responses: rated.length,
      average: share(sum(rated), rated.length),
      good_share: share(rated.filter((score) => score >= 4).length, rated.length),
    },
  };
}

function durations(stretches: readonly (readonly [number, number])[], business: BusinessCounter): unknown {
  return {
    count: stretches.length,
    calendar_seconds: spread(stretches.map(([from, until]) => until - from)),
    business_seconds: spread(stretches.map(([from, until]) => business(from, until))),
  };
}

function spread(seconds: readonly number[]): unknown {
  if (seconds.length === 0) return null;
  const sorted = seconds.toSorted((a, b) => a - b);
  const nearestRank = (percent: number): number =>
    stepOf(sorted[Math.ceil((percent * sorted.length) / 100) - 1] ?? Number.NaN);
  return {
    average: sum(seconds) / seconds.length,
    p50: nearestRank(50),
    p90: nearestRank(90),
    p95: nearestRank(95),
  };
}

/** A duration as percentiles give it: the middle of its step, of which there are 64 in each doubling. */
export function stepOf(seconds: number): number {
  if (seconds < 128) return seconds;
  let power = 128;
  while (power * 2 <= seconds) power *= 2;
  const width = power / 64;
  return Math.floor(Math.floor(seconds / width) * width + width / 2);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
