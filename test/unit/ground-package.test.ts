import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { listFiles } from "../support/modules.ts";

const root = posix.resolve(import.meta.dirname, "../..");

interface Package {
  readonly license: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const pack = JSON.parse(readFileSync(posix.join(root, "package.json"), "utf8")) as Package;

describe("package.json", () => {
  it("pins every package to one version", () => {
    const versions = Object.entries({ ...pack.dependencies, ...pack.devDependencies });
    expect(versions.length).toBeGreaterThan(20);
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });

  it("has the scripts that the pages tell people to run", () => {
    const pages = [
      "README.md",
      "CONTRIBUTING.md",
      "CHANGELOG.md",
      "SECURITY.md",
      ...listFiles(root, "docs"),
    ].filter((path) => path.endsWith(".md") && (path.includes("/") || readdirSync(root).includes(path)));
    const told = pages.flatMap((path) => [
      ...readFileSync(posix.join(root, path), "utf8").matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g),
    ]);
    expect(told.length).toBeGreaterThan(3);
    expect(told.map((match) => match[1] ?? "").filter((name) => !(name in pack.scripts))).toEqual([]);
  });

  it("is under the licence that is in LICENSE", () => {
    expect(pack.license).toBe("Apache-2.0");
    expect(readFileSync(posix.join(root, "LICENSE"), "utf8")).toContain("Version 2.0, January 2004");
  });
});

describe("package-lock.json", () => {
  const lock = JSON.parse(readFileSync(posix.join(root, "package-lock.json"), "utf8")) as {
    packages: Record<
      string,
      { readonly optionalDependencies?: Record<string, string>; readonly resolved?: string }
    >;
  };

  // `npm ci` refuses a lockfile that lacks one, also where the package is for another platform.
  it("has every optional package of every package", () => {
    const isThere = (path: string, name: string): boolean => {
      const folders = path.split("/node_modules/");
      return folders.some((_, depth) => {
        const above = folders.slice(0, folders.length - depth).join("/node_modules/");
        return `${above}/node_modules/${name}` in lock.packages || `node_modules/${name}` in lock.packages;
      });
    };
    const wanted = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).map((name) => ({ path, name })),
    );
    expect(wanted.length).toBeGreaterThan(50);
    expect(wanted.filter(({ path, name }) => !isThere(path, name))).toEqual([]);
  });

  it("names no registry but the public one", () => {
    const addresses = Object.values(lock.packages).flatMap(({ resolved }) => resolved ?? []);
    expect(addresses.filter((address) => !address.startsWith("https://registry.npmjs.org/"))).toEqual([]);
  });
});

describe("the text of the project", () => {
  const folders = ["src", "connectors", "config", "test", "bench", "demo", "docs", "examples"];
  const atRoot = readdirSync(root, { withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name !== "package-lock.json" && entry.name !== ".env",
  );
  const paths = [
    ...folders.flatMap((folder) => listFiles(root, folder)),
    ...atRoot.map((entry) => entry.name),
  ];

  it("names no path of a machine that it was written on", () => {
    expect(paths.length).toBeGreaterThan(100);
    const machine = /(?<![\w.])\/(work|farm|Users|home\/(?!node\b)\w+)\/\w/;
    const found = paths.filter((path) => machine.test(readFileSync(posix.join(root, path), "utf8")));
    expect(found).toEqual([]);
  });

  it("has pages whose links to files lead somewhere", () => {
    const known = new Set([...paths, ".ci/run"]);
    const isThere = (target: string): boolean =>
      known.has(target) || paths.some((path) => path.startsWith(`${target.replace(/\/$/, "")}/`));
    const links = paths
      .filter((path) => path.endsWith(".md"))
      .flatMap((page) =>
        [
          ...readFileSync(posix.join(root, page), "utf8").matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g),
        ].map((match) => ({ page, target: posix.join(posix.dirname(page), match[1] ?? "") })),
      );
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter(({ target }) => !isThere(target))).toEqual([]);
  });
});
