import { z } from "zod";

const secret = z.string().min(1);

/** Statuses, of carrier reports and of fulfillments, that count as a failed fulfillment unless told otherwise. */
const failures = ["failure", "error", "cancelled"];

export const config = z
  .strictObject({
    shop: z
      .string()
      .regex(
        /^[a-z0-9][a-z0-9-]*\.myshopify\.com$/,
        "the shop's own domain is expected, such as acme.myshopify.com",
      )
      .describe("The shop's myshopify.com domain."),
    clientSecret: z
      .union([secret, z.array(secret).min(1).max(2)])
      .describe(
        "The app's client secret: webhooks are signed with it. Two while one replaces the other; the first is then used to fetch tokens.",
      ),
    accessToken: secret
      .optional()
      .describe(
        "An Admin API access token. Without it and without clientId, events are neither completed nor polled.",
      ),
    clientId: secret
      .optional()
      .describe(
        "The app's client id: access tokens are fetched with the client-credentials grant, and renewed.",
      ),
    apiVersion: z
      .string()
      .regex(/^\d{4}-(01|04|07|10)$/, "a version such as 2026-07 is expected")
      .default("2026-07")
      .describe("Version of the Admin API."),
    failureStatuses: z
      .array(z.string().min(1))
      .default(failures)
      .describe(
        "Statuses that count as a failed fulfillment: of carrier reports (failure, delayed, attempted_delivery …) and of fulfillments (error, failure, cancelled).",
      ),
    holdReasons: z
      .array(z.string().min(1))
      .optional()
      .describe(
        "Reasons of fulfillment holds to take, in lower case, such as incorrect_address; all unless given.",
      ),
    webhookToleranceSeconds: z
      .int()
      .positive()
      .default(172_800)
      .describe(
        "How old a webhook may be by its X-Shopify-Triggered-At. The vendor goes on sending for hours.",
      ),
    costReserve: z
      .int()
      .nonnegative()
      .default(100)
      .describe(
        "Points of the API's rate limit that polling leaves untouched for live events and for other apps.",
      ),
    apiUrl: z
      .url()
      .optional()
      .describe("Address of the Admin API where it is not the shop's domain; for tests."),
  })
  .refine((given) => given.accessToken === undefined || given.clientId === undefined, {
    message: "give accessToken or clientId, not both",
    path: ["clientId"],
  });

export type Config = z.output<typeof config>;
