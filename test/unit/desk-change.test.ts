import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FeedPosition } from "../../src/desk/change.ts";
import {
  changeTypes,
  formatSequence,
  isBehind,
  isChangePattern,
  readSequence,
  typesOf,
} from "../../src/desk/change.ts";

const migrations = globSync(join(import.meta.dirname, "../../src/desk/migrations/*.sql"));
const position: fc.Arbitrary<FeedPosition> = fc.record({ tx: fc.maxSafeNat(), id: fc.maxSafeNat() });

/** 52 bits. */
function inRange({ tx, id }: FeedPosition): boolean {
  return tx < 2 ** 52 && id < 2 ** 52;
}

describe("places in the feed", () => {
  it("are ordered as text as they are in the feed", () => {
    const property = fc.property(position.filter(inRange), position.filter(inRange), (one, other) => {
      expect(formatSequence(one) < formatSequence(other)).toBe(isBehind(one, other));
      expect(readSequence(formatSequence(one))).toEqual(one);
    });
    expect(() => fc.assert(property)).not.toThrow();
  });

  it("are read from nothing else", () => {
    for (const text of ["", "now", "0".repeat(25), "0".repeat(27), "g".repeat(26), "A".repeat(26)]) {
      expect(readSequence(text)).toBeUndefined();
    }
  });
});

describe("types of changes", () => {
  it("are those that the migrations write", () => {
    const kinds = [...new Set(changeTypes.map((type) => type.split(".")[0]))].join("|");
    const written = migrations.flatMap((file) =>
      [
        ...readFileSync(file, "utf8").matchAll(new RegExp(`'((?:${kinds}|csat|attachment)\\.[a-z_]+)'`, "g")),
      ].map(([, type]) => type),
    );
    expect([...new Set(written)].sort()).toEqual([...changeTypes].sort());
  });

  it("are meant by their name, their kind and everything", () => {
    expect(typesOf(["ticket.created", "order.*"])).toEqual([
      "ticket.created",
      "order.created",
      "order.updated",
    ]);
    expect(typesOf(["*"])).toEqual(changeTypes);
    for (const pattern of [
      "",
      "**",
      "ticket",
      "ticket.",
      "*.created",
      "ticket.*.*",
      "tickets.*",
      "ticket.lost",
    ]) {
      expect([pattern, isChangePattern(pattern)]).toEqual([pattern, false]);
    }
  });
});
