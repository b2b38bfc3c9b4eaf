import { readdirSync } from "node:fs";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { describe, expect, it } from "vitest";
import { errorCatalogue } from "../../src/errors.ts";
import { componentNames } from "../../src/desk/openapi-component.ts";
import type { OpenApiDocument } from "../../src/desk/openapi.ts";
import { routes } from "../../src/desk/plugin.ts";
import { describeApi } from "../../src/desk/route-openapi.ts";

const document = describeApi(routes);
const text = `${JSON.stringify(document, null, 2)}\n`;

/**
 * Rules of the linter that the document goes against, each with its reason. Two addresses that could stand for the same path, such as
 * `/v1/tickets/by-ref/{source}/{externalId}` and `/v1/tickets/{id}/orders/{orderId}`, do not collide: `by-ref` is no id, and a concrete word goes
 * before a parameter, in OpenAPI as in our router.
 */
const explained = { "no-ambiguous-paths": "off" } as const;

function operations({ paths }: OpenApiDocument): readonly Readonly<Record<string, unknown>>[] {
  return Object.values(paths).flatMap((path) => Object.values(path));
}

describe("the OpenAPI document", () => {
  it("passes a strict linter without an error or a warning", async () => {
    const config = await createConfig({ extends: ["recommended-strict"], rules: explained });
    const problems = await lintFromString({ source: text, absoluteRef: "/openapi.json", config });
    expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual(
      [],
    );
    expect(text.length).toBeGreaterThan(50_000);
  }, 60_000);

  it("is linted by rules that find what is wrong", async () => {
    const config = await createConfig({ extends: ["recommended-strict"], rules: explained });
    const broken = text.replaceAll("#/components/responses/NotFound", "#/components/responses/Nothing");
    const problems = await lintFromString({ source: broken, absoluteRef: "/openapi.json", config });
    expect(problems.map(({ ruleId }) => ruleId)).toContain("no-unresolved-refs");
  }, 60_000);

  it("is the one that docs/reference/openapi.json holds", async () => {
    await expect(text).toMatchFileSnapshot("../../docs/reference/openapi.json");
  });

  it("has an operation for every route, with a name of its own", () => {
    const names = operations(document).map(({ operationId }) => operationId);
    expect(names).toHaveLength(routes.length + 1);
    expect(new Set(names).size).toBe(names.length);
    for (const { path, method } of routes) expect(document.paths[path]).toHaveProperty(method.toLowerCase());
  });

  it("says which scope each operation takes", () => {
    const wanted = routes.filter(({ scope }) => scope !== null);
    expect(wanted.length).toBeGreaterThan(30);
    for (const { path, method, scope } of wanted) {
      const operation = document.paths[path]?.[method.toLowerCase()];
      expect(operation?.security).toEqual([{ apiKey: [scope] }]);
    }
  });

  it("describes every group of operations, and every problem by a code of the catalogue", () => {
    for (const { description } of document.tags) expect(description).not.toContain("Routes under");
    const codes = [...text.matchAll(/urn:deskbridge:error:(\w+)"/g)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(10);
    for (const code of codes) expect(errorCatalogue).toHaveProperty(code!);
  });

  it("names the shapes of every module of schemas", async () => {
    const named = new Set(componentNames().keys());
    const directory = new URL("../../src/desk/", import.meta.url);
    const modules = readdirSync(directory).filter((file) => file.startsWith("schema-"));
    expect(modules.length).toBeGreaterThan(5);
    for (const file of modules) {
      const module = (await import(new URL(file, directory).href)) as Readonly<Record<string, unknown>>;
      const shapes = Object.entries(module).filter(([name, value]) => isNamed(name, value));
      const nameless = shapes.filter(([, shape]) => !named.has(shape as never));
      expect(nameless.map(([name]) => `${file}: ${name}`)).toEqual([]);
    }
  });
});

function isNamed(name: string, value: unknown): boolean {
  if (name.endsWith("Query") || typeof value !== "object" || value === null) return false;
  return value.constructor.name === "ZodObject";
}
