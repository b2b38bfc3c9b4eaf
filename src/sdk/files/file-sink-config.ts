import { z } from "zod";

const bucket = z.strictObject({
  bucket: z.string().min(1).describe("Name of the bucket; it must be there."),
  region: z.string().min(1).default("us-east-1").describe("Region of the bucket."),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Address of an S3-compatible server; AWS when absent."),
  pathStyle: z
    .boolean()
    .default(false)
    .describe("Whether the bucket stands in the path of addresses rather than in the host."),
  prefix: z
    .string()
    .max(200)
    .regex(/^([^/].*)?$/s, "this begins with a slash; expected a name such as warehouse/")
    .default("")
    .describe("What the names of objects begin with, such as `warehouse/`."),
  accessKeyId: z.string().min(1).optional().describe("Absent where the machine has a role of its own."),
  secretAccessKey: z.string().min(1).optional().describe("Belongs to accessKeyId."),
});

/** What the connectors that write files have in common. */
export const fileSinkConfig = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Folder on this machine that the tables are in; made where it is missing. Either this or `s3`.",
      ),
    s3: bucket.optional().describe("Bucket that the tables are in. Either this or `path`."),
    workDir: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Folder for what is staged: about as large as the rows of one commit. The folder of the table when absent, or for `s3` the system's for temporary files.",
      ),
  })
  .refine(({ path, s3 }) => (path === undefined) !== (s3 === undefined), {
    message: "expected either path or s3",
  });

export type FileSinkConfig = z.output<typeof fileSinkConfig>;
export type BucketConfig = z.output<typeof bucket>;
