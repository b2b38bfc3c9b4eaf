import { z } from "zod";
import { changeTypes, isChangePattern, readSequence } from "./change.ts";

const sequence = z
  .string()
  .regex(/^[0-9a-f]{26}$/)
  .describe("the place in the feed; later is greater as text");

/** A change as it is answered. */
export const change = z.strictObject({
  id: z.string().describe("stays the same wherever the change is shown"),
  sequence,
  type: z.enum(changeTypes),
  time: z.iso.datetime(),
  actor: z.string().describe("who did it, such as `key_7`"),
  object_id: z.string(),
  ticket_id: z.string().nullable(),
  data: z.record(z.string(), z.unknown()).describe("what changed: `{field: [from, to]}`, or ids"),
});

export const changePage = z.strictObject({
  data: z.array(change),
  next_cursor: sequence.describe("`after` of the next request, whether there is more yet or not"),
  has_more: z.boolean(),
});

const pattern = z.string().max(60).refine(isChangePattern, "must be a type of change, ticket.* or *");

/** Types of changes in a body. */
export const eventPatterns = z
  .array(pattern)
  .min(1)
  .max(50)
  .overwrite((patterns) => [...new Set(patterns)])
  .describe("types of changes; `ticket.*` is all of a kind, `*` everything");

const cursor = z
  .string()
  .max(50)
  .refine(
    (text) => text === "now" || readSequence(text) !== undefined,
    "must be a next_cursor or sequence of the feed, or now",
  )
  .optional();

const types = z
  .string()
  .max(1000)
  .transform((value) => value.split(","))
  .pipe(eventPatterns)
  .optional()
  .describe("one type, or several with commas; `ticket.*` is all of a kind");

export const changeQuery = z.strictObject({
  after: cursor.describe("the beginning unless told; `now` for what is still to come"),
  types,
  limit: z.coerce.number<string>().int().min(1).max(1000).default(100),
});

export const streamQuery = z.strictObject({
  after: cursor.describe("`now` unless told; the header Last-Event-ID goes before it"),
  types,
});
