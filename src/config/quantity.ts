import { Cron } from "croner";
import { z } from "zod";
import { didYouMean } from "../sdk/nearest-name.ts";

const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const unitsBytes = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 } as const;

/** A duration such as `500ms`, `30s`, `5m`, `2h` or `1d` in milliseconds, or undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, /^(\d+)(ms|s|m|h|d)$/, unitsMs);
}

/** A size such as `512b`, `64kb`, `2mb` or `1gb` in bytes (1 kb = 1024 b), or undefined when it is none. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text.toLowerCase(), /^(\d+)(b|kb|mb|gb)$/, unitsBytes);
}

function parseQuantity(
  text: string,
  form: RegExp,
  units: Readonly<Record<string, number>>,
): number | undefined {
  const [, digits, unit] = form.exec(text.trim()) ?? [];
  const value = Number(digits) * (units[unit ?? ""] ?? Number.NaN);
  return Number.isSafeInteger(value) ? value : undefined;
}

interface Range {
  readonly min?: string;
  readonly max?: string;
}

/** A schema for a duration; its output is in milliseconds. */
export function duration(range: Range = {}) {
  return quantity(parseDuration, "a duration such as 30s, 5m or 1d", "^[0-9]+(ms|s|m|h|d)$", range);
}

/** A schema for a size; its output is in bytes. */
export function size(range: Range = {}) {
  return quantity(parseSize, "a size such as 64kb or 2mb", "^[0-9]+([kmgKMG]?[bB])$", range);
}

function quantity(
  parse: (text: string) => number | undefined,
  expected: string,
  pattern: string,
  range: Range,
) {
  const least = parse(range.min ?? "") ?? 0;
  const most = parse(range.max ?? "") ?? Number.MAX_SAFE_INTEGER;
  return z
    .string()
    .superRefine((text, context) => {
      const value = parse(text);
      if (value === undefined) {
        context.addIssue({ code: "custom", message: `this is not of the right form; expected ${expected}` });
      } else if (value < least) {
        context.addIssue({ code: "custom", message: `this is too little; expected at least ${range.min}` });
      } else if (value > most) {
        context.addIssue({ code: "custom", message: `this is too much; expected at most ${range.max}` });
      }
    })
    .meta({ expected, pattern })
    .transform((text) => parse(text) ?? 0);
}

/** A schema for a cron expression of five fields, or six with seconds first. */
export function cronExpression() {
  return z
    .string()
    .superRefine((text, context) => {
      const next = nextOf(text);
      if (next instanceof Date) return;
      context.addIssue({
        code: "custom",
        message:
          next === null
            ? "this time never comes; expected a day that its months have"
            : "this is not a cron expression; expected five fields (minute hour day month weekday), such as `15 2 * * *`",
      });
    })
    .meta({ expected: "a cron expression such as 15 2 * * *" });
}

/** When it comes next, null for never; undefined for what is no expression. */
function nextOf(text: string): Date | null | undefined {
  // Also takes words such as @daily and single dates: only fields are wanted here.
  if (!/^\S+(\s+\S+){4,5}$/.test(text.trim())) return undefined;
  try {
    return new Cron(text, { paused: true }).nextRun();
  } catch {
    return undefined;
  }
}

/** A schema for the name of an IANA time zone. */
export function timeZone() {
  return z
    .string()
    .superRefine((text, context) => {
      if (isTimeZone(text)) return;
      context.addIssue({
        code: "custom",
        message: [
          "this is not a time zone; expected an IANA name such as `America/New_York` or `UTC`",
          didYouMean(text, Intl.supportedValuesOf("timeZone")),
        ]
          .filter((part) => part !== "")
          .join("."),
      });
    })
    .meta({ expected: "an IANA time zone such as America/New_York" });
}

function isTimeZone(name: string): boolean {
  // Offsets such as +02:00 are accepted by the runtime, but know no daylight saving time.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
