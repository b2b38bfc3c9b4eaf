import { z } from "zod";

const secret = z.string().min(1);
const fieldId = z.int().positive();

/** Requests a minute that the vendor takes from an account, by plan. */
export const callsByPlan = {
  team: 200,
  growth: 400,
  professional: 400,
  enterprise: 700,
  "high-volume": 2500,
} as const;

const plans = ["team", "growth", "professional", "enterprise", "high-volume"] as const;

const orders = z
  .strictObject({
    object: z
      .string()
      .regex(/^[a-z0-9_]+$/, "the key of a custom object is expected, such as order")
      .optional()
      .describe("Key of the custom object that orders are kept in. `order.upsert` needs it."),
    fields: z
      .partialRecord(
        z.enum(["status", "total", "currency", "url", "customer", "createdAt", "updatedAt"]),
        z.string().min(1),
      )
      .default({})
      .describe(
        "Which field of the custom object takes which fact of an order. Without `updatedAt` an older state can overwrite a newer one.",
      ),
    field: fieldId
      .optional()
      .describe(
        "Id of a text field of tickets that lists the orders a ticket is about. `order.link` needs it.",
      ),
  })
  .describe("Where orders go, which the vendor has no place for by itself.");

const shape = {
  subdomain: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, "what stands before .zendesk.com is expected, such as acme")
    .describe("The account: what stands before .zendesk.com."),
  clientId: secret
    .optional()
    .describe(
      "Identifier of a confidential OAuth client. Access tokens are fetched with the client-credentials grant, and renewed.",
    ),
  clientSecret: secret.optional().describe("The OAuth client's secret. Goes with `clientId`."),
  scopes: z
    .array(z.string().min(1))
    .min(1)
    .default(["read", "write"])
    .describe(
      "What tokens may do. Ticket audits, by which a comment is found again, need the global scope read.",
    ),
  accessToken: secret.optional().describe("An OAuth access token that was made elsewhere."),
  email: z.email().optional().describe("The agent that an API token speaks for. Goes with `apiToken`."),
  apiToken: secret
    .optional()
    .describe("An API token, the old way: the vendor switches all of them off on 2027-04-30."),
  webhookSecret: z
    .union([secret, z.array(secret).min(1).max(2)])
    .optional()
    .describe(
      "The webhook's signing secret; two while one replaces the other. Hooks are refused without it.",
    ),
  webhookToleranceSeconds: z
    .int()
    .positive()
    .default(300)
    .describe("How old the signed time of a webhook may be."),
  plan: z
    .enum(plans)
    .default("team")
    .describe(
      "The account's plan, which says how many requests a minute it takes: team 200, growth and professional 400, enterprise 700, high-volume (also Enterprise Plus) 2500.",
    ),
  lookupLagSeconds: z
    .int()
    .nonnegative()
    .default(60)
    .describe(
      "How long after a write it may not be found yet. Before that, a write whose answer was lost is not sent again.",
    ),
  closeAs: z
    .enum(["solved", "closed"])
    .default("solved")
    .describe(
      "What closing a ticket sets: solved, which the vendor closes days later, or closed, which is for good.",
    ),
  customFields: z
    .record(z.string().min(1), fieldId)
    .default({})
    .describe("Names for the ids of ticket fields: what flows call a field, and the vendor's id of it."),
  orders: orders.default({ fields: {} }),
  apiUrl: z.url().optional().describe("Address of the API where it is not the account's own; for tests."),
};

type Settings = z.output<z.ZodObject<typeof shape>>;

/** Settings of a connection. Exactly one of the three credentials must be complete. */
export const config = z.strictObject(shape).superRefine((given, context) => {
  const complaint = credentialComplaint(given);
  if (complaint !== undefined) context.addIssue({ code: "custom", message: complaint, path: ["clientId"] });
});

function credentialComplaint(given: Settings): string | undefined {
  if ((given.clientId === undefined) !== (given.clientSecret === undefined)) {
    return "clientId and clientSecret go together";
  }
  if ((given.email === undefined) !== (given.apiToken === undefined)) {
    return "email and apiToken go together";
  }
  const credentials = [given.clientId, given.accessToken, given.apiToken].filter((one) => one !== undefined);
  if (credentials.length === 1) return undefined;
  return "give one of clientId with clientSecret, accessToken, or email with apiToken";
}

export type Config = z.output<typeof config>;
