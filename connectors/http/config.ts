import { z } from "zod";
import { AppError, standardWebhooksHeaders } from "deskbridge/sdk";

const secret = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    try {
      standardWebhooksHeaders(text, { id: "x", timestampSeconds: 0, body: Buffer.alloc(0) });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
    }
  });

export const config = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .describe(
      "Where requests go. Its query is sent with each of them; `http.request` adds its `path` to it.",
    ),
  secret: z
    .union([secret, z.array(secret).min(1).max(2)])
    .optional()
    .describe(
      "Signs requests by Standard Webhooks (`whsec_…`); with two, while one replaces the other, each request has both signatures. Not signed when absent.",
    ),
  headers: z
    .record(z.string().regex(/^[A-Za-z0-9-]+$/), z.string())
    .default({})
    .describe("Headers of every request, such as `Authorization`."),
  timeoutSeconds: z.int().min(1).max(300).default(30).describe("How long an answer may take."),
  batchRows: z.int().min(1).max(10_000).default(500).describe("Most rows of an export in one request."),
  maxBytes: z
    .int()
    .min(1024)
    .max(50_000_000)
    .default(1_000_000)
    .describe("Most bytes of rows in one request. A row that is larger goes alone."),
  keysRememberedHours: z
    .int()
    .min(1)
    .max(8760)
    .optional()
    .describe(
      "For how long the endpoint recognises an `Idempotency-Key` that it has seen. When absent, `http.request` with POST or PATCH is sent at most once.",
    ),
});

export type Config = z.output<typeof config>;
