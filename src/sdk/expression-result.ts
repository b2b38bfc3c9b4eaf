import { rawValue } from "./expression-record.ts";

/** Said of a CEL value that JSON can't say (bytes, a duration, a type, a number that is not finite). */
export class NoJsonForm extends Error {}

const noForm = "a value that has no form in JSON";

/**
 * A CEL value as a JSON value: whole numbers become numbers, or the string of their digits when a number can't hold them; times become RFC
 * 3339 in UTC. Throws `NoJsonForm` for what JSON can't say.
 */
export function toJson(value: unknown): unknown {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "bigint") return fromInt(value);
  if (typeof value === "object") return objectToJson(value);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new NoJsonForm(typeof value === "number" ? "a number that is not finite" : noForm);
}

/** What a JSON value looks like inside a text, or undefined for null, lists and objects, which have no place in a text. */
export function toText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return undefined;
}

function fromInt(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function objectToJson(value: object): unknown {
  if (rawValue in value) return value[rawValue];
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Date) return value.toISOString();
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const primitive: unknown = value.valueOf();
    if (typeof primitive === "bigint") return fromInt(primitive);
    throw new NoJsonForm(noForm);
  }
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (key !== "__proto__") result[key] = toJson(item);
  }
  return result;
}
