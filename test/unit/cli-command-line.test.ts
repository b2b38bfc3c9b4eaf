import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommandLine } from "../../src/cli/command-line.ts";
import type { Connection } from "../../src/sdk/connector.ts";
import { verbsOf } from "../support/cli-page.ts";
import { capture, jsonOf, runCommand } from "../support/command.ts";
import { failedFulfillment } from "../support/events.ts";
import { fakeDesk, registryWith } from "../support/fake-connectors.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "deskbridge-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const shop: Connection = { enrich: async (event) => event, check: async () => [] };
const registry = registryWith({ shop, desk: fakeDesk });

const configuration = (subject = "event.data.order.name"): string => `
connections:
  shop: { use: shop, token: "\${SHOP_TOKEN}" }
  desk: { use: desk }
flows:
  errors:
    on: { connection: shop, events: [fulfillment.failed] }
    when: event.data.order.total.minor >= 2000
    do:
      - ticket.open:
          at: desk
          key: "f:{{ event.data.fulfillment.id }}"
          requester: { email: "{{ event.data.customer.email }}" }
          subject: "Order {{ ${subject} }}"
          message: "{{ event.data.fulfillment.message }}"
`;
const withToken = { registry, variables: { SHOP_TOKEN: "s3cret-token" } };

describe("a command line", () => {
  it("that asks for help or the version ends with 0", async () => {
    expect(await runCommand(["--help"])).toMatchObject({ code: 0, stderr: "" });
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(await runCommand(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it.each(verbsOf().map(({ words }) => words))("`%s --help` says what it takes", async (words) => {
    const { code, stdout, stderr } = await runCommand([...words.split(" "), "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`Usage: deskbridge ${words}`);
  });

  it.each([
    ["no verb", []],
    ["half a verb", ["dead"]],
    ["an unknown verb", ["statsu"]],
    ["an unknown option", ["status", "--verbose"]],
    ["a value of the wrong form", ["up", "--port", "http"]],
    ["an argument that is missing", ["explain"]],
    ["an option that is missing", ["backfill", "shop"]],
    ["a time in words", ["backfill", "shop", "--since", "yesterday"]],
    ["an end before its start", ["backfill", "shop", "--since", "2026-02-01", "--until", "2026-01-01"]],
    ["two choices that exclude each other", ["dead", "retry", "7", "--all"]],
    ["no choice where one is needed", ["dead", "retry"]],
    ["a scope that there is not", ["keys", "create", "--name", "x", "--scopes", "everything"]],
  ])("with %s ends with 2 and says so on stderr only", async (_what, words) => {
    const { code, stdout, stderr } = await runCommand(words);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/error:|Usage:/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it("names the verb that was meant", async () => {
    expect((await runCommand(["statsu"])).stderr).toContain("Did you mean status?");
  });

  it("that fails tells code, message and remedy in lines without a stack", async () => {
    const event = put("e.json", "{}");
    const { code, stdout, stderr } = await runCommand([
      "try",
      "errors",
      "--config",
      "nowhere.yaml",
      "--event",
      event,
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^config_unreadable: .*nowhere\.yaml.*\nCheck the path given with --config/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it("goes on when its reader went away", async () => {
    const stdout = new PassThrough();
    stdout.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    const closed = once(stdout, "close").catch(() => undefined);
    expect(await runCommandLine(["--help"], { variables: {}, stdout, stderr: capture().stream })).toBe(0);
    await closed;
  });
});

describe("check", () => {
  it("looks at each path on its own and names every problem by its place", async () => {
    const good = put("good.yaml", configuration());
    const bad = put(
      "bad.yaml",
      `${configuration("event.data.order.nmae")}    lane: "{{ event.data.nothing }}"\n`,
    );
    const { code, stdout } = await runCommand(["check", good, bad], withToken);
    expect(code).toBe(1);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toBe(`✓ ${good}: 2 connections, 1 flow`);
    expect(lines[1]).toBe(`✗ ${bad}: 2 problems`);
    expect(lines[2]).toMatch(/bad\.yaml:14:\d+ flows\.errors\.do\[0\]\.ticket\.open\.subject — .*`name`/);
    expect(lines[3]).toMatch(/bad\.yaml:16:\d+ flows\.errors\.lane — /);
    expect(lines).toHaveLength(4);
  });

  it("asks open connections whether they can do what flows want", async () => {
    const note = '- ticket.note: { at: desk, key: "{{ event.subject }}", message: late }';
    const path = put("desk.yaml", configuration().replace(/- ticket\.open:[^]*/, note));
    const { code, stdout } = await runCommand(["check", path, "--json"], withToken);
    expect(code).toBe(1);
    expect(stdout).toContain("can't do `ticket.note`");
  });

  it("refuses a secret that is missing, unless a placeholder may stand for it", async () => {
    const path = put("secret.yaml", configuration());
    const refused = await runCommand(["check", "--json", path], { registry });
    expect(refused.code).toBe(1);
    expect(jsonOf(refused)).toMatchObject({ ok: false, files: [{ path, ok: false, missing: [] }] });
    expect(refused.stdout).toMatch(/secret\.yaml:3:\d+ connections\.shop\.token — .*SHOP_TOKEN is not set/);
    const allowed = await runCommand(["check", "--json", "--allow-missing-secrets", path], { registry });
    expect(allowed.code).toBe(0);
    expect(jsonOf(allowed)).toMatchObject({
      ok: true,
      files: [{ ok: true, connections: 2, flows: 1, problems: [] }],
    });
    expect(allowed.stdout).toContain("SHOP_TOKEN is not set");
  });

  it("passes the examples and the configuration that come with deskbridge, with no secret set", async () => {
    const examples = readdirSync("config/examples").map((file) => join("config/examples", file));
    const paths = [...examples, "config/deskbridge.yaml"];
    const { code, stdout } = await runCommand(["check", ...paths]);
    expect(paths.length).toBeGreaterThan(3);
    const shown = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(": ")[0]);
    expect(shown).toEqual(paths.map((path) => `✓ ${path}`));
    expect(code).toBe(0);
  });
});

describe("try", () => {
  const event = failedFulfillment("e-1", "1001");
  const run = async (file: unknown, ...more: string[]) => {
    const config = put("try.yaml", configuration());
    const path = put("event.json", typeof file === "string" ? file : JSON.stringify(file));
    return runCommand(["try", "errors", "--config", config, "--event", path, ...more], { registry });
  };

  it("prints the operations that a flow would do, needing neither secrets nor a database", async () => {
    const { type, subject, data } = event;
    const result = await run({ type, subject, data }, "--json");
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(jsonOf(result)).toMatchObject({
      flow: "errors",
      target: "desk",
      kind: "maps",
      lane: "order/1001",
      operations: [{ name: "ticket.open", input: { key: "f:f-1001", subject: "Order #1001" } }],
    });
    expect((await run(event)).stdout).toMatch(/^errors → desk {2}lane order\/1001\n {2}when: passes\n/);
  });

  it("says that `when` does not pass, or that the flow does not listen, and ends with 0", async () => {
    const cheap = {
      ...event,
      data: { ...event.data, order: { id: "1", total: { minor: 1, currency: "USD" } } },
    };
    const skipped = await run(cheap);
    expect(skipped.code).toBe(0);
    expect(skipped.stdout).toContain("is false");
    const left = await run({ ...event, source: "elsewhere" });
    expect(left.code).toBe(0);
    expect(left.stdout).toContain("not matched: it listens to shop");
  });

  it("fails when the mapping fails", async () => {
    const { customer: _customer, ...data } = event.data as { customer: unknown };
    const result = await run({ ...event, data }, "--json");
    expect(result.code).toBe(1);
    expect(jsonOf(result)).toMatchObject({ kind: "fails", code: "mapping_failed" });
  });

  it.each([
    ["is not JSON", "{"],
    ["lacks its subject", { type: "fulfillment.failed", data: {} }],
    ["has a type that there is not", { ...event, type: "fulfillment.lost" }],
    ["is not canonical", { ...event, data: { fulfillment: {} } }],
  ])("refuses a file that %s", async (_what, file) => {
    const { code, stdout, stderr } = await run(file);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^bad_request: .*event\.json: /);
  });

  it("names the flow that was meant", async () => {
    const config = put("try.yaml", configuration());
    const path = put("event.json", JSON.stringify(event));
    const { code, stderr } = await runCommand(["try", "eror", "--config", config, "--event", path], {
      registry,
    });
    expect(code).toBe(1);
    expect(stderr).toContain("Did you mean `errors`?");
  });
});

describe("connectors", () => {
  const tokenSetting = { name: "token", required: false, description: "A secret." };

  it("lists what is installed, and what the connections of the configuration offer", async () => {
    const config = put(
      "connectors.yaml",
      configuration()
        .replace(/ {2}desk: .*\n/, "")
        .replace(/flows:[^]*/, ""),
    );
    const result = await runCommand(["connectors", "--json", "--config", config], withToken);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(jsonOf(result)).toEqual([
      {
        name: "shop",
        description: "The shop of a test.",
        settings: [tokenSetting],
        offers: { webhook: false, enrich: true, check: true, sources: [], operations: [] },
      },
      { name: "desk", description: "The desk of a test.", settings: [tokenSetting], offers: null },
    ]);
  });
});

describe("schema", () => {
  it("prints the JSON schema, and writes it where it is told to", async () => {
    const printed = await runCommand(["schema"], { registry });
    expect(JSON.parse(printed.stdout)).toMatchObject({ title: "deskbridge configuration" });
    const path = join(folder, "schema.json");
    expect(await runCommand(["schema", "--write", path], { registry })).toMatchObject({
      code: 0,
      stdout: `${path} written\n`,
    });
    expect(readFileSync(path, "utf8")).toBe(printed.stdout);
    const nowhere = await runCommand(["schema", "--write", join(folder, "no", "schema.json")], { registry });
    expect(nowhere).toMatchObject({ code: 1, stdout: "" });
    expect(nowhere.stderr).toContain("cannot be written");
  });
});
