import { parsePhoneNumberFromString } from "libphonenumber-js";
import { z } from "zod";
import { externalId, sourceName, storable } from "./schema-text.ts";

/**
 * One way to recognise a contact, in its normal form. `source` is the system of an `external` id, the channel of a `channel` address, and empty
 * for the others.
 */
export interface Identity {
  readonly kind: "email" | "phone" | "external" | "channel";
  readonly source: string;
  readonly value: string;
  readonly verified?: boolean | undefined;
}

/** An e-mail address, in lower case. */
export const emailAddress = z
  .string()
  .overwrite((email) => storable(email).trim().toLowerCase())
  .max(320)
  .regex(z.regexes.unicodeEmail, "must be an e-mail address");

/** A phone number in international form (`+49 30 901820`), kept as E.164. */
export const phoneNumber = z
  .string()
  .max(50)
  .overwrite((phone) => toE164(phone) ?? phone)
  .refine(
    (phone) => toE164(phone) === phone,
    "must be a phone number in international form, such as +4930901820",
  );

function toE164(phone: string): string | undefined {
  const parsed = parsePhoneNumberFromString(phone);
  return parsed?.isPossible() === true ? parsed.number : undefined;
}

const verified = z
  .boolean()
  .optional()
  .describe("whether the contact has shown that it is theirs; false unless told");

/** An identity in a request. */
export const newIdentity = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("email"), value: emailAddress, verified }),
  z.strictObject({ type: z.literal("phone"), value: phoneNumber, verified }),
  z.strictObject({ type: z.literal("external"), source: sourceName, value: externalId, verified }),
  z.strictObject({
    type: z.literal("channel"),
    source: sourceName.describe("the channel, such as `whatsapp`"),
    value: externalId.describe("the address in that channel"),
    verified,
  }),
]);
type NewIdentity = z.output<typeof newIdentity>;

/** An identity of a request as the store takes it. */
export function identityOf(identity: NewIdentity): Identity {
  const { type: kind, value } = identity;
  const source = "source" in identity ? identity.source : "";
  return { kind, source, value, verified: identity.verified };
}

interface Person {
  readonly email?: string | null | undefined;
  readonly phone?: string | null | undefined;
  readonly refs?: readonly { readonly source: string; readonly external_id: string }[] | undefined;
  readonly identities?: readonly NewIdentity[] | undefined;
}

/** The identities that a request names, each once, most telling first: refs, e-mail, phone, then those of its list. */
export function identitiesOf(person: Person): readonly Identity[] {
  const { email, phone, refs = [], identities: listed = [] } = person;
  const identities: Identity[] = refs.map((ref) => ({
    kind: "external",
    source: ref.source,
    value: ref.external_id,
  }));
  if (typeof email === "string") identities.push({ kind: "email", source: "", value: email });
  if (typeof phone === "string") identities.push({ kind: "phone", source: "", value: phone });
  return uniqueIdentities([...identities, ...listed.map(identityOf)]);
}

/** Each identity once, in its first place; it is verified when one of its mentions says so. */
export function uniqueIdentities(identities: readonly Identity[]): readonly Identity[] {
  const byName = new Map<string, Identity>();
  for (const { kind, source, value, verified: said } of identities) {
    const name = JSON.stringify([kind, source, value]);
    const isVerified = said === true || byName.get(name)?.verified === true;
    byName.set(name, { kind, source, value, ...(isVerified ? { verified: true } : {}) });
  }
  return [...byName.values()];
}
