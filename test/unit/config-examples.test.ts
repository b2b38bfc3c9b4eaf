import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { configJsonSchema, formatJsonSchema } from "../../src/config/json-schema.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { formatProblem } from "../../src/flows/located.ts";
import { openRegistry } from "../../src/registry/registry.ts";

const root = join(import.meta.dirname, "../..");
const registry = openRegistry({ connectorsDir: join(root, "connectors") });
const files = [
  "config/deskbridge.yaml",
  ...readdirSync(join(root, "config/examples")).map((name) => `config/examples/${name}`),
];

// Compiled once: it is large.
const validate = new Ajv({ strict: false, validateFormats: false }).compile(await configJsonSchema(registry));

/** Any variable has a value, and so has any secret file. */
const secrets = {
  env: new Proxy<Record<string, string>>(
    {},
    {
      get: (_all, name) =>
        String(name).endsWith("_DATABASE_URL")
          ? "postgres://export:password@127.0.0.1/warehouse"
          : String(name).endsWith("_URL")
            ? "https://crm.acme.example"
            : "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      getOwnPropertyDescriptor: () => ({ configurable: true, enumerable: true }),
    },
  ),
  readFile: () => "a-secret-of-the-test",
};

describe("the files in config/", () => {
  test("are several", () => {
    expect(files.length).toBeGreaterThan(5);
    expect(files.every((file) => /\/[a-z-]+\.yaml$/.test(file))).toBe(true);
  });

  test.each(files)("%s loads without a problem", async (file) => {
    const text = readFileSync(join(root, file), "utf8");
    const result = await parseConfig([{ file, text }], registry, secrets);
    expect(result.ok ? [] : result.problems.map(formatProblem)).toEqual([]);
  });

  test.each(files)("%s tells editors where the schema is, and follows it", (file) => {
    const text = readFileSync(join(root, file), "utf8");
    const schemaPath = relative(join(root, file, ".."), join(root, "config/schema.json"));
    expect(text.split("\n")[0]).toBe(
      `# yaml-language-server: $schema=${schemaPath.startsWith(".") ? "" : "./"}${schemaPath}`,
    );
    // YAML would take the braces of an unquoted reference for its own.
    const document: unknown = parse(
      text.replace(/(?<=[:-] )\$\{[^{}"'\n]*\}/g, (reference) => `"${reference}"`),
    );
    validate(document);
    expect(validate.errors ?? []).toEqual([]);
  });
});

describe("config/schema.json", () => {
  test("is what the connectors and the engine say now (`npm run -s deskbridge -- schema --write` writes it anew)", async () => {
    const text = formatJsonSchema(await configJsonSchema(registry));
    await expect(text).toMatchFileSnapshot("../../config/schema.json");
  });

  test.each([
    ["a misspelt section", { connection: {} }],
    ["a connection without a connector", { connections: { desk: {} } }],
    ["a key that its connector lacks", { connections: { desk: { use: "deskbridge", adress: "x" } } }],
    [
      "an event type that is not there",
      {
        flows: {
          a: { on: { connection: "x", events: ["order.exploded"] }, do: [{ "ticket.close": { key: "k" } }] },
        },
      },
    ],
    [
      "an operation that is not there",
      { flows: { a: { on: { connection: "x", events: ["order.created"] }, do: [{ "ticket.opne": {} }] } } },
    ],
    [
      "a wrong choice in an operation",
      {
        flows: {
          a: {
            on: { connection: "x", events: ["order.created"] },
            do: [{ "ticket.update": { key: "k", priority: "hihg" } }],
          },
        },
      },
    ],
    ["a duration without a unit", { server: { retention: "30" } }],
  ])("refuses %s", (_what, document) => {
    expect(validate(document)).toBe(false);
  });

  test.each([
    [
      "references where numbers and choices stand",
      { server: { port: "${PORT}", logLevel: "${LEVEL:-info}" } },
    ],
    [
      "holes anywhere in an operation",
      {
        flows: {
          a: {
            on: { connection: "x", events: ["order.created"] },
            at: "d",
            do: [
              { "ticket.update": { key: "{{ a }}", priority: "{{ a }}", customFields: { n: "{{ a }}" } } },
            ],
          },
        },
      },
    ],
    ["connectors of installed packages", { connections: { a: { use: "acme-desk", anything: 1 } } }],
  ])("accepts %s", (_what, document) => {
    validate(document);
    expect(validate.errors ?? []).toEqual([]);
  });
});
