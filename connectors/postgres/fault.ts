import { AppError } from "deskbridge/sdk";
import type { ErrorCode } from "deskbridge/sdk";

/** SQLSTATEs, by their beginning, and what they are to an export. The first that fits counts. */
const byState: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/^53100/, "sink_full", "the disk of the database is full"],
  [/^(28|42501)/, "target_unauthorized", "the database refused the account, or a right that it needs"],
  [
    /^57014/,
    "target_timeout",
    "the database ended a statement that took longer than `statementTimeoutSeconds`",
  ],
  [/^55P03/, "target_unavailable", "somebody else has the table locked"],
  [/^(08|53|55000|57P|58|25006)/, "target_unavailable", "the database does not take statements now"],
  [/^40/, "target_conflict", "the database rolled the commit back because of another transaction"],
  [
    /^(42703|42P01|42804|42P10|428C9|3F000)/,
    "sink_schema_changed",
    "the table was changed while it was written to",
  ],
  [/^3D000/, "target_rejected", "there is no such database"],
];

const networkTimeouts: ReadonlySet<string> = new Set(["ETIMEDOUT", "ESOCKETTIMEDOUT"]);

interface DatabaseFault {
  readonly code?: unknown;
  readonly column?: unknown;
  readonly constraint?: unknown;
  readonly table?: unknown;
}

/**
 * An error of the driver as one of the catalogue, told by its SQLSTATE. PostgreSQL's own words may quote a row, and the driver's the address, so neither is kept:
 * the state, and the names of a table, column or constraint, are what an operator gets.
 */
export function toFault(error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted === true) return signal.reason;
  if (error instanceof AppError) return error;
  const { code, column, constraint, table } = (error ?? {}) as DatabaseFault;
  const state = typeof code === "string" ? code : undefined;
  if (state === undefined || !/^[0-9A-Z]{5}$/.test(state)) return networkFault(state);
  const [, found, words] = byState.find(([pattern]) => pattern.test(state)) ?? [
    undefined,
    "target_rejected" as const,
    "the database refused a row or a statement",
  ];
  const names = Object.entries({ table, column, constraint }).filter(([, name]) => typeof name === "string");
  const place = names.map(([what, name]) => `, ${what} ${String(name)}`).join("");
  return new AppError(found, `PostgreSQL: ${words} (SQLSTATE ${state}${place}).`, {
    details: { state, ...Object.fromEntries(names) },
  });
}

// The driver reports a connection lost in mid-statement as a plain error without a code.
function networkFault(code: string | undefined): AppError {
  const isLate = code !== undefined && networkTimeouts.has(code);
  const words = isLate ? "did not answer in time" : "cannot be reached, or the connection broke";
  return new AppError(
    isLate ? "target_timeout" : "target_unavailable",
    `PostgreSQL ${words} (${code ?? "no code"}).`,
  );
}

/** The SQLSTATE of an error that `toFault` made. */
export function stateOf(error: unknown): string | undefined {
  const state = error instanceof AppError ? error.details["state"] : undefined;
  return typeof state === "string" ? state : undefined;
}
