import { z } from "zod";

const name = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_$]{0,254}$/, "is letters, digits, _ and $, and begins with no digit");

const local = new Set(["127.0.0.1", "[::1]", "localhost"]);

export const config = z
  .strictObject({
    account: z
      .string()
      .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/, "is the identifier of an account, such as acme-analytics")
      .describe("Identifier of the account, such as `acme-analytics` (organization and account)."),
    username: z.string().min(1).describe("The user that exports sign in as, best one of `TYPE = SERVICE`."),
    privateKey: z
      .string()
      .min(1)
      .optional()
      .describe(
        "The user's private key, not encrypted, as PEM: `${file:/run/secrets/snowflake.p8}`. One of `privateKey`, `token` and `password` is needed.",
      ),
    token: z.string().min(1).optional().describe("A programmatic access token of the user."),
    password: z.string().min(1).optional().describe("The user's password, where accounts still allow it."),
    role: name.optional().describe("The role to act in; without it the user's default role."),
    warehouse: name.describe("The warehouse that statements run in."),
    database: name.describe("The database that the schema is in. It has to be there."),
    schema: name
      .default("SUPPORT")
      .describe(
        "The schema that the tables are in, in exactly these letters; it is made where it is missing.",
      ),
    timeoutSeconds: z.int().min(1).max(604_800).default(1800).describe("How long a statement may take."),
    apiUrl: z
      .url()
      .refine((url) => url.startsWith("https:") || local.has(new URL(url).hostname), "begins with https://")
      .optional()
      .describe("Address of the service where it is not the account's own: a private link, or a test."),
  })
  .refine(({ privateKey, token, password }) => [privateKey, token, password].filter(Boolean).length === 1, {
    message: "is one of three: `privateKey`, `token` or `password`; give one",
    path: ["privateKey"],
  });

export type Config = z.output<typeof config>;
