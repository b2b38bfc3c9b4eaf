import { AppError } from "deskbridge/sdk";
import type { ErrorCode } from "deskbridge/sdk";

/** ClickHouse's error codes and what they are to an export; all others are `target_rejected`. */
const byCode: readonly (readonly [readonly number[], ErrorCode, string])[] = [
  [[192, 193, 194, 497, 516], "target_unauthorized", "it refused the account, or a right that it needs"],
  [[159, 160, 209], "target_timeout", "a statement took too long"],
  [[243], "sink_full", "its disk is full"],
  [
    [73, 102, 202, 203, 210, 236, 241, 242, 252, 319, 373, 394, 425, 439, 999],
    "target_unavailable",
    "it does not take statements now",
  ],
  [[10, 16, 44, 47, 53, 60, 122], "sink_schema_changed", "the table was changed while it was written to"],
];

interface DriverFault {
  readonly code?: unknown;
  readonly type?: unknown;
}

/**
 * An error of the driver as one of the catalogue, by its number. ClickHouse's own words may quote a row and are not kept; its name for the error is.
 */
export function toFault(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof AppError) return error;
  const { code, type } = (error ?? {}) as DriverFault;
  const number = typeof code === "string" && /^\d+$/.test(code) ? Number(code) : undefined;
  if (number === undefined) {
    const reason = typeof code === "string" ? code : "no code";
    return new AppError(
      "target_unavailable",
      `ClickHouse cannot be reached, or the connection broke (${reason}).`,
    );
  }
  const [, found, words] = byCode.find(([numbers]) => numbers.includes(number)) ?? [
    [],
    "target_rejected" as const,
    "it refused a row or a statement",
  ];
  const name = typeof type === "string" ? ` ${type}` : "";
  return new AppError(found, `ClickHouse: ${words} (code ${number}${name}).`, { details: { code: number } });
}

/** ClickHouse's number of an error that `toFault` made. */
export function numberOf(error: unknown): number | undefined {
  const code = error instanceof AppError ? error.details["code"] : undefined;
  return typeof code === "number" ? code : undefined;
}
