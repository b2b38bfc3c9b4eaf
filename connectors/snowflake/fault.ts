import { AppError } from "deskbridge/sdk";
import type { ErrorCode } from "deskbridge/sdk";

interface DriverFault {
  readonly code?: unknown;
  readonly sqlState?: unknown;
  readonly response?: { readonly status?: unknown; readonly statusCode?: unknown };
}

/** An error of the driver as one of the catalogue. Its words may quote a row or a key and are not kept; its codes are. */
export function toFault(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof AppError) return error;
  const { code, sqlState, response } = (error ?? {}) as DriverFault;
  const number = textOf(code);
  const state = textOf(sqlState);
  const status = response?.statusCode ?? response?.status;
  const facts = [
    number === undefined ? undefined : `code ${number}`,
    state === undefined ? undefined : `SQLSTATE ${state}`,
    typeof status === "number" ? `HTTP ${status}` : undefined,
  ].filter((fact) => fact !== undefined);
  return new AppError(
    codeOf(number, state, status),
    `Snowflake refused a request or did not answer (${facts.length === 0 ? "no code" : facts.join(", ")}).`,
    {
      details: {
        ...(number === undefined ? {} : { code: number }),
        ...(state === undefined ? {} : { state }),
      },
    },
  );
}

/** Codes and states are short and of letters and digits; anything else is not one. */
function textOf(value: unknown): string | undefined {
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && /^[A-Z0-9_]{1,40}$/.test(text) ? text : undefined;
}

function codeOf(code = "", state = "", status: unknown): ErrorCode {
  if (status === 429) return "target_rate_limited";
  if (status === 401 || status === 403) return "target_unauthorized";
  // A session that is gone.
  if (code === "390104" || code === "390111") return "target_unavailable";
  // 390…: who signs in; 394…: keys and tokens; 404…: what the driver finds wrong with them itself. 42501 and 003001: a role without the right.
  if (/^39[0-5]\d{3}$|^404\d{3}$/.test(code) || state === "42501" || code === "003001")
    return "target_unauthorized";
  // 000604 and 000630: a statement was cancelled, or took longer than it may.
  if (code === "000604" || code === "000630" || state === "57014") return "target_timeout";
  // Codes of the service have six digits and begin with 0; the driver's own are those of a network or of an answer that it cannot read.
  return /^0\d{5}$/.test(code) ? "target_rejected" : "target_unavailable";
}
