import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { currencyDigits, parseMoney } from "../../src/sdk/money.ts";
import { toE164 } from "../../src/sdk/phone.ts";

describe("an amount in minor units", () => {
  it.each([
    ["598.94", "USD", 59_894],
    ["0.10", "USD", 10],
    ["100", "USD", 10_000],
    ["-5.5", "EUR", -550],
    ["1000", "JPY", 1000],
    ["1000.0", "JPY", 1000],
    ["1.234", "KWD", 1234],
    ["1.1", "KWD", 1100],
    ["10.005", "USD", 1001],
    ["-10.005", "USD", -1001],
    ["10.0049", "USD", 1000],
    ["90071992547409.91", "USD", 9_007_199_254_740_991],
  ])("%s %s is %i", (amount, currency, minor) => {
    expect(parseMoney(amount, currency)).toEqual({ minor, currency });
  });

  it("is undefined where there is no amount, no currency or no room", () => {
    const faulty: readonly [unknown, unknown][] = [
      ["", "USD"],
      ["1,000.00", "USD"],
      ["1e3", "USD"],
      [null, "USD"],
      ["1", "usd"],
      ["1", undefined],
      ["90071992547409.92", "USD"],
    ];
    for (const [amount, currency] of faulty) expect(parseMoney(amount, currency)).toBeUndefined();
  });

  it("gives back the amount for every currency", () => {
    const property = fc.property(
      fc.maxSafeInteger(),
      fc.constantFrom("USD", "JPY", "KWD", "CLF"),
      (minor, currency) => {
        const digits = currencyDigits(currency);
        const text = String(Math.abs(minor)).padStart(digits + 1, "0");
        const amount = digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
        return parseMoney(minor < 0 ? `-${amount}` : amount, currency)?.minor === minor;
      },
    );
    expect(fc.check(property)).toMatchObject({ failed: false, counterexample: null });
  });
});

describe("a phone number", () => {
  it("is E.164 where the text or the country tells enough", () => {
    expect(toE164("+1(502)-459-2181")).toBe("+15024592181");
    expect(toE164("(502) 459-2181", "US")).toBe("+15024592181");
    expect(toE164("0151 23456789", "DE")).toBe("+4915123456789");
    for (const text of ["(502) 459-2181", "555-555-SHIP", "", undefined])
      expect(toE164(text)).toBeUndefined();
    expect(toE164("(502) 459-2181", "nowhere")).toBeUndefined();
  });
});
