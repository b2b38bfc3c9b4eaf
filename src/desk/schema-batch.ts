import { z } from "zod";
import * as field from "./schema-text.ts";

/** The most requests that one batch takes. */
export const mostItems = 500;

/** One request of a batch. */
export const batchItem = z.strictObject({
  method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]),
  path: z
    .string()
    .min(4)
    .max(8000)
    .startsWith("/v1/")
    .describe("as it would be sent by itself, percent-encoded, with its query"),
  body: z.unknown().optional(),
  headers: z
    .strictObject({
      idempotency_key: field.text(255).optional(),
      if_match: field.text(100).optional(),
    })
    .optional(),
});
export type BatchItem = z.output<typeof batchItem>;

/** Body of `POST /v1/batch`. */
export const newBatch = z.strictObject({
  requests: z.array(batchItem).min(1).max(mostItems),
  parallel: z
    .boolean()
    .default(false)
    .describe(
      "whether they may be carried out in any order, several at a time; one after the other unless told",
    ),
});

/** What became of one request of a batch. */
export const batchAnswer = z.strictObject({
  status: z.int().describe("as the request would have been answered by itself"),
  headers: z.strictObject({
    allow: z.string().optional(),
    etag: z.string().optional(),
    deskbridge_result: z.string().optional(),
    deskbridge_message_id: z.string().optional(),
    idempotency_replayed: z.literal("true").optional(),
    location: z.string().optional(),
    retry_after: z.string().optional(),
  }),
  body: z.unknown().describe("the answer's body: what the route answers, or a problem"),
});

/** Answer of `POST /v1/batch`, in the order of the requests. */
export const batchResult = z.strictObject({
  data: z.array(batchAnswer),
  succeeded: z.int().describe("how many were answered with 2xx"),
  failed: z.int().describe("how many were not"),
});
