import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createSecretResolver } from "../../src/config/secret.ts";
import { plainOf } from "../../src/flows/located.ts";
import type { ConfigProblem, LocatedText } from "../../src/flows/located.ts";

const env = { NAME: "value", BRACES: "a{{b", PORT: "9000", ON: "true", EMPTY: "", SPACES: " " };
const files: Readonly<Record<string, string>> = {
  "/run/secrets/x": "from file\n",
  "/run/secrets/empty": "\n",
};

function text(value: string): LocatedText {
  const at = (offset: number) => ({ file: "a.yaml", line: 1, column: offset + 1 });
  return { kind: "text", text: value, shown: value, position: at(0), path: "key", at };
}

function resolve(value: string, schema: z.ZodType = z.string(), escapeHoles = false) {
  const problems: ConfigProblem[] = [];
  const resolver = createSecretResolver({ env, readFile: (path) => files[path] }, problems);
  const node = resolver.resolve(text(value), [schema], escapeHoles);
  return { node, value: plainOf(node), secrets: resolver.secrets(), problems };
}

describe("references", () => {
  test.each([
    ["${NAME}", "value", ["value"]],
    ["a ${NAME} b ${NAME}", "a value b value", ["value"]],
    ["${NOPE:-default}", "default", []],
    ["${NOPE:-}", "", []],
    ["${EMPTY:-default}", "default", []],
    ["${NAME:-default}", "value", ["value"]],
    ["${file:/run/secrets/x}", "from file", ["from file"]],
    ["$${NAME}", "${NAME}", []],
    ["costs $5", "costs $5", []],
    ["{{ '${NAME}' }} ${NAME}", "{{ '${NAME}' }} value", ["value"]],
    ["{{ ${NAME}", "{{ value", ["value"]],
    ["${BRACES}", "a{{b", ["a{{b"]],
  ])("%s becomes %j", (written, expected, secrets) => {
    expect(resolve(written)).toMatchObject({ value: expected, secrets, problems: [] });
  });

  test("a secret with braces stays text where holes are looked for", () => {
    expect(resolve("x ${BRACES}", z.string(), true).value).toBe('x a{{ "{{" }}b');
  });

  test.each([
    ["a ${NOPE}", 3, "the environment variable NOPE is not set"],
    ["${EMPTY}", 1, "the environment variable EMPTY is not set"],
    ["${file:/run/secrets/none}", 1, "the secret file /run/secrets/none is empty or can't be read"],
    ["${file:/run/secrets/empty}", 1, "the secret file /run/secrets/empty is empty or can't be read"],
    ["${constructor}", 1, "the environment variable constructor is not set"],
  ])("%s is a problem at its column", (written, column, message) => {
    expect(resolve(written).problems).toMatchObject([{ position: { column }, message }]);
  });

  test.each(["${NAME", "${1A}", "${A B}", "${}", "${file:}", "${file:relative}"])(
    "%s is malformed",
    (written) => {
      expect(resolve(written).problems).toMatchObject([
        { message: expect.stringContaining("starts a reference") as string },
      ]);
    },
  );
});

describe("a value that is one reference", () => {
  test.each([
    ["${PORT}", z.int(), 9000],
    ["${PORT}", z.string(), "9000"],
    ["${PORT}", z.union([z.string(), z.int()]), "9000"],
    ["${ON}", z.boolean().optional(), true],
    ["${NAME}", z.int(), "value"],
    ["${SPACES}", z.int(), " "],
    ["1${PORT}", z.int(), "19000"],
  ])("%s takes the type that is wanted", (written, schema, expected) => {
    expect(resolve(written, schema).value).toBe(expected);
  });
});

test("places after a reference are those of the text as it is written", () => {
  const { node } = resolve("${NAME} then X and $${Y} Z");
  const resolved = node as LocatedText;
  expect(resolved.text).toBe("value then X and ${Y} Z");
  expect(resolved.at(resolved.text.indexOf("X")).column).toBe(14);
  expect(resolved.at(resolved.text.indexOf("Z")).column).toBe(26);
  expect(resolved.shown).toBe("${NAME} then X and $${Y} Z");
});
