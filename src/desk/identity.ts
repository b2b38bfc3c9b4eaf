import { parsePhoneNumberFromString } from "libphonenumber-js";
import { z } from "zod";
import { storable } from "./schema-text.ts";

/** One way to recognise a contact, in its normal form. `source` is empty but for `external`. */
export interface Identity {
  readonly kind: "email" | "phone" | "external";
  readonly source: string;
  readonly value: string;
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

interface Person {
  readonly email?: string | null | undefined;
  readonly phone?: string | null | undefined;
  readonly refs?: readonly { readonly source: string; readonly external_id: string }[] | undefined;
}

/** The identities that a request names, most telling first: refs, e-mail, phone. */
export function identitiesOf({ email, phone, refs = [] }: Person): readonly Identity[] {
  const identities: Identity[] = refs.map((ref) => ({
    kind: "external",
    source: ref.source,
    value: ref.external_id,
  }));
  if (typeof email === "string") identities.push({ kind: "email", source: "", value: email });
  if (typeof phone === "string") identities.push({ kind: "phone", source: "", value: phone });
  return identities;
}
