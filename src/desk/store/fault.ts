import { AppError } from "../../errors.ts";
import type { ErrorCode } from "../../errors.ts";
import { isRepeatable, repeatOnDeadlock, toLedgerError } from "../../ledger/fault.ts";

/** What the functions of the migrations raise. */
const codeByState: Readonly<Record<string, ErrorCode>> = {
  DK308: "moved",
  DK400: "bad_request",
  DK404: "not_found",
  DK409: "conflict",
  DK410: "gone",
  DK412: "precondition_failed",
  DK422: "idempotency_mismatch",
};

const lockTimeout = "55P03";

interface DatabaseFault {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly detail?: unknown;
}

/** What the database raised as an `AppError`. */
export function toStoreError(error: unknown): AppError {
  const { code, message, detail } = (error ?? {}) as DatabaseFault;
  if (typeof code !== "string") return toLedgerError(error);
  const ours = codeByState[code];
  if (ours !== undefined) {
    return new AppError(ours, String(message), { details: detailsOf(ours, String(detail)) });
  }
  // A deadlock that came again on every try is, to the caller, the same as a wait that was too long.
  if (code === lockTimeout || isRepeatable(error)) {
    return new AppError(
      "idempotency_in_flight",
      "another request is working on the same thing; send it again shortly",
    );
  }
  // Class 22 is a value that PostgreSQL cannot hold, such as a time outside its calendar. Its own words quote the value.
  if (code.startsWith("22"))
    return new AppError("bad_request", "a value of the request cannot be stored", { cause: error });
  return toLedgerError(error);
}

function detailsOf(code: ErrorCode, detail: string): Readonly<Record<string, unknown>> {
  if (code === "conflict") return { conflictingIds: JSON.parse(detail) as unknown };
  return code === "moved" ? { movedTo: detail } : {};
}

/** Runs a statement, again where the database broke a deadlock with it; throws its fault as an `AppError`. */
export async function guarded<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await repeatOnDeadlock(run);
  } catch (error) {
    throw toStoreError(error);
  }
}
