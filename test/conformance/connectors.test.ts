import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Connection, ConnectorDefinition } from "../../src/sdk/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { readModules } from "../support/modules.ts";

const root = join(import.meta.dirname, "../..");
const folders = readdirSync(join(root, "connectors")).filter((name) =>
  existsSync(join(root, "connectors", name, "index.ts")),
);

/** Settings with which a connector offers all that it can. A new connector adds its own. */
const fullSettings: Readonly<Record<string, object>> = {
  _template: { baseUrl: "http://127.0.0.1:9", apiKey: "key", webhookSecret: "secret" },
  bigquery: { project: "acme-analytics" },
  snowflake: {
    account: "acme-analytics",
    username: "exports",
    password: "pw",
    warehouse: "EXPORTS",
    database: "ANALYTICS",
  },
  clickhouse: { url: "http://127.0.0.1:9" },
  csv: { path: "nowhere" },
  deskbridge: {
    url: "http://127.0.0.1:9",
    apiKey: "key",
    webhookSecret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  },
  duckdb: { path: "nowhere.duckdb" },
  gorgias: {
    account: "acme",
    auth: { method: "key", email: "agent@acme.example", apiKey: "key" },
    replyFrom: "help@acme.example",
    webhook: { secrets: "secret" },
  },
  jsonl: { path: "nowhere" },
  parquet: { path: "nowhere" },
  http: { url: "http://127.0.0.1:9" },
  postgres: { url: "postgres://user:password@127.0.0.1:9/warehouse" },
  shopify: { shop: "acme.myshopify.com", clientSecret: "secret", accessToken: "token" },
  webhook: {
    verify: { scheme: "none" },
    events: [{ type: "customer.created", subject: "customer/1", data: { customer: { id: "1" } } }],
  },
  zendesk: { subdomain: "acme", accessToken: "token", webhookSecret: "secret" },
};

/** What a connector has to use, by name, to offer a capability at all. */
const signs: Readonly<Record<string, RegExp>> = {
  webhook: /\bcreate(Hmac|StandardWebhooks|Basic|PathToken|HeaderToken)Verifier\b/,
  sources: /\b(createWindowedSource|ReadRequest)\b/,
  enrich: /\bEnricher\b/,
  desk: /\b(DeskOperations|EffectReceipt|OperationInput)\b/,
  check: /\b(CheckResult|createMergeSink|create(File|Database)SinkConnection)\b/,
  sink: /\b(SinkWriter|createMergeSink|create(File|Database)SinkConnection)\b/,
};

/** The suite that a capability is held to. */
const suites: Readonly<Record<string, string>> = {
  webhook: "testWebhook(",
  sources: "testSource(",
  desk: "testDesk(",
  sink: "testSink(",
};

async function load(folder: string): Promise<ConnectorDefinition> {
  const module = (await import(join(root, "connectors", folder, "index.ts"))) as {
    default: ConnectorDefinition;
  };
  return module.default;
}

async function open(folder: string): Promise<Connection> {
  const definition = await load(folder);
  const settings = fullSettings[folder];
  if (settings === undefined) throw new Error(`add settings for ${folder} to this test`);
  return definition.open(definition.config.parse(settings), createTestContext());
}

function textOf(folder: string): string {
  return readModules(root, [`connectors/${folder}`])
    .map((module) => module.text)
    .join("\n");
}

const testFiles = ["conformance", "integration"]
  .map((project) => join(root, "test", project))
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name)),
  )
  .filter((path) => path.endsWith(".test.ts") && path !== import.meta.filename)
  .map((path) => readFileSync(path, "utf8"));

describe("connectors", () => {
  it("are all looked at", () => {
    expect(folders).toEqual(expect.arrayContaining(["_template", "shopify", "webhook"]));
    expect(Object.keys(fullSettings).toSorted()).toEqual(folders.toSorted());
  });
});

describe.each(folders)("connector %s", (folder) => {
  it("is named after its folder and says what it is in one line", async () => {
    const { name, description } = await load(folder);
    expect(name).toBe(folder.replace(/^_/, ""));
    expect(description).toMatch(/^[^\n]{10,120}$/);
  });

  it("has a strict schema that describes each of its settings", async () => {
    const { config } = await load(folder);
    const schema = z.toJSONSchema(config, { io: "input", unrepresentable: "any" });
    expect(schema).toMatchObject({ type: "object", additionalProperties: false });
    const undescribed = Object.entries(schema.properties ?? {}).filter(
      ([, setting]) => typeof setting !== "object" || setting.description === undefined,
    );
    expect(undescribed.map(([setting]) => setting)).toEqual([]);
  });

  it("imports the SDK, its own files, Node's modules and packages that are declared, nothing else", () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      dependencies: object;
    };
    const imports = readModules(root, [`connectors/${folder}`]).flatMap((module) => module.imports);
    expect(imports).toContain("deskbridge/sdk");
    const foreign = imports.filter(
      (target) =>
        target !== "deskbridge/sdk" &&
        target !== "deskbridge/sdk/files" &&
        !target.startsWith(`connectors/${folder}/`) &&
        !isBuiltin(target) &&
        !Object.keys(dependencies).some((name) => target === name || target.startsWith(`${name}/`)),
    );
    expect(foreign).toEqual([]);
  });

  it("offers what its code is for, and no more", async () => {
    const offered = Object.keys(await open(folder)).filter((member) => member in signs);
    const text = textOf(folder);
    const used = Object.keys(signs).filter((member) => signs[member]?.test(text));
    expect(offered.toSorted()).toEqual(used.toSorted());
    expect(offered.length).toBeGreaterThan(0);
  });

  it("has every capability held to its conformance suite", async () => {
    const offered = Object.keys(await open(folder)).filter((member) => member in suites);
    const own = testFiles.filter(
      (text) => text.includes(`connectors/${folder}/index.ts`) || text.includes(`support/sink-${folder}.ts`),
    );
    const unproven = offered.filter((member) => !own.some((text) => text.includes(suites[member] ?? "")));
    expect(unproven).toEqual([]);
  });

  it("does no network I/O while it is opened", async () => {
    const context = createTestContext();
    const definition = await load(folder);
    let asked = 0;
    await definition.open(definition.config.parse(fullSettings[folder]), {
      ...context,
      http: (options) => ({
        ...context.http(options),
        request: () => {
          asked += 1;
          return Promise.reject(new Error("no network while opening"));
        },
      }),
    });
    expect(asked).toBe(0);
  });
});
