import { z } from "zod";

export const config = z.strictObject({
  url: z.url().optional().describe("Address of the Support API. The desk of this deskbridge unless told."),
  apiKey: z
    .string()
    .min(1)
    .optional()
    .describe("API key with the scopes tickets:write, contacts:write and orders:write. Goes with `url`."),
  refSource: z
    .string()
    .min(1)
    .max(100)
    .default("deskbridge")
    .describe("The `source` under which the keys of tickets and contacts are kept on the desk."),
});
