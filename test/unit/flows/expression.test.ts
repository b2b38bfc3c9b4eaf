import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkExpression, compileExpression } from "../../../src/sdk/expression.ts";
import { createExpressionEnvironment } from "../../../src/sdk/expression-environment.ts";
import type { ExpressionType } from "../../../src/sdk/expression-type.ts";
import { compileTemplate } from "../../../src/sdk/expression-template.ts";
import { checkText } from "../../../src/sdk/expression-text.ts";

const total: ExpressionType = {
  kind: "record",
  name: "order.total",
  fields: { minor: "int", currency: "string" },
};
const item: ExpressionType = { kind: "record", name: "item", fields: { title: "string", quantity: "int" } };
const order: ExpressionType = {
  kind: "record",
  name: "order",
  fields: {
    id: "string",
    name: "string",
    total,
    score: "double",
    tags: { kind: "list", of: "string" },
    items: { kind: "list", of: item },
    values: { kind: "map", of: "dyn" },
    customer: { kind: "record", name: "order.customer", fields: { email: "string" } },
  },
};
const environment = createExpressionEnvironment({ order, body: "dyn" });
const bindings = environment.bind({
  order: {
    id: "9007199254740993",
    name: "#1001",
    total: { minor: 123456, currency: "USD" },
    score: 4,
    tags: ["vip"],
    items: [
      { title: "Cap", quantity: 2 },
      { title: "Mug", quantity: 1 },
    ],
    values: { a: 1, b: "x" },
  },
  body: { n: 5, f: 5.5, s: "x", list: [1, 2], nothing: null, long: 12345678901, empty: "" },
});

const value = (text: string) => compileExpression(text, environment).evaluate(bindings);
const problem = (text: string) => {
  const result = checkExpression(text, environment);
  return result.ok ? undefined : `${result.problem.offset}: ${result.problem.message}`;
};

