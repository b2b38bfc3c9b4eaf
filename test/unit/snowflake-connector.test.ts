import { generateKeyPairSync } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, describe, expect, it } from "vitest";
import connector from "../../connectors/snowflake/index.ts";
import { createTestContext } from "../../src/sdk/testing/index.ts";
import { upsert, valuesRow, valuesTable } from "../../src/sdk/testing/sink-table.ts";
import type { SnowflakeStub } from "../support/snowflake-stub.ts";
import { openSnowflakeStub } from "../support/snowflake-stub.ts";

let stub: SnowflakeStub | undefined;

afterEach(async () => {
  await stub?.close();
  stub = undefined;
});

const account = {
  account: "acme-analytics",
  username: "exports",
  warehouse: "EXPORTS",
  database: "ANALYTICS",
};

async function openSink(credential: Readonly<Record<string, string>> = { password: "pw-of-ada" }) {
  stub = await openSnowflakeStub();
  const settings = connector.config.parse({ ...account, ...credential, apiUrl: stub.url });
  const { sink, check } = await connector.open(settings, createTestContext());
  const { signal } = new AbortController();
  const open = (run = 4) =>
    sink!.open({ table: valuesTable, export: "nightly", run, onSchemaChange: "evolve", signal });
  return { open, check: () => check!(signal), stub };
}

const verbs = (statements: readonly string[]) =>
  statements.map((sql) => sql.split(" ").slice(0, 2).join(" ").replace(/ '.*/, ""));

describe("the snowflake sink", () => {
  it("puts files to a stage of its session, and merges with its record in one transaction", async () => {
    const { open, stub: held } = await openSink();
    const writer = await open();
    const before = held.statements.length;
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await writer.commit({ watermark: "w", dropOlderThan: 4 });
    await writer.close();
    const sent = held.statements.slice(before);
    expect(verbs(sent)).toEqual([
      "CREATE TEMPORARY",
      "PUT",
      "COPY INTO",
      "REMOVE",
      'SELECT "export",',
      "SELECT COUNT(*)",
      "BEGIN TRANSACTION",
      "MERGE INTO",
      "DELETE FROM",
      "DELETE FROM",
      "INSERT INTO",
      "COMMIT",
      "DELETE FROM",
      "DROP TABLE",
    ]);
    expect(sent[0]).toBe('CREATE TEMPORARY STAGE IF NOT EXISTS "SUPPORT"."_deskbridge_files"');
    expect(sent[1]).toMatch(
      /^PUT 'file:\/\/\S+\/rows-1\.json\.gz' '@"SUPPORT"\."_deskbridge_files"' SOURCE_COMPRESSION = GZIP AUTO_COMPRESS = FALSE OVERWRITE = TRUE$/,
    );
    expect(sent[2]).toMatch(
      /^COPY INTO "SUPPORT"\."_deskbridge_stage_conformance_values_[0-9a-f]{12}" \("id", /,
    );
    expect(sent[2]).toContain('$1:"created_at"::TIMESTAMP_TZ');
    expect(sent[2]).toMatch(
      / FROM @"SUPPORT"\."_deskbridge_files"\) FILES = \('rows-1\.json\.gz'\) FILE_FORMAT = \(TYPE = JSON COMPRESSION = GZIP\) ON_ERROR = ABORT_STATEMENT$/,
    );
    expect(sent.join("\n")).not.toContain("'w'");
    expect(held.statements.filter((sql) => sql.startsWith("CREATE TEMPORARY TABLE"))).toHaveLength(1);
  });

  it("leaves no session, no file and no log behind", async () => {
    const { open, stub: held } = await openSink();
    const writer = await open();
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await writer.commit({ watermark: "w" });
    expect(held.sessions()).toBe(1);
    await writer.close();
    expect(held.sessions()).toBe(0);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("deskbridge-snowflake-"))).toEqual([]);
    expect(existsSync("snowflake.log")).toBe(false);
    expect([...new Set(held.paths.filter((path) => path !== "/telemetry/send"))].toSorted()).toEqual([
      "/queries/v1/query-request",
      "/session",
      "/session/v1/login-request",
    ]);
  });

  it("finds out by the record what became of a commit that got no answer", async () => {
    const { open, stub: held } = await openSink();
    const writer = await open();
    await writer.write(upsert(valuesTable, valuesRow("a")));
    held.loseAnswer("COMMIT");
    await expect(writer.commit({ watermark: "w" })).rejects.toMatchObject({ code: "target_unavailable" });
    await writer.close();
    const next = await open(5);
    expect(next.position).toEqual({ run: 4, watermark: "w" });
    await next.close();
  });

  it("rolls a chunk back of which a statement is refused", async () => {
    const { open, stub: held } = await openSink();
    const writer = await open();
    await writer.write(upsert(valuesTable, valuesRow("a")));
    await held.engine.run('ALTER TABLE "SUPPORT"."conformance_values" RENAME TO "gone"');
    await expect(writer.commit({ watermark: "w" })).rejects.toMatchObject({ code: "target_rejected" });
    expect(held.statements.at(-1)).toBe("ROLLBACK");
    await writer.close();
    const { rows } = await held.engine.run('SELECT "watermark" FROM "SUPPORT"."_deskbridge_exports"');
    expect(rows).toEqual([[null]]);
  });

  it.each([
    ["003001", "42501", "target_unauthorized"],
    ["000630", "57014", "target_timeout"],
    ["002003", "02000", "target_rejected"],
  ])("tells a refusal of %s by its code, never by its words", async (code, state, found) => {
    const { open, stub: held } = await openSink();
    held.refuse(code, state);
    const error: unknown = await open().catch((fault: unknown) => fault);
    expect(error).toMatchObject({ code: found, message: expect.stringContaining(code) as string });
    expect(JSON.stringify([error, (error as Error).message])).not.toContain("ada");
    expect(held.sessions()).toBe(0);
  });
});

