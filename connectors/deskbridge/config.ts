import { z } from "zod";

const secret = z.string().min(1);

export const config = z.strictObject({
  url: z.url().optional().describe("Address of the Support API. The desk of this deskbridge unless told."),
  apiKey: z
    .string()
    .min(1)
    .optional()
    .describe(
      "API key with the scopes tickets:write, contacts:write and orders:write, with tickets:read and contacts:read where events are taken, and with tickets:read, contacts:read, orders:read and metrics:read where datasets are exported. Goes with `url`.",
    ),
  refSource: z
    .string()
    .min(1)
    .max(100)
    .default("deskbridge")
    .describe("The `source` under which the keys of tickets and contacts are kept on the desk."),
  webhookSecret: z
    .union([secret, z.array(secret).min(1).max(2)])
    .optional()
    .describe(
      "The `whsec_…` secret of the desk's webhook to us; two while one replaces the other. Hooks are refused without it.",
    ),
  webhookToleranceSeconds: z
    .int()
    .positive()
    .default(300)
    .describe("How old the signed time of a webhook may be."),
});
export type Config = z.output<typeof config>;
