import { z } from "zod";
import * as field from "./schema-text.ts";

/** What the requester thinks of how a ticket was handled. */
export const csat = z.strictObject({
  score: z.int(),
  comment: z.string().nullable(),
  rated_at: z.iso.datetime(),
});

/** Body of `POST /v1/tickets/{id}/csat`. */
export const newCsat = z.strictObject({
  score: z.int().min(1).max(5).describe("from 1, very dissatisfied, to 5, very satisfied"),
  comment: field.text(5000).optional(),
  close: z.boolean().default(false).describe("whether the ticket is closed with it"),
});
