import type { Money } from "../model/data.ts";

/** Currencies whose minor unit is not a hundredth, by ISO 4217. */
const digitsByCurrency: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    [
      "BIF",
      "CLP",
      "DJF",
      "GNF",
      "ISK",
      "JPY",
      "KMF",
      "KRW",
      "PYG",
      "RWF",
      "UGX",
      "UYI",
      "VND",
      "VUV",
      "XAF",
      "XOF",
      "XPF",
    ].map((currency) => [currency, 0]),
  ),
  ...Object.fromEntries(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"].map((currency) => [currency, 3])),
  CLF: 4,
  UYW: 4,
};

/** How many decimal digits the minor unit of a currency has, by ISO 4217: 2 for most, 0 for JPY, 3 for KWD. */
export function currencyDigits(currency: string): number {
  return digitsByCurrency[currency] ?? 2;
}

/**
 * A decimal amount (`"598.94"`) in minor units, reckoned on its digits and so exactly. Digits beyond the minor unit are rounded half away
 * from zero. Undefined for what is not a decimal number, not a currency code, or too large to hold.
 */
export function parseMoney(amount: unknown, currency: unknown): Money | undefined {
  if (typeof currency !== "string" || !/^[A-Z]{3}$/.test(currency)) return undefined;
  const text = typeof amount === "number" ? String(amount) : amount;
  const parts = typeof text === "string" ? /^([+-]?)(\d{1,17})(?:\.(\d{1,18}))?$/.exec(text.trim()) : null;
  if (parts === null) return undefined;
  const [, sign, whole = "0", fraction = ""] = parts;
  const digits = currencyDigits(currency);
  const kept = fraction.slice(0, digits).padEnd(digits, "0");
  const roundsUp = (fraction[digits] ?? "0") >= "5";
  const magnitude = BigInt(whole + kept) + (roundsUp ? 1n : 0n);
  const minor = Number(sign === "-" ? -magnitude : magnitude);
  return Number.isSafeInteger(minor) ? { minor, currency } : undefined;
}
