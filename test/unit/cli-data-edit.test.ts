import { describe, expect, it } from "vitest";
import { changesOf, withoutValueAt, withValueAt } from "../../src/cli/data-edit.ts";

const data = { order: { name: "1001", total: { minor: 4200 }, tags: ["vip"] }, note: null };

describe("a value put in by its path", () => {
  it.each([
    ["text where text stands, whatever it looks like", "order.name", "42", "42"],
    ["a number where a number stands", "order.total.minor", "99", 99],
    ["JSON where nothing stands", "order.address", '{"city":"Bern"}', { city: "Bern" }],
    ["text that is no JSON where nothing stands", "order.address", "Bern 1", "Bern 1"],
    ["an item of a list", "order.tags.0", "new", "new"],
    ["an item behind the last", "order.tags.1", "new", "new"],
    ["objects that are missing on the way", "order.customer.name", "Ann", "Ann"],
  ])("is %s", (_what, path, text, expected) => {
    const edited = withValueAt(data, path, text);
    const value = path
      .split(".")
      .reduce<unknown>((at, step) => (at as Record<string, unknown>)[step], edited);
    expect(value).toEqual(expected);
    expect(data.order.tags).toEqual(["vip"]);
  });

  it.each([
    ["through a plain value", "order.name.first"],
    ["to the prototype", "__proto__.polluted"],
    ["far behind a list's end", "order.tags.7"],
    ["without a name", "order..name"],
  ])("is refused %s", (_what, path) => {
    expect(() => withValueAt(data, path, "x")).toThrow(expect.objectContaining({ code: "bad_request" }));
  });
});

describe("a value taken out", () => {
  it("is gone, an item of a list with its place", () => {
    expect(withoutValueAt(data, "order.total")).toEqual({ ...data, order: { name: "1001", tags: ["vip"] } });
    expect(withoutValueAt(data, "order.tags.0")).toMatchObject({ order: { tags: [] } });
    expect(() => withoutValueAt(data, "order.nothing")).toThrow("there is nothing at order.nothing");
  });
});

describe("the changes between two", () => {
  it("are told by path, with what stood there and what stands there now", () => {
    const after = { order: { name: "1002", total: { minor: 4200 }, tags: ["vip", "late"] }, extra: { a: 1 } };
    expect(changesOf(data, after)).toEqual([
      { path: "order.name", from: "1001", to: "1002" },
      { path: "order.tags.1", to: "late" },
      { path: "note", from: null },
      { path: "extra", to: { a: 1 } },
    ]);
    expect(changesOf(data, structuredClone(data))).toEqual([]);
  });
});