describe("signing in to snowflake", () => {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });

  it("is done with a key by a token that is signed with it", async () => {
    const { check, stub: held } = await openSink({ privateKey });
    expect(await check()).toMatchObject([{ name: "account", ok: true }]);
    const [{ AUTHENTICATOR, TOKEN, PASSWORD } = {}] = held.logins;
    expect(AUTHENTICATOR).toBe("SNOWFLAKE_JWT");
    expect(TOKEN).toMatch(/^eyJ/);
    expect(PASSWORD).toBeUndefined();
    expect(JSON.stringify(held.logins)).not.toContain("PRIVATE KEY");
  });

  it("is done with an access token", async () => {
    const { check, stub: held } = await openSink({ token: "pat-of-ada" });
    expect(await check()).toMatchObject([{ ok: true }]);
    expect(held.logins).toMatchObject([{ AUTHENTICATOR: "PROGRAMMATIC_ACCESS_TOKEN", TOKEN: "pat-of-ada" }]);
    expect(held.sessions()).toBe(0);
  });

  it.each([
    [{ password: "pw-of-ada" }, "390100"],
    [{ token: "pat-of-ada" }, "394400"],
    [{ privateKey: "not the key of ada" }, "404"],
  ])("tells a refusal without the secret (%#)", async (credential, code) => {
    const { check, stub: held } = await openSink(credential);
    held.refuse(code, "08001", "login");
    const [result] = await check();
    expect(result).toMatchObject({ ok: false, detail: expect.stringContaining(code) as string });
    expect(JSON.stringify(result)).not.toContain("ada");
  });

  it("needs one of key, token and password, and a way that nobody listens to", () => {
    const ok = (more: object) => connector.config.safeParse({ ...account, ...more }).success;
    expect(ok({})).toBe(false);
    expect(ok({ password: "a", token: "b" })).toBe(false);
    expect(ok({ password: "a", apiUrl: "http://snowflake.example" })).toBe(false);
    expect(ok({ password: "a", apiUrl: "https://snowflake.example" })).toBe(true);
  });
});
