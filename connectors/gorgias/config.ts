import { z } from "zod";

const secret = z.string().min(1);
const twoSecrets = z.union([secret, z.array(secret).min(1).max(2)]);

const auth = z.discriminatedUnion("method", [
  z.strictObject({
    method: z.literal("key"),
    email: z.email().describe("E-mail address of the user whose API key it is."),
    apiKey: secret.describe("The API key."),
  }),
  z.strictObject({
    method: z.literal("token"),
    accessToken: secret.describe("An OAuth access token. It ends after a while; nothing renews it."),
  }),
  z.strictObject({
    method: z.literal("refresh"),
    clientId: secret.describe("The app's client id."),
    clientSecret: secret.describe("The app's client secret."),
    refreshToken: secret.describe(
      "A refresh token with the scope offline: access tokens are fetched with it.",
    ),
  }),
]);

const hmac = z.strictObject({
  header: z
    .string()
    .regex(/^[a-z0-9-]+$/, "a header name in lower case is expected")
    .describe("Header that holds the signature. Its name is not documented: look at a request."),
  secrets: twoSecrets.describe("The integration's hmac_secret; two while one replaces the other."),
  encoding: z.enum(["hex", "base64"]).default("hex").describe("How the signature is written."),
  prefix: z.string().optional().describe("What stands before the signature, such as sha256=."),
});

export const config = z
  .strictObject({
    account: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]*$/, "the account's subdomain is expected: acme of acme.gorgias.com")
      .describe("The account's subdomain."),
    auth: auth.describe(
      "The credential: a user's API key, an OAuth access token, or an OAuth refresh token.",
    ),
    agent: z
      .email()
      .optional()
      .describe(
        "E-mail address of the user who writes notes and replies; the user of the API key unless told.",
      ),
    replyFrom: z
      .email()
      .optional()
      .describe(
        "Address that public replies are mailed from; an e-mail integration of the account. Without it ticket.reply is not offered.",
      ),
    customFields: z
      .record(z.string().min(1), z.int().positive())
      .default({})
      .describe("Names for the ids of the account's ticket fields, for use in flows."),
    enterprise: z
      .boolean()
      .default(false)
      .describe("Whether the account's limit counts in 10 seconds rather than 20."),
    lookupLagSeconds: z
      .int()
      .nonnegative()
      .max(600)
      .default(30)
      .describe(
        "How long a ticket or message may be missing from lists after it was written. A write whose answer was lost is looked up no sooner.",
      ),
    webhook: z
      .strictObject({
        secrets: twoSecrets.describe(
          "What the HTTP integrations send as `authorization: Bearer …`; two while one replaces the other.",
        ),
        hmac: hmac.optional().describe("The signature, to be checked besides."),
      })
      .optional()
      .describe("How requests of the account's HTTP integrations are recognised. Without it none are taken."),
    url: z.url().optional().describe("Address of the account where it is not gorgias.com; for tests."),
  })
  .refine(({ auth: { method }, agent }) => method === "key" || agent !== undefined, {
    message: "with an OAuth token, say which user writes notes and replies",
    path: ["agent"],
  });

export type Config = z.output<typeof config>;

/** Where the account is, without a slash at the end. */
export function addressOf({ account, url }: Config): string {
  return url?.replace(/\/+$/, "") ?? `https://${account}.gorgias.com`;
}
