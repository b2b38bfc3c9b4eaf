import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { edgesOf, importFaults } from "../support/import-rules.ts";
import { listFiles, parseModule, readModules } from "../support/modules.ts";

const root = posix.resolve(import.meta.dirname, "../..");
const modules = readModules(root, ["src", "connectors"]);

describe("imports of the project", () => {
  it("go down only, and every confined package stays in its place", () => {
    expect(modules.flatMap(importFaults)).toEqual([]);
  });

  it("are seen at all: edges between rooms and from connectors to the SDK", () => {
    const edges = modules.flatMap((module) =>
      edgesOf(module).map((target) => [module.path, target] as const),
    );
    const rooms = new Set(modules.map((module) => module.path.split("/")[1]));
    expect(rooms.size).toBeGreaterThan(5);
    expect(edges.length).toBeGreaterThan(modules.length / 2);
    expect(edges.some(([from, to]) => from.startsWith("src/ledger/") && to.startsWith("src/model/"))).toBe(
      true,
    );
  });
});

describe("the import rules", () => {
  const faultsOf = (path: string, text: string) => importFaults(parseModule(path, text));

  it.each([
    ["an upward import", "src/model/a.ts", 'import { x } from "../ledger/ledger.ts";'],
    ["an upward type import", "src/ledger/a.ts", 'import type { X } from "../jobs/x.ts";'],
    ["an upward type expression", "src/ledger/a.ts", 'type X = import("../jobs/x.ts").X;'],
    ["an upward dynamic import", "src/queue/a.ts", 'export const x = () => import("../app.ts");'],
    ["an upward re-export", "src/sdk/a.ts", 'export * from "../config/config.ts";'],
    ["a sideways import that the table lacks", "src/queue/a.ts", 'import { x } from "../ledger/ledger.ts";'],
    ["a room that the table lacks", "src/utils/a.ts", 'import { x } from "../errors.ts";'],
    ["a connector imported by src", "src/cli/a.ts", 'import x from "../../connectors/acme/index.ts";'],
    ["the demo imported by src", "src/cli/a.ts", 'import x from "../../demo/main.ts";'],
    ["a test imported by src", "src/cli/a.ts", 'import x from "../../test/support/x.ts";'],
    ["a queue package outside the queue", "src/jobs/a.ts", 'import { Queue } from "bullmq";'],
    ["a database package outside the ledger", "src/jobs/a.ts", 'import pg from "pg";'],
    ["a YAML parser outside the configuration", "src/jobs/a.ts", 'import { parse } from "yaml";'],
    [
      "a web framework away from the edge",
      "src/jobs/a.ts",
      'import type { FastifyInstance } from "fastify";',
    ],
    ["the environment read by name", "src/jobs/a.ts", "export const x = () => process.env.HOME;"],
    ["the environment read by index", "src/jobs/a.ts", 'export const x = () => process["env"].HOME;'],
    ["the environment imported", "src/jobs/a.ts", 'import { env } from "node:process";'],
    ["a vendor's name", "src/jobs/a.ts", "// as ShopIfy does\nexport {};"],
    ["state at module level", "src/jobs/a.ts", "let count = 0; export const next = () => (count += 1);"],
    ["an empty map at module level", "src/jobs/a.ts", "export const cache = new Map();"],
    ["an empty list at module level", "src/jobs/a.ts", "const seen: string[] = []; export const x = seen;"],
    ["work at import", "src/jobs/a.ts", "setTimeout(() => {}, 1); export {};"],
    ["a connector that reaches into src", "connectors/acme/a.ts", 'import { x } from "../../src/errors.ts";'],
    ["a connector that uses another", "connectors/acme/a.ts", 'import { x } from "../other/x.ts";'],
    [
      "a connector that uses the test kit",
      "connectors/acme/a.ts",
      'import { x } from "deskbridge/sdk/testing";',
    ],
    ["a connector that opens DuckDB by itself", "connectors/acme/a.ts", 'import x from "@duckdb/node-api";'],
    ["a connector that uses the engine's database", "connectors/acme/a.ts", 'import pg from "pg";'],
  ])("refuse %s", (_name, path, text) => {
    expect(faultsOf(path, text)).toHaveLength(1);
  });

  it.each([
    ["a downward import", "src/jobs/a.ts", 'import type { Ledger } from "../ledger/ledger.ts";'],
    ["an import within the room", "src/jobs/a.ts", 'import { x } from "./x.ts";'],
    ["the configuration that compiles flows", "src/config/a.ts", 'import { x } from "../flows/x.ts";'],
    ["a table at module level", "src/jobs/a.ts", 'export const x = new Map([["a", 1]]);'],
    ["a platform module", "src/jobs/a.ts", 'import { join } from "node:path";'],
    ["a queue package in the queue", "src/queue/a.ts", 'import { Queue } from "bullmq";'],
    [
      "a connector on the SDK and its own files",
      "connectors/acme/a.ts",
      'import { AppError } from "deskbridge/sdk";\nimport { y } from "deskbridge/sdk/files";\nimport { x } from "./x.ts";',
    ],
  ])("allow %s", (_name, path, text) => {
    expect(faultsOf(path, text)).toEqual([]);
  });
});

describe("file names", () => {
  const files = ["src", "connectors", "bench", "demo", "test"]
    .flatMap((folder) => listFiles(root, folder))
    .filter((path) => path.endsWith(".ts"));
  const empty =
    /(^|-)(utils?|common|helpers?|types|interfaces?|constants?|manager|service|base|misc|shared|stuff)$/;

  it("say what the file is about", () => {
    expect(files.length).toBeGreaterThan(20);
    const vague = files.filter((path) =>
      path
        .replace(/(\.test)?\.ts$/, "")
        .split("/")
        .some((segment) => empty.test(segment)),
    );
    expect(vague).toEqual([]);
  });

  it("leave index.ts to the SDK's three barrels and the connectors", () => {
    const barrels = files.filter((path) => path.endsWith("/index.ts"));
    const allowed = /^(src\/sdk\/((files|testing)\/)?|connectors\/[^/]+\/)index\.ts$/;
    expect(barrels).toContain("src/sdk/index.ts");
    expect(barrels.filter((path) => !allowed.test(path))).toEqual([]);
  });
});
