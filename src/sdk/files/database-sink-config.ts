import { z } from "zod";

/** What a database file is connected by. */
export const databaseSinkConfig = z.strictObject({
  path: z.string().min(1).describe("The database file; made where it is missing."),
  schema: z
    .string()
    .min(1)
    .max(100)
    .default("main")
    .describe("Schema of the tables; made where it is missing."),
  workDir: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Folder for what is staged: about as large as the rows of one commit. The folder of the database when absent.",
    ),
});

export type DatabaseSinkConfig = z.output<typeof databaseSinkConfig>;
