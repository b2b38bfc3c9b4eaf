import { Cron } from "croner";

/**
 * The first time of a cron expression after an instant, in milliseconds since the epoch; undefined when there is none. A fixed time of day comes exactly once
 * a day in its time zone: in a night that leaves it out, when the clocks go forward; in a night that has it twice, the first time.
 */
export function nextCronTime(
  cron: string,
  timezone: string | undefined,
  afterMs: number,
): number | undefined {
  return cronOf(cron, timezone).nextRun(new Date(afterMs))?.getTime();
}

/** The last time of a cron expression up to an instant, that instant included. */
export function lastCronTime(cron: string, timezone: string, untilMs: number): number | undefined {
  return cronOf(cron, timezone)
    .previousRuns(1, new Date(untilMs + 1))[0]
    ?.getTime();
}

function cronOf(cron: string, timezone: string | undefined): Cron {
  return new Cron(cron, { paused: true, ...(timezone === undefined ? {} : { timezone }) });
}
