import type { FastifyReply, FastifyRequest } from "fastify";
import { AppError, errorCatalogue } from "../errors.ts";

/** One field of the request that is wrong. `path` is written with dots, such as `requester.email`. */
export interface ProblemField {
  readonly path: string;
  readonly message: string;
}

/** An error as our APIs answer it: RFC 9457, `application/problem+json`. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly fields?: readonly ProblemField[];
  readonly conflicting_ids?: readonly string[];
  readonly retryable: boolean;
  readonly request_id: string;
}

/**
 * The problem document of an error. `details.fields` and `details.conflictingIds` of the error go into it; nothing else of the error but
 * its message does, and of an `internal` error not even that.
 */
export function toProblem(error: AppError, requestId: string): Problem {
  const { meaning, status, retry } = errorCatalogue[error.code];
  const { fields, conflictingIds } = error.details;
  return {
    type: `urn:deskbridge:error:${error.code}`,
    title: meaning,
    status,
    code: error.code,
    detail:
      error.code === "internal" ? "The server's log has the reason under this request id." : error.message,
    ...(Array.isArray(fields) ? { fields: fields as readonly ProblemField[] } : {}),
    ...(Array.isArray(conflictingIds) ? { conflicting_ids: conflictingIds as readonly string[] } : {}),
    retryable: retry === "retry" || retry === "retry_after",
    request_id: requestId,
  };
}

/**
 * Answers with an error's problem document. `Retry-After` is set where the error says how long, and on every 503; `Location` and `Allow` are
 * `details.location` and `details.allow` of the error.
 */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: AppError): FastifyReply {
  const { status } = errorCatalogue[error.code];
  const waitMs = error.retryAfterMs ?? (status === 503 ? 1000 : undefined);
  if (waitMs !== undefined) void reply.header("retry-after", Math.ceil(waitMs / 1000));
  if (typeof error.details.location === "string") void reply.header("location", error.details.location);
  if (typeof error.details.allow === "string") void reply.header("allow", error.details.allow);
  if (status === 401) void reply.header("www-authenticate", "Bearer");
  return reply
    .code(status)
    .type("application/problem+json")
    .send(JSON.stringify(toProblem(error, request.id)));
}

/** The refusal of a method that an address does not take, which takes these. */
export function methodError(methods: readonly string[]): AppError {
  const allow = methods.join(", ");
  return new AppError("method_not_allowed", `this address takes ${allow}`, { details: { allow } });
}
