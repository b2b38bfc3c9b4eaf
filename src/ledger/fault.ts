import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "../errors.ts";

const connectionFaults = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

// SQLSTATE: 28 login refused, 3D no such database, 53 out of resources, 55000 no connections taken, 57P admin shutdown and crash recovery, 57014 statement timeout, 58 system error, 08 connection, 25006 read-only standby.
const serverFaults = /^(08|28|3D|53|55000|57P|57014|58|25006)/;
/** Deadlock or serialisation failure: nothing happened, and the same statement may be sent again at once. */
const repeatable = /^40(001|P01)$/;

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** True when the statement was rolled back for a reason that is gone when it is sent again. */
export function isRepeatable(error: unknown): boolean {
  return repeatable.test(codeOf(error) ?? "");
}

/** True when PostgreSQL itself is the trouble, false when it refused this statement or value. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof AppError) return error.code === "ledger_unavailable";
  const code = codeOf(error);
  // node-postgres reports a connection lost in mid-statement and a pool that timed out as plain errors without a code.
  if (code === undefined) return true;
  return connectionFaults.has(code) || serverFaults.test(code);
}

/** A database error as an `AppError`: `ledger_unavailable`, or `ledger_rejected` for a value that PostgreSQL refuses. */
export function toLedgerError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const code = codeOf(error) ?? "no answer";
  if (isUnavailable(error)) {
    return new AppError("ledger_unavailable", `the database does not answer (${code})`, { cause: error });
  }
  return new AppError("ledger_rejected", `the database refused the statement (SQLSTATE ${code})`, {
    cause: error,
  });
}

const mostAttempts = 5;

/** Runs a statement again, up to five times in all, when the database rolled it back to break a deadlock. */
export async function repeatOnDeadlock<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (attempt === mostAttempts || !isRepeatable(error)) throw error;
      // At different moments, so that the same two do not meet again.
      await delay(Math.random() * 50 * attempt);
    }
  }
}

/** Runs statements with their errors classified, again where a deadlock was broken. */
export type Guarded = <T>(run: () => Promise<T>) => Promise<T>;
