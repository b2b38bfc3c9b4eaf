import { z } from "zod";

export const config = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .describe("Address of ClickHouse's HTTP interface, such as `https://warehouse.acme.example:8443`."),
  username: z.string().min(1).default("default").describe("The account."),
  password: z.string().default("").describe("Its password. Keep it in a variable."),
  database: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, "is a letter or _, then letters, digits and _, at most 63")
    .default("support")
    .describe("The database that the tables are in; it is made where it is missing."),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(900)
    .describe("How long one statement may take; bringing in a chunk is a few of them."),
});

export type Config = z.output<typeof config>;
