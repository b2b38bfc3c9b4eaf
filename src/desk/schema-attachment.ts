import { z } from "zod";
import * as field from "./schema-text.ts";

/** What is known of a file, as it is answered when it was taken in. */
export const attachment = z.strictObject({
  id: z.string(),
  filename: z.string(),
  content_type: z.string().describe("by what is in it"),
  size: z.int().describe("in bytes"),
  sha256: z.string(),
  message_id: z.string().nullable().describe("null until a message takes it"),
  created_at: z.iso.datetime(),
});

/** The same with where to get it. */
export const linkedAttachment = attachment.extend({
  download_url: z.string().describe("hands out the file without a key, until it runs out"),
  download_expires_at: z.iso.datetime(),
});

/** Of a file name only the last part counts, without what no file system takes. */
const filename = field
  .text(255)
  // oxlint-disable-next-line no-control-regex
  .overwrite((name) => (name.split(/[/\\]/).at(-1) ?? "").replaceAll(/[\x00-\x1f\x7f<>:"|?*]/g, "_").trim())
  .refine((name) => name !== "" && !/^\.+$/.test(name), "must be a name");

export const uploadQuery = z.strictObject({
  filename: filename.describe("what the file is called"),
});

export const linkQuery = z.strictObject({
  expires: z.coerce.number<string>().int().min(0).max(8_640_000_000_000),
  key: z.coerce.number<string>().int().min(0),
  signature: z.string().max(100),
});
