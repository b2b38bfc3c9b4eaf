import { Temporal } from "temporal-polyfill";

/** The days of the week, from Monday. */
export const weekdays = [
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
  "sunday",
] as const;
export type Weekday = (typeof weekdays)[number];

type Stretch = readonly [opens: string, closes: string];

/** When somebody is there. Times are `HH:MM` on the wall, the end `24:00` for midnight. */
export interface BusinessHours {
  readonly time_zone: string;
  /** Null for always. Stretches of a day, in their order, not touching each other; a day that is left out is closed. */
  readonly hours: { readonly [D in Weekday]?: readonly Stretch[] | undefined } | null;
  /** Days on which it is closed, `YYYY-MM-DD`. */
  readonly holidays: readonly string[];
}

/** Stretches of open time, in their order, in seconds since the epoch. */
export interface BusinessSpans {
  readonly opens: readonly number[];
  readonly closes: readonly number[];
}

/** The years that a calendar is worked out for: no ticket is older, and the calendar is worked out anew whenever it is set. */
const firstYear = 2025;
const yearsAhead = 20;

/**
 * The open time of a calendar from 2025 to 20 years ahead. A time that daylight saving skips is taken as the one after it, one that comes twice
 * as the first. Null for a calendar that is always open.
 */
export function businessSpans(
  { time_zone, hours, holidays }: BusinessHours,
  year: number,
): BusinessSpans | null {
  if (hours === null) return null;
  const closed = new Set(holidays);
  const opens: number[] = [];
  const closes: number[] = [];
  const end = Temporal.PlainDate.from({ year: year + yearsAhead, month: 1, day: 1 });
  let day = Temporal.PlainDate.from({ year: firstYear, month: 1, day: 1 });
  for (; Temporal.PlainDate.compare(day, end) < 0; day = day.add({ days: 1 })) {
    const weekday = weekdays[day.dayOfWeek - 1];
    const stretches = weekday === undefined ? undefined : hours[weekday];
    if (stretches === undefined || closed.has(day.toString())) continue;
    for (const [from, until] of stretches) {
      const [start, stop] = [instantOf(day, from, time_zone), instantOf(day, until, time_zone)];
      if (start >= stop) continue;
      // Midnight to midnight goes on into the next day.
      if (closes.at(-1) === start) closes[closes.length - 1] = stop;
      else {
        opens.push(start);
        closes.push(stop);
      }
    }
  }
  return { opens, closes };
}

function instantOf(day: Temporal.PlainDate, time: string, timeZone: string): number {
  const zoned =
    time === "24:00"
      ? day.add({ days: 1 }).toZonedDateTime(timeZone)
      : day.toZonedDateTime({ timeZone, plainTime: time });
  return Math.floor(zoned.epochMilliseconds / 1000);
}
