import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const scenes = { "mobile-app": 2, "back-office": 1, survey: 1, dashboard: 1, crm: 2 };

/** Whatever the indentation: a guide shows a part of a function. */
const unindented = (text: string): string => text.trim().replaceAll(/^ +/gm, "");

describe.each(Object.entries(scenes))("the guide %s", (name, quotes) => {
  const page = join(root, "docs/guides", `${name}.md`);
  const text = readFileSync(page, "utf8");

  it("quotes its example as it is", () => {
    const blocks = [...text.matchAll(/<!-- from (\S+) -->\n+```\w+\n([\s\S]*?)```/g)];
    expect(blocks).toHaveLength(quotes);
    for (const [, path = "", code = ""] of blocks) {
      const file = unindented(readFileSync(join(root, path), "utf8"));
      expect(file, `${path} holds what the guide shows`).toContain(unindented(code));
    }
  });

  it("links to and names what is there, its example and its end-to-end test among them", () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link = ""]) =>
      join(dirname(page), link),
    );
    const named = [...text.matchAll(/\b((?:examples|config|test)\/[\w./-]+\.(?:ts|yaml))/g)].map(
      ([, path = ""]) => join(root, path),
    );
    expect([...links, ...named].filter((path) => !existsSync(path))).toEqual([]);
    expect(links).toContain(join(root, "examples", name));
    expect(named.some((path) => path.includes("/test/e2e/scenes"))).toBe(true);
  });

  it("sets every variable that its programs need, or says how", () => {
    const needed = readdirSync(join(root, "examples", name))
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => [
        ...readFileSync(join(root, "examples", name, file), "utf8").matchAll(/required\("(\w+)"\)/g),
      ])
      .map(([, variable]) => variable);
    expect(needed.filter((variable) => !text.includes(`${variable}=`))).toEqual([]);
  });
});
