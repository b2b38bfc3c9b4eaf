import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/parse.ts";
import { formatProblem } from "../../src/flows/located.ts";
import { fixtureRegistry, fixtureSecrets } from "./fixture-registry.ts";

const folder = join(import.meta.dirname, "fixtures/config-errors");
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => name.slice(0, -".yaml".length));

describe("every configuration in config-errors/ is refused in the words of the file beside it", () => {
  test("there are many of them", () => {
    expect(names.length).toBeGreaterThan(30);
  });

  // A file may hold several, divided by a line `### file: name`; without such a line it is one file.
  test.each(names)("%s", async (name) => {
    const text = readFileSync(join(folder, `${name}.yaml`), "utf8");
    const parts = text.split(/^### file: (\S+)\n/m);
    const texts =
      parts.length === 1
        ? [{ file: `${name}.yaml`, text }]
        : parts
            .slice(1)
            .flatMap((part, index, all) =>
              index % 2 === 0 ? [{ file: part, text: all[index + 1] ?? "" }] : [],
            );
    const result = await parseConfig(texts, fixtureRegistry, fixtureSecrets);
    const said = result.ok
      ? "(no problem found)\n"
      : result.problems.map((problem) => `${formatProblem(problem)}\n`).join("");
    await expect(said).toMatchFileSnapshot(join(folder, `${name}.txt`));
    expect(result.ok).toBe(false);
    const values = Object.values(fixtureSecrets.env).filter((value) => value.length > 3);
    expect(values.filter((value) => said.includes(value))).toEqual([]);
  });
});
