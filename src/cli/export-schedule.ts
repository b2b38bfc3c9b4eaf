import type { ExportSchedule } from "../config/config.ts";
import { nextCronTime } from "../queue/cron.ts";

/** When an export runs next by its timetable, RFC 3339 UTC; null where it never does. `now` is in milliseconds. */
export function nextRun(schedule: ExportSchedule | undefined, now: number): string | null {
  const at = schedule && nextCronTime(schedule.cron, schedule.timezone, now);
  return at === undefined ? null : new Date(at).toISOString();
}
