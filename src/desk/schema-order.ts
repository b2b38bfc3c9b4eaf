import { z } from "zod";
import { person } from "./schema-contact.ts";
import * as field from "./schema-text.ts";

const shown = {
  id: z.string(),
  source: z.string(),
  external_id: z.string(),
  name: z.string().nullable(),
  status: z.string().nullable(),
  total: field.money.nullable(),
  url: z.string().nullable(),
};

/** An order inside a ticket. */
export const orderBrief = z.strictObject(shown);

/** An order as it is answered. `created_at` and `updated_at` are the order system's where it told them, else ours. */
export const order = z.strictObject({
  ...shown,
  contact_id: z.string().nullable(),
  states: z.array(z.strictObject({ status: z.string(), at: z.iso.datetime() })),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  version: z.int(),
});

/** Body of `PUT by-ref`: what is not given stays. */
export const orderFacts = z.strictObject({
  name: field.name.optional(),
  status: field.text(100).optional(),
  total: field.money.optional(),
  url: field.text(2000).optional(),
  customer: person.optional(),
  created_at: field.instant.optional(),
  updated_at: field.instant.optional().describe("an older state never overwrites a newer one"),
});

/** An order inside a ticket request: made or brought up to date, and linked. */
export const orderInTicket = orderFacts.extend({ source: field.sourceName, external_id: field.externalId });
export type OrderInTicket = z.output<typeof orderInTicket>;
