import { z } from "zod";
import type { Weekday } from "./business-hours.ts";
import { weekdays } from "./business-hours.ts";
import { csat } from "./schema-csat.ts";
import { intervals, isTimeZone } from "./metric-bucket.ts";
import type { MetricName } from "./metric-definition.ts";
import { metricNames } from "./metric-definition.ts";
import { groupings } from "./metric-facts.ts";
import * as field from "./schema-text.ts";

const timeZone = z
  .string()
  .max(100)
  .refine(isTimeZone, "must be the name of a time zone, such as Europe/Berlin");

/** From 2000 on, which keeps the arithmetic of time zones to whole quarters of an hour. */
const metricTime = field.instant.refine(
  (time) => Date.parse(time) >= Date.UTC(2000, 0, 1) && Date.parse(time) < Date.UTC(2100, 0, 1),
  "must be between the years 2000 and 2100",
);

/** Query of `GET /v1/metrics`. */
export const metricQuery = z.strictObject({
  metrics: z
    .string()
    .transform((value) => value.split(",") as MetricName[])
    .pipe(z.array(z.enum(metricNames)).min(1))
    .optional()
    .describe("names with commas; all of them unless told"),
  from: metricTime.optional().describe("30 days before `until` unless told"),
  until: metricTime.optional().describe("not included; now unless told"),
  interval: z.enum(intervals).optional().describe("one bucket of everything unless told"),
  time_zone: timeZone.default("UTC").describe("in which hours, days and weeks begin"),
  group_by: z.enum(groupings).optional(),
});
export type MetricQuery = z.output<typeof metricQuery>;

const durations = z.strictObject({
  average: z.number(),
  p50: z.number(),
  p90: z.number(),
  p95: z.number(),
});
const durationReport = z.strictObject({
  count: z.int(),
  calendar_seconds: durations.nullable(),
  business_seconds: durations.nullable(),
});

/** Answer of `GET /v1/metrics`: the buckets in their order, group by group. */
export const metricReport = z.strictObject({
  from: z.iso.datetime(),
  until: z.iso.datetime(),
  interval: z.enum(intervals).nullable(),
  time_zone: z.string(),
  group_by: z.enum(groupings).nullable(),
  data: z.array(
    z.strictObject({
      start: z.iso.datetime(),
      end: z.iso.datetime(),
      group: z.string().nullable().optional().describe("only with group_by; null for tickets that have none"),
      volume: z.int().optional(),
      solved: z.int().optional(),
      backlog: z.int().optional(),
      first_reply_time: durationReport.optional(),
      full_resolution_time: durationReport.optional(),
      reopen_rate: z.number().nullable().optional(),
      one_touch_rate: z.number().nullable().optional(),
      csat: z
        .strictObject({
          responses: z.int(),
          average: z.number().nullable(),
          good_share: z.number().nullable(),
        })
        .optional(),
    }),
  ),
  definitions: z.record(z.string(), z.string()),
});

const ticketDurations = z.strictObject({
  first_reply: z.int().nullable(),
  first_resolution: z.int().nullable(),
  full_resolution: z.int().nullable(),
});

/** Answer of `GET /v1/tickets/{id}/metrics`. */
export const ticketMetric = z.strictObject({
  ticket_id: z.string(),
  created_at: z.iso.datetime(),
  replies: z.int(),
  reopens: z.int(),
  one_touch: z.boolean(),
  first_reply_at: z.iso.datetime().nullable(),
  first_resolved_at: z.iso.datetime().nullable(),
  resolved_at: z.iso.datetime().nullable(),
  calendar_seconds: ticketDurations,
  business_seconds: ticketDurations,
  csat: csat.nullable(),
});

const wallTime = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, "must be HH:MM, to 24:00");
const stretches = z
  .array(z.tuple([wallTime, wallTime]))
  .max(10)
  .refine(
    (day) => day.flat().every((time, index, times) => index === 0 || (times[index - 1] ?? "") < time),
    "must be in order, each with its end after its start and before the next",
  );
const weekHours = z.strictObject(
  Object.fromEntries(weekdays.map((day) => [day, stretches.optional()])) as Record<
    Weekday,
    z.ZodOptional<typeof stretches>
  >,
);

/** Body of `PUT /v1/business-hours`. */
export const businessHours = z.strictObject({
  time_zone: timeZone,
  hours: weekHours
    .nullable()
    .refine(
      (hours) => hours === null || Object.values(hours).some((day) => (day?.length ?? 0) > 0),
      "must not be closed on every day",
    )
    .describe("stretches of open time by weekday, null for always"),
  holidays: z.array(z.iso.date()).max(1000).default([]).describe("days on which it is closed"),
});

export const businessHoursAnswer = z.strictObject({
  time_zone: z.string(),
  hours: weekHours.nullable(),
  holidays: z.array(z.string()),
  updated_at: z.iso.datetime().nullable(),
});
