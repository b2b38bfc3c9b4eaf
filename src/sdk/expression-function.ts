import { EvaluationError } from "@marcbachmann/cel-js";
import type { Environment } from "@marcbachmann/cel-js";

const sync = { async: false };

/**
 * Adds the functions of `docs/reference/expressions.md` to an environment, and arithmetic between whole and other numbers, which CEL alone
 * refuses.
 */
export function registerFunctions(cel: Environment): void {
  cel.registerFunction("lower(string): string", (text: string) => text.toLowerCase(), sync);
  cel.registerFunction("upper(string): string", (text: string) => text.toUpperCase(), sync);
  cel.registerFunction("trim(string): string", (text: string) => text.trim(), sync);
  cel.registerFunction("truncate(string, int): string", truncate, sync);
  cel.registerFunction("truncate(string, double): string", truncate, sync);
  cel.registerFunction("money(dyn): string", createMoneyFormat(), sync);
  const formatTime = createTimeFormat();
  cel.registerFunction("formatTime(string, string): string", formatTime, sync);
  cel.registerFunction("formatTime(google.protobuf.Timestamp, string): string", formatTime, sync);
  registerArithmetic(cel);
}

// The library takes whole and other numbers apart but compares them only with `<` and `>`.
function registerArithmetic(cel: Environment): void {
  cel.registerOperator("int == double: bool", (a: bigint, b: number) => a === wholeOrUndefined(b));
  for (const [left, right] of [
    ["int", "double"],
    ["double", "int"],
  ] as const) {
    const operands = (operator: string) => `${left} ${operator} ${right}: double`;
    cel.registerOperator(operands("+"), (a: Num, b: Num) => Number(a) + Number(b));
    cel.registerOperator(operands("-"), (a: Num, b: Num) => Number(a) - Number(b));
    cel.registerOperator(operands("*"), (a: Num, b: Num) => Number(a) * Number(b));
    cel.registerOperator(operands("/"), (a: Num, b: Num) => Number(a) / Number(b));
    cel.registerOperator(operands("%"), (a: Num, b: Num) => Number(a) % Number(b));
  }
  cel.registerOperator("double % double: double", (a: number, b: number) => a % b);
}

type Num = bigint | number;

function wholeOrUndefined(value: number): bigint | undefined {
  return Number.isInteger(value) ? BigInt(value) : undefined;
}

function truncate(text: string, length: bigint | number): string {
  const limit = Number(length);
  if (!(limit >= 1)) throw fault("truncate_length", "truncate() needs a length of at least 1");
  if (text.length <= limit) return text;
  const characters = Array.from(text);
  if (characters.length <= limit) return text;
  return `${characters
    .slice(0, limit - 1)
    .join("")
    .trimEnd()}…`;
}

function createMoneyFormat(): (amount: unknown) => string {
  const digitsOf = new Map<string, number>();
  const digits = (currency: string): number => {
    const known = digitsOf.get(currency);
    if (known !== undefined) return known;
    const format = new Intl.NumberFormat("en", { style: "currency", currency });
    const found = format.resolvedOptions().maximumFractionDigits ?? 2;
    digitsOf.set(currency, found);
    return found;
  };
  return (amount) => {
    const { minor, currency } = (amount ?? {}) as { minor?: unknown; currency?: unknown };
    const whole = typeof minor === "number" && Number.isSafeInteger(minor) ? BigInt(minor) : minor;
    if (typeof whole !== "bigint" || typeof currency !== "string" || !/^[A-Z]{3}$/.test(currency)) {
      throw fault("not_money", "money() needs an amount with `minor` (a whole number) and `currency`");
    }
    return `${currency} ${decimal(whole, digits(currency))}`;
  };
}

function decimal(minor: bigint, digits: number): string {
  const sign = minor < 0n ? "-" : "";
  const figures = (minor < 0n ? -minor : minor).toString().padStart(digits + 1, "0");
  if (digits === 0) return sign + figures;
  return `${sign}${figures.slice(0, -digits)}.${figures.slice(-digits)}`;
}

function createTimeFormat(): (time: string | Date, zone: string) => string {
  const formats = new Map<string, Intl.DateTimeFormat>();
  const formatOf = (zone: string): Intl.DateTimeFormat => {
    const known = formats.get(zone);
    if (known) return known;
    const format = openTimeFormat(zone);
    // Zones are few, but a zone may come from data: an unbounded cache would grow with it.
    if (formats.size < 500) formats.set(zone, format);
    return format;
  };
  return (time, zone) => {
    const date = typeof time === "string" ? new Date(time) : time;
    if (Number.isNaN(date.getTime())) throw fault("invalid_timestamp", "formatTime() needs an RFC 3339 time");
    // This locale writes the date as 2026-11-22, 09:30.
    return formatOf(zone).format(date).replace(", ", " ");
  };
}

function openTimeFormat(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-CA", {
      timeZone,
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  } catch {
    throw fault("unknown_timezone", "formatTime() needs an IANA time zone such as Europe/Paris");
  }
}

function fault(code: string, message: string): EvaluationError {
  return new EvaluationError({ code, message });
}
