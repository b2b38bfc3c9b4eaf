import { z } from "zod";

const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

export const config = z.strictObject({
  url: z
    .string()
    .regex(
      /^postgres(ql)?:\/\/[^\s]+$/,
      "is not an address such as postgres://user:password@host:5432/database",
    )
    .describe(
      "Address of the database, with the account: `postgres://user:password@host:5432/database?sslmode=verify-full&sslrootcert=/path`. Keep it in a variable.",
    ),
  schema: z
    .string()
    .regex(identifier, "is a letter or _, then letters, digits and _, at most 63")
    .default("public")
    .describe("The schema that the tables are in; it is made where it is missing."),
  statementTimeoutSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(900)
    .describe("How long the database may take for one statement; the merge of a commit is one."),
  lockTimeoutSeconds: z
    .int()
    .min(1)
    .max(3600)
    .default(60)
    .describe("How long to wait for a table that somebody else has locked."),
});

export type Config = z.output<typeof config>;
