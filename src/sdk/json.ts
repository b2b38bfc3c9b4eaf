import { parse } from "secure-json-parse";
import { AppError } from "../errors.ts";

/** The deepest nesting of arrays and objects that `parseJsonBody` takes. */
export const maxJsonDepth = 100;

const quote = 0x22;
const zero = 0x30;
const nine = 0x39;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * A body of JSON as a value. Throws `webhook_malformed` for what is not UTF-8 or not JSON, is nested deeper than `maxJsonDepth`, or has keys
 * that reach for an object's prototype (`__proto__`, `constructor.prototype`); the message quotes nothing of the body. An integer
 * too large for a number comes as the string of its digits, so that no id is altered.
 */
export function parseJsonBody(body: Buffer): unknown {
  const { depth, longestNumber } = measure(body);
  if (depth > maxJsonDepth) throw malformed(`is nested deeper than ${maxJsonDepth} levels`);
  const text = decodeUtf8(body);
  try {
    // The largest exact integer has 16 digits. Looking at every value is slow, and most bodies have no number that long.
    return longestNumber >= 16 ? parse(text, keepLongInteger) : parse(text);
  } catch {
    // The parser's own message quotes the body, which may hold personal data.
    throw malformed("is not JSON, or has keys that are not accepted (`__proto__`, `constructor.prototype`)");
  }
}

const integerLiteral = /^-?\d+$/;

function keepLongInteger(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && integerLiteral.test(source) ? source : value;
}

function decodeUtf8(body: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw malformed("is not UTF-8");
  }
}

interface Measures {
  readonly depth: number;
  /** Digits in a row, outside strings. */
  readonly longestNumber: number;
}

// Over bytes, before the parser builds anything: UTF-8 never uses these byte values inside a longer character.
function measure(body: Buffer): Measures {
  let depth = 0;
  let deepest = 0;
  let digits = 0;
  let longestNumber = 0;
  for (let index = 0; index < body.length; index += 1) {
    const byte = body[index] ?? 0;
    if (byte >= zero && byte <= nine) {
      digits += 1;
      if (digits > longestNumber) longestNumber = digits;
      continue;
    }
    digits = 0;
    if (byte === quote) index = endOfString(body, index);
    else if (byte === openBracket || byte === openBrace) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (byte === closeBracket || byte === closeBrace) depth -= 1;
  }
  return { depth: deepest, longestNumber };
}

function endOfString(body: Buffer, start: number): number {
  let index = start + 1;
  while (index < body.length && body[index] !== quote) index += body[index] === backslash ? 2 : 1;
  return index;
}

function malformed(what: string): AppError {
  return new AppError("webhook_malformed", `The body ${what}; a JSON document in UTF-8 is expected.`);
}