describe("numbers", () => {
  test.each([
    ["order.total.minor >= 2000", true],
    ["order.total.minor > 500.5", true],
    ["order.total.minor == 123456.0", true],
    ["order.total.minor / 100.0", 1234.56],
    ["order.total.minor / 100", 1234],
    ["order.total.minor * 2", 246912],
    ["order.score == 4", true],
    ["order.score != 4", false],
    ["order.score + 1", 5],
    ["1 == 1.5", false],
    ["body.n + 1", 6],
    ["body.n == 5", true],
    ["body.n / 2", 2.5],
    ["body.n % 2 == 1", true],
    ["-body.n", -5],
    ["5 in [4.0, body.n]", true],
    ["body.long", 12345678901],
    ["string(body.long)", "12345678901"],
    ["9007199254740993", "9007199254740993"],
    ["order.id", "9007199254740993"],
  ])("%s is %j", (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  test("a safe integer comes through a template unchanged", () => {
    const template = compileTemplate({ whole: "{{ order.total.minor }}", any: "{{ body.n }}" }, environment);
    fc.assert(
      fc.property(fc.maxSafeInteger(), (minor) => {
        const bound = environment.bind({ order: { total: { minor } }, body: { n: minor } });
        expect(template.evaluate(bound)).toEqual({ whole: minor, any: minor });
      }),
    );
  });
});

describe("values", () => {
  test.each([
    ["order.items.map(i, i.title)", ["Cap", "Mug"]],
    ["order.items.filter(i, i.quantity > 1).map(i, i.title).join(', ')", "Cap"],
    [
      "order.items",
      [
        { title: "Cap", quantity: 2 },
        { title: "Mug", quantity: 1 },
      ],
    ],
    ["order.total", { minor: 123456, currency: "USD" }],
    ["'vip' in order.tags", true],
    ["order.values.a == 1", true],
    ["body.list[1]", 2],
    ["body.nothing == null", true],
    ["[1, 'a', body.n]", [1, "a", 5]],
    ["{'a': 1, 'b': body.f}", { a: 1, b: 5.5 }],
    ["timestamp('2026-11-22T10:00:00Z')", "2026-11-22T10:00:00.000Z"],
    ["true || body.x.y", true],
  ])("%s is %j", (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  test("a CEL map never sets an object's prototype", () => {
    const result = value("{'__proto__': {'polluted': true}}");
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect((result as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe("absent values", () => {
  test.each([
    ["has(order.customer)", false],
    ["has(order.customer.email)", false],
    ["has(order.name)", true],
    ["has(body.a.b.c)", false],
    ["order.items.all(i, has(i.title))", true],
    ["orDefault(order.customer.email, 'none')", "none"],
    ["orDefault(order.name, 'none')", "#1001"],
    ["orDefault(body.empty, 'none')", "none"],
    ["orDefault(order.items[9].title, 'none')", "none"],
    ["orDefault(lower(order.customer.email), 'none')", "none"],
    ["maybe(order.customer.email)", null],
    ["maybe(order.name)", "#1001"],
  ])("%s is %j", (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  test("reading an absent field fails with a message that names the field and no value", () => {
    expect(() => value("order.customer.email")).toThrow(
      expect.objectContaining({
        code: "mapping_failed",
        message: "`order.customer.email` failed: the event has no `order.customer`.",
        details: { expression: "order.customer.email", reason: "the event has no `order.customer`" },
      }),
    );
  });
});

describe("functions", () => {
  test.each([
    ["lower('ABC') + upper('x') + trim('  y ')", "abcXy"],
    ["truncate('abcdefgh', 4)", "abc…"],
    ["truncate('abc', 4)", "abc"],
    ["truncate('👍👍👍', 2)", "👍…"],
    ["money(order.total)", "USD 1234.56"],
    ["money({'minor': 5, 'currency': 'USD'})", "USD 0.05"],
    ["money({'minor': -5, 'currency': 'USD'})", "USD -0.05"],
    ["money({'minor': 1200, 'currency': 'JPY'})", "JPY 1200"],
    ["money({'minor': 1234, 'currency': 'KWD'})", "KWD 1.234"],
    ["formatTime('2026-11-22T10:00:00Z', 'America/New_York')", "2026-11-22 05:00"],
    ["formatTime(timestamp('2026-11-22T00:00:00Z'), 'UTC')", "2026-11-22 00:00"],
  ])("%s is %j", (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  test.each([
    ["money(body)", "money() needs an amount with `minor` (a whole number) and `currency`"],
    ["formatTime('2026-11-22T10:00:00Z', 'Mars/Olympus')", "an IANA time zone"],
    ["formatTime(body.s, 'UTC')", "a time is not in RFC 3339 form"],
    ["bool(body.s)", "it failed (bool conversion error)"],
    ["'a'.matches(body.s + '(')", "the regular expression is not valid"],
    ["b'abc'", "no form in JSON"],
    ["body[body.s]", "the event has no value under that key"],
    ["body.list[7]", "the list has no item at that index"],
    ["1 / 0", "a number is divided by zero"],
    ["body.s && true", "a condition is neither true nor false"],
  ])("%s fails with words of ours", (text, reason) => {
    expect(() => value(text)).toThrow(
      expect.objectContaining({ code: "mapping_failed", message: expect.stringContaining(reason) as string }),
    );
  });
});

describe("what the type check refuses", () => {
  test.each([
    [
      "order.totl",
      "6: `order` has no `totl`; it has id, name, total, score, tags, items, values, customer. Did you mean `total`?",
    ],
    [
      "order['totl']",
      "6: `order` has no `totl`; it has id, name, total, score, tags, items, values, customer. Did you mean `total`?",
    ],
    [
      "order.items.exists(i, i.quantiy > 1)",
      "24: `item` has no `quantiy`; it has title, quantity. Did you mean `quantity`?",
    ],
    ["has(order.customer.emial)", "19: `order.customer` has no `emial`; it has email. Did you mean `email`?"],
    [
      "order.items.all(i, has(i.tittle))",
      "25: `item` has no `tittle`; it has title, quantity. Did you mean `title`?",
    ],
    ["ordr.id", "0: there is no `ordr` here; expected `order` or `body`. Did you mean `order`?"],
    ["lowr('x')", "0: there is no function `lowr`. Did you mean `lower`?"],
    ["1 + 'a'", "0: these types don't go together: int + string"],
    ["order.total >= 5", "0: these types don't go together: order.total >= int"],
    ["order.name ==", "13: Unexpected token: the end of the expression"],
    ["true ? 'a' : 1", "0: Ternary branches must have the same type, got 'string' and 'int'"],
    ["orDefault(order.name, 3)", "22: orDefault() needs a fallback of the same type, got string and int"],
    ["'a' + maybe(order.name)", "6: maybe() stands alone; inside an expression use orDefault()"],
    ["  ", "0: the expression is empty"],
    ["a".repeat(5000), "0: the expression is longer than 4096 characters"],
  ])("%s", (text, expected) => {
    expect(problem(text)).toBe(expected);
  });

  test("an expression too deep or too large is refused", () => {
    expect(problem(`${"(".repeat(500)}1${")".repeat(500)}`)).toContain("too large");
    expect(problem(Array.from({ length: 2000 }, () => "1").join("+"))).toContain("too large");
  });
});

describe("texts with holes", () => {
  const text = (source: string) => {
    const result = checkText(source, environment);
    return result.ok ? result.template.evaluate(bindings) : result.problems;
  };

  test.each([
    [
      "Order {{ order.name }}: {{1+1}} of {{ body.n }}, {{ body.f }}, {{ true }}",
      "Order #1001: 2 of 5, 5.5, true",
    ],
    ["{{ order.total.minor }}", 123456],
    ["{{ order.tags }}", ["vip"]],
    ['{{ "}}" }}', "}}"],
    ['{{ "{{" }} and {{ r"\\d" }}', "{{ and \\d"],
    ["{{ {'a': {'b': 1}} }}", { a: { b: 1 } }],
    ["plain } text {", "plain } text {"],
    ["", ""],
  ])("%s gives %j", (source, expected) => {
    expect(text(source)).toEqual(expected);
  });

  test.each([
    ["Order {{ order.name", "`{{` is not closed; expected `}}`", 6],
    [
      "x {{ order.tags }}",
      "this gives list<string>, which has no place in a text; expected text, a number or a boolean",
      5,
    ],
    [
      "x {{ maybe(order.name) }}",
      "maybe() leaves a value out and so stands alone; inside a text use orDefault()",
      5,
    ],
    [
      "x {{ order.nme }}",
      "`order` has no `nme`; it has id, name, total, score, tags, items, values, customer. Did you mean `name`?",
      11,
    ],
  ])("%s is refused where it is wrong", (source, message, offset) => {
    expect(text(source)).toEqual([{ message, offset }]);
  });

  test("any text without holes comes out as it went in", () => {
    fc.assert(
      fc.property(
        fc.string().filter((source) => !source.includes("{{")),
        (source) => {
          expect(text(source)).toBe(source);
        },
      ),
    );
  });

  test("any text comes back from a hole that quotes it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (quoted, before) => {
        const prefix = before.replaceAll("{", "");
        const source = `${prefix}{{ body.s }}`;
        const result = checkText(source, environment);
        expect(result.ok && result.template.evaluate(environment.bind({ body: { s: quoted } }))).toBe(
          prefix === "" ? quoted : prefix + quoted,
        );
      }),
    );
  });
});

describe("templates", () => {
  test("a hole that gives null leaves its entry or item out, and a null that is written stays", () => {
    const template = compileTemplate(
      { a: "{{ maybe(order.customer.email) }}", b: null, c: ["x", "{{ body.nothing }}"], d: { e: 1 } },
      environment,
    );
    expect(template.evaluate(bindings)).toEqual({ b: null, c: ["x"], d: { e: 1 } });
  });

  test("every bad hole is named at once", () => {
    expect(() => compileTemplate({ a: "{{ ordr }}", b: ["{{ 1 + }}"] }, environment)).toThrow(
      /a — there is no `ordr` here.*b\.0 — Unexpected token/,
    );
  });

  test("a `__proto__` key is refused", () => {
    expect(() => compileTemplate(JSON.parse('{"__proto__": {"x": 1}}'), environment)).toThrow("__proto__");
  });
});
