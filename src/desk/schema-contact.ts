import { z } from "zod";
import { emailAddress, identitiesOf, newIdentity, phoneNumber } from "./identity.ts";
import * as field from "./schema-text.ts";

/** A contact as it is answered. */
export const contact = z.strictObject({
  id: z.string(),
  name: z.string().nullable(),
  email: z.string().nullable(),
  phone: z.string().nullable(),
  identities: z.array(
    z.strictObject({
      id: z.string(),
      type: z.enum(["email", "phone", "external", "channel"]),
      source: z
        .string()
        .nullable()
        .describe("the system of an external id, the channel of an address in one"),
      value: z.string(),
      verified: z.boolean(),
    }),
  ),
  refs: z.array(field.ref),
  custom_fields: z.record(z.string(), z.unknown()),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  version: z.int(),
});

const facts = {
  name: field.name.nullish(),
  email: emailAddress.nullish(),
  phone: phoneNumber.nullish(),
  custom_fields: field.customFields.optional(),
};

/** Body of `PATCH`, and of `PUT by-ref`, whose address names one identity more. */
export const contactChange = z.strictObject({
  ...facts,
  refs: z.array(field.ref).max(20).optional(),
  identities: z.array(newIdentity).max(50).optional().describe("are added; those that are there stay"),
});
export type ContactChange = z.output<typeof contactChange>;

/** Body of `POST`. */
export const newContact = contactChange.refine((body) => identitiesOf(body).length > 0, {
  message: "one of email, phone, refs or identities is needed",
});

/** A requester or customer inside another request: recognised by `id` or by the first identity that somebody has, made when nobody has any. */
export const person = z
  .strictObject({
    id: field.objectId("contact").optional(),
    email: emailAddress.optional(),
    phone: phoneNumber.optional(),
    ref: field.ref.optional(),
    name: field.name.optional(),
  })
  .refine((value) => value.id ?? value.email ?? value.phone ?? value.ref, {
    message: "one of id, email, phone or ref is needed",
  });
export type Person = z.output<typeof person>;

export const contactQuery = z
  .strictObject({
    email: emailAddress.optional(),
    phone: phoneNumber.optional(),
    external_id: field.externalId.optional(),
    source: field.sourceName.optional().describe("narrows `external_id` to one system"),
    address: field.externalId.optional().describe("in a channel"),
    channel: field.sourceName.optional().describe("narrows `address` to one channel"),
    limit: field.pageLimit,
    cursor: field.pageCursor,
  })
  .refine(({ external_id: id, source }) => id !== undefined || source === undefined, {
    path: ["source"],
    message: "goes with external_id only",
  })
  .refine(({ address, channel }) => address !== undefined || channel === undefined, {
    path: ["channel"],
    message: "goes with address only",
  });
export type ContactQuery = z.output<typeof contactQuery>;
