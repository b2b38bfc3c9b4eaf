/** A JSON object of unknown content. */
export type Json = Readonly<Record<string, unknown>>;

/** The value as an object; an empty one for anything else, so that what it lacks reads as absent. */
export function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text that says something; absent for null, blanks and other types. */
export function text(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const trimmed = value.trim();
  return trimmed === "" ? undefined : trimmed;
}

/** An id as its digits, from a number, digits (ids beyond 2^53 come so) or a `gid://shopify/Order/123`. */
export function idOf(value: unknown): string | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) && value > 0 ? String(value) : undefined;
  if (typeof value !== "string") return undefined;
  return /^(?:gid:\/\/shopify\/\w+\/)?(\d+)(?:\?.*)?$/.exec(value)?.[1];
}

/** An instant in UTC, whatever offset it was written with. */
export function timeOf(value: unknown): string | undefined {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\dT/.test(value)) return undefined;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

/** An enum value as both of the vendor's interfaces can agree on it: `PARTIALLY_REFUNDED` as `partially_refunded`. */
export function lower(value: unknown): string | undefined {
  return text(value)?.toLowerCase();
}

/** The object without its undefined members: unknown facts are left out. */
export function known<T extends object>(facts: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as T;
}
