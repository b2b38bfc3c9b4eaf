import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRegistry } from "../../src/registry/registry.ts";

const zod = pathToFileURL(join(import.meta.dirname, "../../node_modules/zod/index.js")).href;
const definition = (name: string, extra = ""): string => `
import { z } from ${JSON.stringify(zod)};
export default { name: ${JSON.stringify(name)}, description: "made up", config: z.strictObject({}), open: () => ({}), ${extra} };
`;

let root: string;

function put(path: string, text: string): void {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "deskbridge-registry-"));
  put("connectors/good/index.js", definition("good"));
  put("connectors/_draft/index.js", definition("made-up"));
  put("connectors/notes/readme.md", "no connector");
  put("connectors/misnamed/index.js", definition("other"));
  put("connectors/broken/index.js", "export default {;");
  put("connectors/throws/index.js", "throw new Error('it fell over');");
  put("connectors/shapeless/index.js", "export default { name: 'shapeless', config: {} };");
  put("connectors/nothing/index.js", "export const config = 1;");
  const manifest = (name: string) => JSON.stringify({ name, type: "module", exports: "./main.js" });
  for (const name of ["deskbridge-connector-parcel", "acme-desk"]) {
    put(`node_modules/${name}/package.json`, manifest(name));
    put(`node_modules/${name}/main.js`, definition(name.replace("deskbridge-connector-", "")));
  }
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

const open = () => openRegistry({ connectorsDir: join(root, "connectors") });

describe("a connector", () => {
  test.each([
    ["good", "good"],
    ["_draft", "made-up"],
    ["parcel", "parcel"],
    ["deskbridge-connector-parcel", "parcel"],
    ["acme-desk", "acme-desk"],
  ])("is found as %s", async (use, name) => {
    expect(await open().get(use)).toMatchObject({ name });
  });

  test("is imported once", async () => {
    const registry = open();
    expect(await registry.get("good")).toBe(await registry.get("good"));
  });

  test("is listed unless its folder begins with an underscore or holds none", async () => {
    expect(await open().names()).toEqual([
      "broken",
      "good",
      "misnamed",
      "nothing",
      "parcel",
      "shapeless",
      "throws",
    ]);
  });

  test("that is misspelt is refused with the nearest name", async () => {
    await expect(open().get("parcle")).rejects.toThrow(
      expect.objectContaining({
        code: "connector_unknown",
        message: expect.stringContaining("Did you mean `parcel`?") as string,
      }),
    );
  });

  test.each(["../connectors/good", "/etc", "good/../good", "fs", "node:fs", "", "a b", "__proto__"])(
    "is not looked for under %j",
    async (name) => {
      await expect(open().get(name)).rejects.toThrow(expect.objectContaining({ code: "connector_unknown" }));
    },
  );

  test.each([
    ["misnamed", "it calls itself `other`"],
    ["broken", "can't be imported"],
    ["throws", "it fell over"],
    ["shapeless", "description: "],
    ["nothing", "default export"],
  ])("%s is refused with what is wrong", async (name, reason) => {
    await expect(open().get(name)).rejects.toThrow(
      expect.objectContaining({
        code: "connector_invalid",
        message: expect.stringContaining(reason) as string,
      }),
    );
  });

  test("that was missing is looked up again the next time", async () => {
    const registry = open();
    await expect(registry.get("late")).rejects.toThrow("no connector");
    put("connectors/late/index.js", definition("late"));
    expect(await registry.get("late")).toMatchObject({ name: "late" });
  });

  test("folder that is missing leaves no names", async () => {
    expect(await openRegistry({ connectorsDir: join(root, "none/connectors") }).names()).toEqual([]);
  });
});
