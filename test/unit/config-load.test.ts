import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { checkTargets } from "../../src/config/targets.ts";
import type { Config } from "../../src/config/config.ts";
import { formatProblem } from "../../src/flows/located.ts";
import { fixtureRegistry } from "../golden/fixture-registry.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "deskbridge-config-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const load = async (
  path: string,
  env: Record<string, string> = { SECRET: "a-secret-value" },
): Promise<Config> => {
  const result = await loadConfig({ path, registry: fixtureRegistry, env });
  if (result.ok) return result.config;
  throw new Error(result.problems.map(formatProblem).join("\n"));
};

const whole = `
server: { port: "\${PORT:-9001}", publicUrl: https://hooks.example/, retention: 7d, maxBodyBytes: 1mb }
connections:
  shop:
    use: shop
    shop: acme.example
    clientSecret: { current: "\${SECRET}" }
    poll: { every: 5m, sources: [orders] }
    rateLimit: { calls: 40, per: 1m }
    concurrency: 3
  desk: { use: desk }
flows:
  late:
    on: { connection: shop, events: [order.held] }
    at: desk
    do:
      - ticket.note: { key: "{{ event.data.order.id }}", message: held }
exports:
  nightly:
    from: desk
    to: shop
    datasets: [tickets]
    schedule: { cron: "15 2 * * *" }
`;

describe("a configuration that is right", () => {
  test("says of a flow whether a dead delivery holds its lane", async () => {
    const flows = async (text: string): Promise<readonly unknown[]> =>
      (await load(write("a.yaml", text))).flows.map((flow) => flow.onDead);
    expect(await flows(whole)).toEqual(["skip"]);
    expect(await flows(whole.replace("    at: desk", "    at: desk\n    onDead: hold"))).toEqual(["hold"]);
    await expect(flows(whole.replace("    at: desk", "    at: desk\n    onDead: stop"))).rejects.toThrow(
      /onDead.*hold.*skip/,
    );
  });

  test("comes resolved, with defaults where it says nothing", async () => {
    const config = await load(write("a.yaml", whole));
    expect(config.server).toEqual({
      host: "127.0.0.1",
      port: 9001,
      publicUrl: "https://hooks.example",
      maxBodyBytes: 1_048_576,
      maxWaitingAppends: 2000,
      retentionMs: 604_800_000,
      shutdownMs: 20_000,
      logLevel: "info",
    });
    expect(config.connections.get("shop")).toMatchObject({
      name: "shop",
      use: "shop",
      settings: { shop: "acme.example", clientSecret: { current: "a-secret-value" }, sandbox: false },
      poll: { everyMs: 300_000, skipHistory: true, sources: ["orders"] },
      rateLimit: { calls: 40, perSeconds: 60 },
      concurrency: 3,
    });
    expect(config.connections.get("desk")).toMatchObject({
      settings: {},
      poll: undefined,
      rateLimit: undefined,
      concurrency: 20,
    });
    expect(config.exports).toMatchObject([
      {
        name: "nightly",
        from: "desk",
        to: "shop",
        tables: [{ table: { name: "tickets", dataset: "tickets", key: ["id"], day: "created_at" } }],
        schedule: { cron: "15 2 * * *", timezone: "UTC" },
        onSchemaChange: "evolve",
        lagMs: undefined,
        chunkRows: undefined,
      },
    ]);
    expect(
      config.flows.map(({ name, target, connections, events }) => ({ name, target, connections, events })),
    ).toEqual([{ name: "late", target: "desk", connections: ["shop"], events: ["order.held"] }]);
    expect(config.secrets).toEqual(["a-secret-value"]);
  });

  test("has a version that follows its text, not its secrets", async () => {
    const path = write("a.yaml", whole);
    const first = await load(path);
    const second = await load(path, { SECRET: "another-secret" });
    expect(first.version).toMatch(/^[0-9a-f]{12}$/);
    expect(second.version).toBe(first.version);
    expect((await load(write("a.yaml", `${whole}# more\n`))).version).not.toBe(first.version);
  });

  test("may be an empty file", async () => {
    const config = await load(write("a.yaml", ""));
    expect(config.connections.size).toBe(0);
    expect(config.server.port).toBe(8787);
  });

  test("may be a folder, whose files are read in the order of their names", async () => {
    write("20-flows.yml", whole.slice(whole.indexOf("flows:")));
    write("10-connections.yaml", whole.slice(0, whole.indexOf("flows:")));
    write("notes.txt", "not: [yaml");
    const config = await load(folder);
    expect(config.flows).toHaveLength(1);
    expect(config.flows[0]?.position.file).toBe(join(folder, "20-flows.yml"));
  });
});

describe("a path that can't be read", () => {
  test.each([
    ["that is missing", () => join(folder, "none.yaml")],
    [
      "of a folder without YAML",
      () => {
        mkdirSync(join(folder, "empty"));
        return join(folder, "empty");
      },
    ],
  ])("%s is refused", async (_what, path) => {
    await expect(load(path())).rejects.toThrow(expect.objectContaining({ code: "config_unreadable" }));
  });
});

describe("what only open connections can tell", () => {
  const text = whole.slice(0, whole.indexOf("exports:"));

  test("nothing is said when every target and source is there", async () => {
    const config = await load(write("a.yaml", text));
    const found = checkTargets(config, (name) =>
      name === "desk"
        ? {
            desk: {
              idempotency: { kind: "none" },
              operations: { "ticket.note": () => Promise.reject(new Error("not called")) },
            },
          }
        : { sources: { orders: undefined as never } },
    );
    expect(found).toEqual([]);
  });

  test("a target that is no desk, an operation that it lacks and a source that is not there are named with their places", async () => {
    const path = write("a.yaml", text);
    const config = await load(path);
    expect(checkTargets(config, () => ({ sources: { ordres: undefined as never } }))).toEqual([
      `${path}:13:3 flows.late — the connection \`desk\` takes no operations; expected one whose connector is a desk`,
      `${path}:4:3 connections.shop.poll.sources — there is no source \`orders\`; expected \`ordres\`. Did you mean \`ordres\`?`,
    ]);
    const other = {
      desk: { idempotency: { kind: "none" } as const, operations: { "ticket.close": undefined as never } },
    };
    expect(checkTargets(config, () => other)).toEqual([
      `${path}:17:9 flows.late.do[0].ticket.note — the connection \`desk\` can't do \`ticket.note\`; it can do nothing`,
      `${path}:4:3 connections.shop.poll — this connection has nothing to poll; expected no \`poll:\``,
    ]);
  });
});

describe("a configuration that is checked where its secrets are not", () => {
  test("is right when only their values are missing, whatever form they must have", async () => {
    const text = whole
      .replace("acme.example", "${SHOP}")
      .replace("https://hooks.example/", "${URL}")
      .replace("${PORT:-9001}", "${PORT}");
    const path = write("a.yaml", text);
    const result = await loadConfig({ path, registry: fixtureRegistry, env: {}, placeholder: "placeholder" });
    expect(result.ok ? [...result.config.connections.keys()] : result.problems).toEqual(["shop", "desk"]);
  });

  test("is wrong when more than that is", async () => {
    const path = write("a.yaml", whole.replace("concurrency: 3", "concurency: 3"));
    const result = await loadConfig({ path, registry: fixtureRegistry, env: {}, placeholder: "placeholder" });
    expect(result.ok ? [] : result.problems.map((problem) => problem.path)).toEqual([
      "connections.shop.concurency",
    ]);
  });
});
