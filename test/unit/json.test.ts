import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import { maxJsonDepth, parseJsonBody } from "../../src/sdk/json.ts";

function refusal(body: Buffer | string): AppError {
  try {
    parseJsonBody(Buffer.from(body as string));
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("the body was taken");
}

describe("parseJsonBody", () => {
  it("gives back every JSON value as it was", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/\d{16}/.test(text) && !text.includes("__proto__"));
        expect(parseJsonBody(Buffer.from(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it("keeps the digits of an integer that a number cannot hold", () => {
    const body = Buffer.from(
      '{"id":9007199254740993,"small":12,"price":1234567890123456.5,"text":"9007199254740993"}',
    );
    expect(parseJsonBody(body)).toEqual({
      id: "9007199254740993",
      small: 12,
      price: 1234567890123456.5,
      text: "9007199254740993",
    });
  });

  it.each([
    ["nothing", ""],
    ["half an object", '{"id": 1'],
    ["HTML", "<html></html>"],
    ["two documents", "{}{}"],
    ["a __proto__ key", '{"a":{"__proto__":{"admin":true}}}'],
    ["an escaped __proto__ key", '{"\\u005f_proto__":{"admin":true}}'],
    ["a constructor.prototype key", '{"constructor":{"prototype":{"admin":true}}}'],
    ["a __proto__ key beside a long integer", '{"id":9007199254740993,"__proto__":{"admin":true}}'],
    ["bytes that are not UTF-8", Buffer.from([0x22, 0xc3, 0x28, 0x22])],
    ["200 levels of arrays", "[".repeat(200) + "]".repeat(200)],
    ["a million open braces", '{"a":'.repeat(1_000_000)],
  ])("refuses %s as malformed", (_name, body) => {
    expect(refusal(body).code).toBe("webhook_malformed");
  });

  it("takes the deepest nesting allowed, and refuses one level more", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parseJsonBody(Buffer.from(nested(maxJsonDepth)))).toHaveLength(1);
    expect(refusal(nested(maxJsonDepth + 1)).message).toContain("nested deeper");
  });

  it("does not count brackets inside strings", () => {
    const text = `\\"${"[{".repeat(300)}`;
    expect(parseJsonBody(Buffer.from(JSON.stringify({ text })))).toEqual({ text });
  });

  it("quotes nothing of the body in its error", () => {
    const error = refusal('{"email":"jo@example.com" oops');
    expect(error.message).not.toContain("jo@example.com");
    expect(error.cause).toBeUndefined();
  });
});
