import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { ConfigResult } from "../../src/config/parse.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { fixtureRegistry } from "../golden/fixture-registry.ts";

const pem = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString();
const secret = "0123456789abcdef0123456789abcdef";
const text = `
desk:
  endUsers:
    origins: [https://shop.example, "http://localhost:5173"]
    issuer: https://shop.example
    keys:
      - { kid: "2026", algorithm: HS256, secret: "\${JWT_SECRET}", source: shop }
      - { kid: app, algorithm: EdDSA, publicKey: "\${JWT_PUBLIC_KEY}", source: app }
  attachments:
    maxBytes: 5mb
    types: [image/*, application/pdf]
    s3: { bucket: files, endpoint: "http://127.0.0.1:9000", pathStyle: true, accessKeyId: "\${S3_ID}", secretAccessKey: "\${S3_KEY}" }
`;
const env = { JWT_SECRET: secret, JWT_PUBLIC_KEY: pem, S3_ID: "id-of-a-key", S3_KEY: "key-of-a-bucket" };

function parse(yaml: string, source: object): Promise<ConfigResult> {
  return parseConfig([{ file: "a.yaml", text: yaml }], fixtureRegistry, {
    env: {},
    readFile: () => undefined,
    ...source,
  });
}

describe("the section desk", () => {
  it("comes resolved, with its secrets known as such", async () => {
    const result = await parse(text, { env });
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    const { endUsers, attachments } = result.config.desk;
    expect(endUsers).toEqual({
      origins: ["https://shop.example", "http://localhost:5173"],
      merchantTokens: {
        audience: "deskbridge",
        issuer: "https://shop.example",
        maxLifetimeMs: 86_400_000,
        keys: [
          { kid: "2026", algorithm: "HS256", key: secret, source: "shop" },
          { kid: "app", algorithm: "EdDSA", key: pem, source: "app" },
        ],
      },
    });
    expect(attachments).toMatchObject({ maxBytes: 5 * 1024 ** 2, s3: { bucket: "files", prefix: "" } });
    expect(result.config.secrets).toEqual(expect.arrayContaining([secret, "key-of-a-bucket"]));
  });

  it("lets no page and no token of the merchant's in where it is absent", async () => {
    const result = await parse("connections: {}", {});
    expect(result.ok && result.config.desk.endUsers).toEqual({ origins: [], merchantTokens: undefined });
  });

  it("is right when only the values of its secrets are missing", async () => {
    expect((await parse(text, { placeholder: "x" })).ok).toBe(true);
  });
});
