import { z } from "zod";
import { sanitizeMessageHtml } from "./html.ts";
import type { ObjectKind } from "./object-id.ts";
import { readObjectId } from "./object-id.ts";

const firstInstant = Date.parse("0001-01-01T00:00:00Z");

/** PostgreSQL text holds neither NUL nor half of a surrogate pair; what has one is kept with the replacement character. */
export function storable(text: string): string {
  return (text.includes("\0") ? text.replaceAll("\0", "\uFFFD") : text).toWellFormed();
}

/** Text of one character to `max` UTF-16 units. */
export const text = (max: number) => z.string().overwrite(storable).min(1).max(max);

export const name = text(200);
export const subject = text(500);
export const messageText = text(65_536);
/** HTML of a message: kept without what could do anything. */
export const messageHtml = z
  .string()
  .max(131_072)
  .overwrite((html) => sanitizeMessageHtml(storable(html)))
  .describe("sanitised: text, links by http, https and mailto, images of attachments by cid:att_…");
export const tag = z.string().overwrite(storable).trim().min(1).max(100);
export const tagList = z
  .array(tag)
  .max(100)
  .overwrite((tags) => [...new Set(tags)]);
export const sourceName = text(100).describe("the system that the id belongs to");
export const externalId = text(255).describe("the id in that system");
export const ref = z.strictObject({ source: sourceName, external_id: externalId });
/** From the year 1 on: PostgreSQL has no year 0. */
export const instant = z.iso
  .datetime({ offset: true, abort: true })
  .refine((time) => Date.parse(time) >= firstInstant, "must be in the year 1 or later");
export const money = z.strictObject({ minor: z.int(), currency: z.string().regex(/^[A-Z]{3}$/) });

const fieldValue = z.union([z.string().overwrite(storable).max(10_000), z.number(), z.boolean(), z.null()]);
export const customFields = z
  .record(text(100), fieldValue)
  .refine((fields) => Object.keys(fields).length <= 100, "at most 100 fields")
  .describe("null takes a field away");

/** An id of ours in a body or query, such as `con_7`. */
export const objectId = (kind: ObjectKind) =>
  z.string().refine((id) => readObjectId(kind, id) !== undefined, `must be the id of a ${kind}`);

export const pageLimit = z.coerce.number<string>().int().min(1).max(200).default(50);
export const pageCursor = z.string().max(500).optional().describe("`next_cursor` of the page before");

/** The query of a list without filters. */
export const listQuery = z.strictObject({ limit: pageLimit, cursor: pageCursor });

/** A list as it is answered; `next_cursor` is null on the last page. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({ data: z.array(item), next_cursor: z.string().nullable() });
