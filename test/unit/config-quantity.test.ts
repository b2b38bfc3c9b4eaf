import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cronExpression, duration, parseDuration, parseSize, timeZone } from "../../src/config/quantity.ts";

describe("durations", () => {
  test.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["0s", 0],
    [" 5m ", 300_000],
  ])("%s is %d ms", (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  test.each(["", "5", "m", "-5m", "1.5h", "5 m", "5M", "1h30m", "99999999999999999d", "5mm", "٥m"])(
    "%j is no duration",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test("any count of any unit is that many times the unit", () => {
    const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom("ms", "s", "m", "h", "d"), (count, unit) => {
        const durationMs = count * units[unit];
        const expected = Number.isSafeInteger(durationMs) ? durationMs : undefined;
        expect(parseDuration(`${count}${unit}`)).toBe(expected);
      }),
    );
  });

  test("a duration outside its range is refused with the bound that it passes", () => {
    const schema = duration({ min: "1s", max: "1d" });
    expect(schema.parse("1s")).toBe(1000);
    expect(schema.safeParse("999ms").error?.issues[0]?.message).toBe(
      "this is too little; expected at least 1s",
    );
    expect(schema.safeParse("25h").error?.issues[0]?.message).toBe("this is too much; expected at most 1d");
  });
});

describe("sizes", () => {
  test.each([
    ["512b", 512],
    ["64kb", 65_536],
    ["2mb", 2_097_152],
    ["2MB", 2_097_152],
    ["1gb", 1_073_741_824],
  ])("%s is %d bytes", (text, expected) => {
    expect(parseSize(text)).toBe(expected);
  });

  test.each(["2", "2m", "2 mb", "-1kb", "1.5mb", "mb"])("%j is no size", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });
});

describe("timetables", () => {
  test.each(["15 2 * * *", "*/5 * * * *", "0 0 2 * * MON-FRI", "0 9 1 JAN *"])(
    "%s is a cron expression",
    (text) => {
      expect(cronExpression().safeParse(text).success).toBe(true);
    },
  );

  test.each(["", "15 2 * *", "99 * * * *", "@daily", "2026-01-01T00:00:00", "a b c d e", "* * * * * * *"])(
    "%j is no cron expression",
    (text) => {
      expect(cronExpression().safeParse(text).success).toBe(false);
    },
  );

  test.each(["UTC", "America/New_York", "Europe/Paris"])("%s is a time zone", (text) => {
    expect(timeZone().safeParse(text).success).toBe(true);
  });

  test.each(["", "+02:00", "Mars/Olympus", "New York"])("%j is no time zone", (text) => {
    expect(timeZone().safeParse(text).success).toBe(false);
  });
});
