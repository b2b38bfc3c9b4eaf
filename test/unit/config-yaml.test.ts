import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { parseYaml } from "../../src/config/yaml.ts";
import { plainOf, valueOf } from "../../src/flows/located.ts";
import type { LocatedText } from "../../src/flows/located.ts";

/** The character of the source at which a character of the text is said to stand. */
function characterAt(source: string, text: LocatedText, offset: number): string | undefined {
  const { line, column } = text.at(offset);
  return source.split("\n")[line - 1]?.[column - 1];
}

function textOf(source: string): LocatedText {
  const { root, problems } = parseYaml("a.yaml", source);
  expect(problems).toEqual([]);
  const node = valueOf(root, "key");
  if (node?.kind !== "text") throw new Error("the value is no text");
  return node;
}

describe("places inside a text", () => {
  test.each([
    ["plain", "key: one X two\n"],
    ["single quotes", "key: 'it''s X'\n"],
    ["double quotes", 'key: "caf\\u00e9 \\"a\\tb\\" X"\n'],
    ["continued lines", 'key: "one \\\n   two X"\n'],
    ["folded plain", "key: one\n  two\n  three X\n"],
    ["literal block", "key: |\n    first\n      second X\n    third\n"],
    ["folded block", "key: >-\n  first\n  second\n\n  X third\n"],
  ])("are right in %s", (_writing, source) => {
    const text = textOf(source);
    const offset = text.text.indexOf("X");
    expect(characterAt(source, text, offset)).toBe("X");
  });

  test("are right for every letter of any text, however it is written", () => {
    const letters = fc.string({
      unit: fc.constantFrom("a", "b", "c", "'", '"', " ", "\n", "é", ":", "#", "\\"),
    });
    const writing = fc.constantFrom(
      "PLAIN",
      "QUOTE_SINGLE",
      "QUOTE_DOUBLE",
      "BLOCK_LITERAL",
      "BLOCK_FOLDED",
    ) as fc.Arbitrary<"PLAIN">;
    fc.assert(
      fc.property(letters, writing, (value, defaultStringType) => {
        const source = stringify({ key: `x${value}X` }, { defaultStringType, lineWidth: 20 });
        const text = textOf(source);
        expect(text.text).toBe(`x${value}X`);
        const letterOffsets = [...text.text.matchAll(/[abcX]/g)].map((match) => match.index);
        const found = letterOffsets.map((offset) => characterAt(source, text, offset));
        expect(found).toEqual(letterOffsets.map((offset) => text.text[offset]));
      }),
    );
  });
});

describe("what YAML may hold", () => {
  test("references need no quotes in a mapping on one line", () => {
    const source = "shop: { secret: ${NAME:-a}, other: '${B}', port: 1 }\nkey: |\n  ${C} and {{ d }}\n";
    const { root, problems } = parseYaml("a.yaml", source);
    expect(problems).toEqual([]);
    expect(plainOf(root)).toEqual({
      shop: { secret: "${NAME:-a}", other: "${B}", port: 1 },
      key: "${C} and {{ d }}\n",
    });
    const text = valueOf(root, "key") as LocatedText;
    expect(characterAt(source, text, text.text.indexOf("and"))).toBe("a");
  });

  test("an alias stands for its anchor", () => {
    const { root, problems } = parseYaml("a.yaml", "one: &x text\nkey: *x\n");
    expect(problems).toEqual([]);
    expect(valueOf(root, "key")).toMatchObject({ kind: "text", text: "text" });
  });

  test("an alias within its own anchor is refused, not followed for ever", () => {
    const { problems } = parseYaml("a.yaml", "key: &x { inner: *x }\n");
    expect(problems.map((problem) => problem.message)).toContain("this is nested deeper than 50 levels");
  });

  test("an empty file is an empty configuration", () => {
    expect(parseYaml("a.yaml", "# nothing yet\n")).toMatchObject({
      root: { entries: [] },
      problems: [],
      broken: false,
    });
  });

  test("any text is parsed or refused, never thrown at", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."a:-[]{}&*!|>'\"#%@`, \n\t?".split("")) }),
        (source) => {
          const { problems, broken } = parseYaml("a.yaml", source);
          expect(broken && problems.length === 0).toBe(false);
        },
      ),
    );
  });
});
