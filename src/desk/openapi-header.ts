import type { JsonSchema } from "./openapi-schema.ts";
import type { CallerKind } from "./route.ts";

const text: JsonSchema = { type: "string" };

/** `components.headers`: what answers carry besides their bodies. */
export const answerHeaders: Readonly<Record<string, JsonSchema>> = {
  RequestId: {
    description: "Names this request; the server's log has it too.",
    required: true,
    schema: { type: "string", pattern: "^req_" },
  },
  RateLimitPolicy: {
    description:
      "The limit of the caller, after draft-ietf-httpapi-ratelimit-headers: `q` requests in `w` seconds. Absent where there is none.",
    schema: text,
    example: '"key";q=60000;w=60',
  },
  RateLimit: {
    description: "What is left of it: `r` requests for the next `t` seconds.",
    schema: text,
    example: '"key";r=59999;t=60',
  },
  RetryAfter: {
    description: "How many seconds to wait before the request is sent again.",
    schema: { type: "integer", minimum: 0 },
  },
  ETag: {
    description: "The object's version in quotes, for `If-Match` and `If-None-Match`.",
    schema: text,
    example: '"7"',
  },
  Result: {
    description: "What the write did.",
    schema: text,
    example: "created",
  },
  MessageId: { description: "The message that was added, where one was.", schema: text, example: "msg_1" },
  Replayed: {
    description: "The write was carried out before under this key; this is its first answer.",
    schema: { type: "string", enum: ["true"] },
  },
  Part: {
    description: "Whether the page is of rows that are there, or of the keys of rows that are gone.",
    required: true,
    schema: { type: "string", enum: ["upsert", "delete"] },
  },
  NextCursor: {
    description: "`after` of the next request, whether there is more yet or not.",
    required: true,
    schema: text,
  },
  HasMore: {
    description: "Whether what there was when the read began goes on.",
    required: true,
    schema: { type: "string", enum: ["true", "false"] },
  },
  AsOf: {
    description: "When the read began: about what happened before is in what was read once nothing is left.",
    schema: { type: "string", format: "date-time" },
  },
  Fraction: {
    description: "How far a read of everything has come, from 0 to 1.",
    schema: { type: "number", minimum: 0, maximum: 1 },
  },
  Preparing: {
    description:
      "How much is done, from 0 to 1, of what has to be added up before there are rows. Such a page has none; the next one is asked for at once.",
    schema: { type: "number", minimum: 0, maximum: 1 },
  },
  Location: { description: "Where the object is now.", schema: { type: "string", format: "uri-reference" } },
  Authenticate: { description: "How to authenticate.", schema: text, example: "Bearer" },
};

/** `components.parameters`: headers that requests may carry. */
export const requestHeaders: Readonly<Record<string, JsonSchema>> = {
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description:
      "Makes the write happen once: for 72 hours the same key with the same request brings the first answer again.",
    schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[\\x20-\\x7e]+$" },
    example: "event-4711",
  },
  IfMatch: {
    name: "If-Match",
    in: "header",
    description: "The version that the object must have for the write to be carried out; else 412.",
    schema: text,
    example: '"7"',
  },
  IfNoneMatch: {
    name: "If-None-Match",
    in: "header",
    description: "The version that the client has: 304 when the object is still that.",
    schema: text,
    example: '"7"',
  },
  LastEventId: {
    name: "Last-Event-ID",
    in: "header",
    description: "The id of the last event that the client got: the stream goes on after it.",
    schema: text,
  },
};

export function headerReference(name: string): JsonSchema {
  return { $ref: `#/components/headers/${name}` };
}

export function parameterReference(name: string): JsonSchema {
  return { $ref: `#/components/parameters/${name}` };
}

/** On every answer to a caller of that kind. */
export function commonHeadersOf(caller: CallerKind = "key"): JsonSchema {
  const id = { "X-Request-Id": headerReference("RequestId") };
  if (caller === "anyone") return id;
  return {
    ...id,
    "RateLimit-Policy": headerReference("RateLimitPolicy"),
    RateLimit: headerReference("RateLimit"),
  };
}

/** On the answers of writes. */
export const writeHeaders: JsonSchema = {
  "Deskbridge-Result": headerReference("Result"),
  "Deskbridge-Message-Id": headerReference("MessageId"),
  "Idempotency-Replayed": headerReference("Replayed"),
};
