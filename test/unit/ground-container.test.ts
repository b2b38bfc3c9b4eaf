import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readModules } from "../support/modules.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

function instructionsOf(dockerfile: string): Instruction[] {
  return dockerfile
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ name: line.split(/\s/, 1)[0] ?? "", rest: line.replace(/^\S+\s+/, "") }));
}

describe("the Dockerfile", () => {
  const instructions = instructionsOf(read("Dockerfile"));
  const all = (name: string): string[] =>
    instructions.filter((one) => one.name === name).map((one) => one.rest);
  const lastStage = instructions.slice(instructions.findLastIndex((one) => one.name === "FROM"));

  it("stands on the exact Node that the project is tested with, in every stage", () => {
    const { devDependencies } = JSON.parse(read("package.json")) as {
      devDependencies: Record<string, string>;
    };
    expect(all("FROM").map((from) => from.split(" ")[0])).toEqual(
      all("FROM").map(() => `node:${devDependencies["node"]}-slim`),
    );
    expect(all("FROM").length).toBeGreaterThan(1);
  });

  it("does not run as root, and says so before it starts", () => {
    const user = lastStage.findIndex((one) => one.name === "USER");
    expect(lastStage[user]?.rest).toBe("node");
    expect(user).toBeLessThan(lastStage.findIndex((one) => one.name === "ENTRYPOINT"));
  });

  it("installs from the lockfile, without what only development needs", () => {
    expect(all("RUN").some((run) => run.includes("npm ci --omit=dev"))).toBe(true);
  });

  it("asks its own health, keeps data in a volume, and starts everything by default", () => {
    expect(all("HEALTHCHECK")[0]).toContain("/healthz");
    expect(all("EXPOSE")).toEqual(["8787"]);
    expect(all("HEALTHCHECK")[0]).toContain("127.0.0.1:8787");
    expect(all("VOLUME")).toEqual(["/data"]);
    expect(JSON.parse(all("ENTRYPOINT")[0] ?? "")).toEqual(["node", "src/main.ts"]);
    expect(JSON.parse(all("CMD")[0] ?? "")).toEqual(["up", "--port", "8787", "--data", "/data"]);
  });

  it("copies only what exists and what .dockerignore lets through", () => {
    const allowed = new Set(read(".dockerignore").match(/(?<=^!).+$/gm));
    const sources = all("COPY")
      .filter((copy) => !copy.startsWith("--from"))
      .flatMap((copy) => copy.split(/\s+/).slice(0, -1));
    expect(sources).toContain("src");
    expect(sources.filter((source) => !existsSync(join(root, source)))).toEqual([]);
    expect(sources.filter((source) => !allowed.has(source))).toEqual([]);
  });

  it("has every package at run time that src and the connectors import", () => {
    const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
    const packages = readModules(root, ["src", "connectors"])
      .filter((module) => !module.path.startsWith("src/sdk/testing/"))
      .flatMap((module) => module.imports)
      .filter((target) => !/^(node:|src\/|connectors\/|deskbridge\/|package\.json$)/.test(target))
      .map((target) => target.split("/", target.startsWith("@") ? 2 : 1).join("/"));
    expect(packages).toContain("fastify");
    expect(packages.filter((name) => !(name in dependencies))).toEqual([]);
  });
});

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly container_name?: string;
  readonly healthcheck?: { readonly test?: unknown; readonly disable?: boolean };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

describe("compose.yaml", () => {
  const { services, volumes } = parse(read("compose.yaml"), { merge: true }) as {
    services: Record<string, Service>;
    volumes: object;
  };

  it("has the two halves of deskbridge on one image, a PostgreSQL and a Redis", () => {
    expect(Object.keys(services).sort()).toEqual(["postgres", "redis", "serve", "work"]);
    expect(services["serve"]).toMatchObject({
      image: "deskbridge",
      build: ".",
      command: ["serve", "--port", "8787"],
    });
    expect(services["work"]).toMatchObject({ image: "deskbridge", build: ".", command: ["work"] });
    expect(services["postgres"]?.image).toBe("postgres:18");
    expect(services["redis"]?.image).toBe("redis:7");
    expect(volumes).toHaveProperty("postgres");
  });

  it("can be scaled: a worker has no fixed name and no port of the host", () => {
    expect(services["work"]?.container_name).toBeUndefined();
    expect(services["work"]?.ports).toBeUndefined();
  });

  it("starts deskbridge when the databases are healthy, and tells it where they are", () => {
    for (const name of ["serve", "work"]) {
      const service = services[name];
      expect(service?.depends_on).toEqual({
        postgres: { condition: "service_healthy" },
        redis: { condition: "service_healthy" },
      });
      expect(service?.environment).toMatchObject({ REDIS_URL: "redis://redis:6379" });
      expect(service?.environment?.["DATABASE_URL"]).toContain("@postgres:5432/deskbridge");
    }
    expect(services["work"]?.environment?.["DESKBRIDGE_URL"]).toBe("http://serve:8787");
    expect(services["postgres"]?.healthcheck?.test).toBeDefined();
    expect(services["redis"]?.healthcheck?.test).toBeDefined();
  });

  it("holds no secret: passwords and keys come from the environment, and must be there", () => {
    const text = read("compose.yaml");
    expect(text.match(/\$\{POSTGRES_PASSWORD[^}]*\}/g)?.every((use) => use.includes(":?"))).toBe(true);
    expect(text.match(/\$\{DESKBRIDGE_API_KEY[^}]*\}/g)?.every((use) => use.includes(":?"))).toBe(true);
    expect(text).not.toMatch(/(PASSWORD|KEY|SECRET): (?!\$\{)\S/);
  });

  it("opens deskbridge to this machine only", () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
  });
});
