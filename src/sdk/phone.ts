import { isSupportedCountry, parsePhoneNumberFromString } from "libphonenumber-js/min";

/**
 * A phone number in E.164 (`+15024592181`), or undefined when the text does not tell one for sure. `country` (ISO 3166-1 alpha-2) says what a
 * number without `+` belongs to.
 */
export function toE164(text: string | undefined, country?: string): string | undefined {
  if (text === undefined) return undefined;
  const known = country !== undefined && isSupportedCountry(country) ? country : undefined;
  const number = parsePhoneNumberFromString(text, known === undefined ? {} : { defaultCountry: known });
  return number?.isValid() === true ? number.number : undefined;
}
