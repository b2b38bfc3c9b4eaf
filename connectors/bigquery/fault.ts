import { AppError } from "deskbridge/sdk";
import type { ErrorCode } from "deskbridge/sdk";

/** Reasons that BigQuery gives for an error, by what they are to an export; all others go by their HTTP status. */
const byReason: Readonly<Record<string, ErrorCode>> = {
  accessDenied: "target_unauthorized",
  backendError: "target_unavailable",
  billingNotEnabled: "target_unauthorized",
  internalError: "target_unavailable",
  jobRateLimitExceeded: "target_rate_limited",
  quotaExceeded: "target_rate_limited",
  rateLimitExceeded: "target_rate_limited",
  resourcesExceeded: "target_rejected",
  stopped: "target_timeout",
  tableUnavailable: "target_unavailable",
  timeout: "target_timeout",
};

interface DriverFault {
  readonly code?: unknown;
  readonly errors?: readonly { readonly reason?: string }[];
}

/** An error of the driver as one of the catalogue. Its words may quote a row and are not kept; its reason is. */
export function toFault(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof AppError) return error;
  const { code, errors } = (error ?? {}) as DriverFault;
  const reason = errors?.[0]?.reason;
  const status = typeof code === "number" ? code : undefined;
  const found = byReason[reason ?? ""] ?? byStatus(status);
  const facts = [
    reason,
    status === undefined ? undefined : `HTTP ${status}`,
    typeof code === "string" ? code : undefined,
  ];
  const told = facts.filter((fact) => fact !== undefined).join(", ");
  return new AppError(
    found,
    `BigQuery refused a request or did not answer (${told === "" ? "no code" : told}).`,
    {
      details: { ...(reason === undefined ? {} : { reason }), ...(status === undefined ? {} : { status }) },
    },
  );
}

function byStatus(status: number | undefined): ErrorCode {
  if (status === undefined || status >= 500) return "target_unavailable";
  if (status === 401 || status === 403) return "target_unauthorized";
  return status === 429 ? "target_rate_limited" : "target_rejected";
}
