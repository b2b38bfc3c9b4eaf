import { z } from "zod";

export const config = z.strictObject({
  project: z
    .string()
    .regex(/^[a-z][a-z0-9:.-]{4,62}$/, "is the id of a project, such as acme-analytics")
    .describe("The project that the dataset is in and that queries are charged to."),
  dataset: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,1023}$/, "is letters, digits and _")
    .default("support")
    .describe("The dataset that the tables are in; it is made where it is missing."),
  location: z.string().min(1).default("US").describe("Where the dataset is, such as `EU` or `europe-west1`."),
  credentials: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Key of a service account, as the JSON that Google gives out: `${file:/run/secrets/bigquery.json}`. Without it the machine's own identity is used.",
    ),
  timeoutSeconds: z.int().min(1).max(21_600).default(1800).describe("How long a job may take."),
  apiUrl: z
    .url()
    .optional()
    .describe("Address of the API where it is not Google's own; for tests. Calls to it carry no credential."),
});

export type Config = z.output<typeof config>;
