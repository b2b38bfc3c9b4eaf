import type { ErrorCode } from "../errors.ts";
import { errorCatalogue } from "../errors.ts";
import { commonHeadersOf } from "./openapi-header.ts";
import type { JsonSchema } from "./openapi-schema.ts";
import type { Route, RouteFacts } from "./route.ts";

/** The answers that are not successes: their name in the document, and the codes that each may carry. */
const problems = {
  308: { name: "Moved", codes: ["moved"] },
  400: { name: "BadRequest", codes: ["bad_request"] },
  401: { name: "Unauthorized", codes: ["unauthorized"] },
  403: { name: "Forbidden", codes: ["forbidden"] },
  404: { name: "NotFound", codes: ["not_found"] },
  409: { name: "Conflict", codes: ["conflict", "idempotency_in_flight"] },
  410: { name: "Gone", codes: ["gone"] },
  412: { name: "PreconditionFailed", codes: ["precondition_failed"] },
  413: { name: "BodyTooLarge", codes: ["body_too_large"] },
  415: { name: "UnsupportedMediaType", codes: ["unsupported_media_type"] },
  422: { name: "IdempotencyMismatch", codes: ["idempotency_mismatch"] },
  429: { name: "RateLimited", codes: ["rate_limited"] },
  500: { name: "Internal", codes: ["internal"] },
  503: { name: "Unavailable", codes: ["ledger_unavailable", "storage_unavailable"] },
} as const satisfies Readonly<
  Record<number, { readonly name: string; readonly codes: readonly ErrorCode[] }>
>;

type ProblemStatus = keyof typeof problems;

/** Addresses of objects that can be merged or erased. */
const whole = /^\/v1\/(?:me\/)?(?:tickets|contacts)\/(?:\{id\}|by-ref\/)/;

/** The statuses besides successes that a route may answer with. */
export function problemStatusesOf(route: Route | RouteFacts): readonly ProblemStatus[] {
  const { method, path } = route;
  if (route.caller === "anyone") return "file" in route ? [400, 403, 404, 500, 503] : [400, 500];
  const writes = method !== "GET";
  const wanted: Readonly<Record<ProblemStatus, boolean>> = {
    308: whole.test(path),
    400: true,
    401: true,
    403: route.caller !== "end_user",
    404: path.includes("{") || route.body !== undefined,
    409: writes,
    410: whole.test(path) || route.body !== undefined,
    412: "versioned" in route && route.versioned,
    413: writes,
    415: writes,
    422: writes && !("maxBatchBytes" in route),
    429: true,
    500: true,
    503: true,
  };
  return (Object.keys(problems).map(Number) as ProblemStatus[]).filter((status) => wanted[status]);
}

export function problemReference(status: ProblemStatus): JsonSchema {
  return { $ref: `#/components/responses/${problems[status].name}` };
}

/** `components.responses`: every problem with its codes. */
export function problemResponses(): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    Object.entries(problems).map(([status, { name, codes }]) => [name, problemResponse(status, codes)]),
  );
}

function problemResponse(status: string, codes: readonly ErrorCode[]): JsonSchema {
  const meanings = codes.map(
    (code) => `\`${code}\`: ${errorCatalogue[code].meaning} ${errorCatalogue[code].remedy}`,
  );
  const waits = status === "429" || status === "503";
  const location = { Location: { $ref: "#/components/headers/Location" } };
  const [first] = codes;
  return {
    description: meanings.join("\n\n"),
    headers: {
      ...commonHeadersOf(status === "401" ? "anyone" : "key"),
      ...(status === "401" ? { "WWW-Authenticate": { $ref: "#/components/headers/Authenticate" } } : {}),
      ...(waits ? { "Retry-After": { $ref: "#/components/headers/RetryAfter" } } : {}),
      ...(status === "308" ? location : {}),
    },
    content: {
      "application/problem+json": {
        schema: {
          allOf: [
            { $ref: "#/components/schemas/Problem" },
            { type: "object", properties: { code: { enum: codes }, status: { const: Number(status) } } },
          ],
        },
        ...(first === undefined ? {} : { example: exampleOf(first) }),
      },
    },
  };
}

function exampleOf(code: ErrorCode): JsonSchema {
  const { meaning, status, retry } = errorCatalogue[code];
  return {
    type: `urn:deskbridge:error:${code}`,
    title: meaning,
    status,
    code,
    detail: meaning,
    retryable: retry.startsWith("retry"),
    request_id: "req_6eb14396-e70a-4d8f-a41f-20448382c7a6",
  };
}

/** The schema of an `application/problem+json` body. */
export const problemSchema: JsonSchema = {
  type: "object",
  description: "RFC 9457. `type` and `code` are stable; `title` and `detail` are for people.",
  properties: {
    type: { type: "string", format: "uri", description: "`urn:deskbridge:error:` and the code" },
    title: { type: "string" },
    status: { type: "integer", minimum: 300, maximum: 599 },
    code: { type: "string" },
    detail: { type: "string" },
    fields: {
      type: "array",
      description: "the fields of the request that are wrong",
      items: {
        type: "object",
        properties: {
          path: { type: "string", description: "with dots, such as `requester.email`" },
          message: { type: "string" },
        },
        required: ["path", "message"],
      },
    },
    conflicting_ids: { type: "array", items: { type: "string" }, description: "the objects in the way" },
    retryable: { type: "boolean", description: "whether the same request may succeed later" },
    request_id: { type: "string" },
  },
  required: ["type", "title", "status", "code", "detail", "retryable", "request_id"],
};
