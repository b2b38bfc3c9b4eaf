import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/parse.ts";
import { formatProblem } from "../../src/flows/located.ts";
import { openRegistry } from "../../src/registry/registry.ts";
import { codeBlocks } from "../support/code-blocks.ts";

const root = join(import.meta.dirname, "../..");
const registry = openRegistry({ connectorsDir: join(root, "connectors") });
const pages = ["README.md", "docs/guides/quick-start.md", "docs/guides/dead-letters.md"];
const env = {
  SHOPIFY_CLIENT_SECRET: "a-client-secret",
  SHOPIFY_ACCESS_TOKEN: "a-token",
  CARRIER_SECRET: "a-secret",
};

describe.each(pages)("%s", (page) => {
  const text = readFileSync(join(root, page), "utf8");

  it("shows a configuration that loads without a problem", async () => {
    const examples = codeBlocks(text, "yaml");
    expect(examples).toHaveLength(1);
    for (const example of examples) {
      const result = await parseConfig([{ file: page, text: example }], registry, {
        env,
        readFile: () => undefined,
      });
      expect(result.ok ? [] : result.problems.map(formatProblem)).toEqual([]);
    }
  });

  it("links only to what is there", () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? "");
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([]);
  });
});

describe("the connector table of README.md", () => {
  it("has a row for every connector, in the words of the connector itself", async () => {
    const text = readFileSync(join(root, "README.md"), "utf8");
    const rows = [...text.matchAll(/^\| \[`([a-z-]+)`\]\([^)]+\) \| (.+) \|$/gm)].map(([, name, words]) => [
      name,
      words,
    ]);
    const connectors = await Promise.all(
      (await registry.names()).map(async (name) => [name, (await registry.get(name)).description]),
    );
    expect(rows).toEqual(connectors);
  });
});
