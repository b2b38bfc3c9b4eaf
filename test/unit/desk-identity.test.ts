import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emailAddress, identitiesOf, phoneNumber } from "../../src/desk/identity.ts";
import { formatObjectId, parseObjectId, readObjectId } from "../../src/desk/object-id.ts";
import { formatPage, parseCursor } from "../../src/desk/page.ts";
import { hashRequest, parseIdempotencyKey, parseIfMatch } from "../../src/desk/request.ts";
import { storable, text } from "../../src/desk/schema-text.ts";

describe("an e-mail address", () => {
  it.each([
    [" Ada@Example.COM ", "ada@example.com"],
    ["jösé@exämple.de", "jösé@exämple.de"],
    ["a+b@x.co", "a+b@x.co"],
  ])("%j is kept as %j", (given, kept) => {
    expect(emailAddress.parse(given)).toBe(kept);
  });

  it.each(["", "ada", "@x.y", "a@", "a b@x.y", `${"a".repeat(400)}@x.y`])("%j is refused", (given) => {
    expect(emailAddress.safeParse(given).success).toBe(false);
  });
});

describe("a phone number", () => {
  it.each([
    ["+49 (30) 90-18 20", "+4930901820"],
    ["+1 415 555 2671", "+14155552671"],
  ])("%j is kept as %j", (given, kept) => {
    expect(phoneNumber.parse(given)).toBe(kept);
  });

  it.each(["", "030 901820", "+49", "call me", "+1234567890123456789"])("%j is refused", (given) => {
    expect(phoneNumber.safeParse(given).success).toBe(false);
  });
});

describe("identities", () => {
  it("come with the most telling first, and leave out what is null", () => {
    const refs = [{ source: "shop", external_id: "9" }];
    expect(identitiesOf({ email: "a@x.y", phone: null, refs }).map(({ kind }) => kind)).toEqual([
      "external",
      "email",
    ]);
  });
});

describe("text", () => {
  it("never holds what the database cannot store", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (given) => {
        const kept = storable(given);
        expect(kept).not.toContain("\0");
        expect(kept.isWellFormed()).toBe(true);
        expect(storable(kept)).toBe(kept);
        expect(kept === given).toBe(given.isWellFormed() && !given.includes("\0"));
      }),
    );
  });

  it("that is well-formed comes through unchanged", () => {
    expect(text(20).parse("日本語 👩‍👩‍👧")).toBe("日本語 👩‍👩‍👧");
    expect(text(5).parse("a\0\ud800")).toBe("a\ufffd\ufffd");
  });
});

describe("an id", () => {
  it("is read as it is written, for its own kind only", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999_999_999 }), (number) => {
        const id = formatObjectId("ticket", number);
        expect(parseObjectId("ticket", id)).toBe(number);
        expect(readObjectId("contact", id)).toBeUndefined();
      }),
    );
  });

  it.each([
    "",
    "tkt_",
    "tkt_0",
    "tkt_01",
    "tkt_-1",
    "tkt_1e3",
    "tkt_1 ",
    "TKT_1",
    "1",
    `tkt_${"9".repeat(16)}`,
  ])("%j is none", (id) => {
    expect(readObjectId("ticket", id)).toBeUndefined();
  });
});

describe("a cursor", () => {
  it("comes back as the position that it was made of", () => {
    fc.assert(
      fc.property(
        fc.record({
          id: fc.integer({ min: 1 }),
          at: fc.option(fc.constant("2026-11-22 10:00:00.123456+00")),
        }),
        ({ id, at }) => {
          const next = { id, at: at ?? undefined };
          const page = JSON.parse(formatPage({ bodies: ['{"a":1}'], next }, "-created_at")) as {
            data: unknown;
            next_cursor: string;
          };
          expect(page.data).toEqual([{ a: 1 }]);
          expect(parseCursor(page.next_cursor, "-created_at")).toEqual(next);
        },
      ),
    );
  });

  it("is null on the last page", () => {
    expect(JSON.parse(formatPage({ bodies: [], next: undefined }, "x"))).toEqual({
      data: [],
      next_cursor: null,
    });
  });

  it.each(["", "x", "bnVsbA", Buffer.from('["updated_at",null,1]').toString("base64url"), "eyJ9"])(
    "%j of another list or making is refused",
    (cursor) => {
      expect(() => parseCursor(cursor, "-created_at")).toThrow(/cursor/);
    },
  );
});

describe("request headers", () => {
  it("give an idempotency key of printable ASCII, or none", () => {
    expect(parseIdempotencyKey(undefined)).toBeUndefined();
    expect(parseIdempotencyKey("order 1001: failed")).toBe("order 1001: failed");
    for (const bad of ["", "a".repeat(256), "ü", "a\tb"]) {
      expect(() => parseIdempotencyKey(bad)).toThrow(/Idempotency-Key/);
    }
  });

  it("give the versions that If-Match allows", () => {
    expect(parseIfMatch(undefined)).toBeUndefined();
    expect(parseIfMatch("*")).toBeUndefined();
    expect(parseIfMatch('"7"')).toEqual([7]);
    expect(parseIfMatch('W/"7", "8"')).toEqual([7, 8]);
    expect(parseIfMatch("7")).toEqual([]);
    expect(parseIfMatch('"seven"')).toEqual([]);
  });

  it("tell requests apart by method, address and body", () => {
    const hashes = [
      hashRequest("PUT", "/a", { x: 1 }),
      hashRequest("PATCH", "/a", { x: 1 }),
      hashRequest("PUT", "/b", { x: 1 }),
      hashRequest("PUT", "/a", { x: 2 }),
      hashRequest("PUT", "/a", undefined),
    ].map((hash) => hash.toString("hex"));
    expect(new Set(hashes).size).toBe(5);
    expect(hashRequest("PUT", "/a", { x: 1 }).toString("hex")).toBe(hashes[0]);
  });
});
