import { createHmac } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WebhookRequest } from "../../src/sdk/webhook.ts";
import {
  createBasicVerifier,
  createHeaderTokenVerifier,
  createHmacVerifier,
  createPathTokenVerifier,
  createStandardWebhooksVerifier,
  equalInConstantTime,
  hmacSignature,
  parseTimestamp,
  standardWebhooksHeaders,
} from "../../src/sdk/signature.ts";
import type { HmacScheme, Verifier } from "../../src/sdk/signature.ts";

const receivedAt = Date.parse("2026-11-22T10:00:00Z");
const sharedPayloads = join(import.meta.dirname, "../../../shared/payloads");

function requestOf(headers: Record<string, string>, body = '{"a":1}', path = ""): WebhookRequest {
  return { method: "POST", path, query: {}, headers, body: Buffer.from(body), receivedAt };
}

function verdict(verify: Verifier, request: WebhookRequest): string {
  try {
    verify(request);
    return "accepted";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const plain: HmacScheme = { header: "x-signature", algorithm: "sha256", encoding: "hex" };

describe("HMAC", () => {
  it.each(["sha1", "sha256", "sha512"] as const)(
    "accepts %s in hex and base64 as node:crypto computes it",
    (algorithm) => {
      for (const encoding of ["hex", "base64"] as const) {
        const signature = createHmac(algorithm, "s3cret").update('{"a":1}').digest(encoding);
        const verify = createHmacVerifier({ ...plain, algorithm, encoding, prefix: `${algorithm}=` }, [
          "s3cret",
        ]);
        expect(verdict(verify, requestOf({ "x-signature": `${algorithm}=${signature}` }))).toBe("accepted");
        expect(verdict(verify, requestOf({ "x-signature": signature }))).toBe("webhook_signature");
      }
    },
  );

  it("signs what the template says, with the headers that it names", () => {
    const scheme: HmacScheme = {
      ...plain,
      signedContent: "v0:{timestamp}:{id}:{body}",
      timestampHeader: "x-time",
      idHeader: "x-id",
      toleranceSeconds: 60,
    };
    const headers = { "x-time": String(receivedAt / 1000), "x-id": "e1" };
    const signature = createHmac("sha256", "k").update(`v0:${headers["x-time"]}:e1:{"a":1}`).digest("hex");
    expect(hmacSignature(scheme, "k", requestOf(headers))).toBe(signature);
    const verify = createHmacVerifier(scheme, ["k"]);
    expect(verdict(verify, requestOf({ ...headers, "x-signature": signature }))).toBe("accepted");
    expect(verdict(verify, requestOf({ ...headers, "x-id": "e2", "x-signature": signature }))).toBe(
      "webhook_signature",
    );
    expect(verdict(verify, requestOf({ "x-signature": signature }))).toBe("webhook_signature");
  });

  it("accepts every live secret and no other", () => {
    const verify = createHmacVerifier(plain, ["new", "old"]);
    const signedWith = (secret: string): WebhookRequest =>
      requestOf({ "x-signature": hmacSignature(plain, secret, requestOf({})) });
    expect(["new", "old", "older"].map((secret) => verdict(verify, signedWith(secret)))).toEqual([
      "accepted",
      "accepted",
      "webhook_signature",
    ]);
  });

  it("refuses a stale and a future time only once the signature is good", () => {
    const scheme: HmacScheme = {
      ...plain,
      signedContent: "{timestamp}{body}",
      timestampHeader: "x-time",
      toleranceSeconds: 300,
    };
    const verify = createHmacVerifier(scheme, ["k"]);
    const at = (offsetSeconds: number, secret = "k"): string => {
      const request = requestOf({ "x-time": String(receivedAt / 1000 + offsetSeconds) });
      return verdict(verify, {
        ...request,
        headers: { ...request.headers, "x-signature": hmacSignature(scheme, secret, request) },
      });
    };
    expect([at(-300), at(300), at(-301), at(301), at(-301, "other")]).toEqual([
      "accepted",
      "accepted",
      "webhook_stale",
      "webhook_stale",
      "webhook_signature",
    ]);
  });

  it("refuses any change of the body or of the signature", () => {
    const verify = createHmacVerifier(plain, ["k"]);
    const good = hmacSignature(plain, "k", requestOf({}));
    const property = fc.property(fc.string(), fc.stringMatching(/^[0-9a-f]{60,70}$/), (body, signature) => {
      const changed = requestOf({ "x-signature": good }, `${body} `);
      const forged = [signature, `${good}${signature}`, `${good}0`, good.slice(0, -1)];
      return [changed, ...forged.map((one) => requestOf({ "x-signature": one }))].every(
        (request) => verdict(verify, request) === "webhook_signature",
      );
    });
    expect(verdict(verify, requestOf({ "x-signature": good }))).toBe("accepted");
    expect(fc.check(property)).toMatchObject({ failed: false, counterexample: null });
  });

  it("is refused at configuration when it cannot work or protects nothing", () => {
    const faulty: readonly [HmacScheme, string[]][] = [
      [plain, []],
      [plain, [""]],
      [{ ...plain, signedContent: "{timestamp}" }, ["k"]],
      [{ ...plain, signedContent: "{timestamp}.{body}" }, ["k"]],
      [{ ...plain, signedContent: "{id}.{body}" }, ["k"]],
      [{ ...plain, toleranceSeconds: 5 }, ["k"]],
    ];
    for (const [scheme, secrets] of faulty) {
      expect(() => createHmacVerifier(scheme, secrets)).toThrow(
        expect.objectContaining({ code: "config_invalid" }),
      );
    }
  });

  it("matches the carrier's published vector where that is at hand", () => {
    const folder = join(sharedPayloads, "easypost");
    if (!existsSync(folder)) console.log(`absent: ${folder}`);
    const vector = existsSync(folder)
      ? (JSON.parse(readFileSync(join(folder, "vector.json"), "utf8")) as Record<string, string>)
      : undefined;
    const [prefix = "", hex = ""] = /^(.*=)(.*)$/.exec(vector?.["signature"] ?? "")?.slice(1) ?? [];
    const scheme: HmacScheme = { ...plain, prefix };
    const body =
      vector === undefined ? "" : readFileSync(join(folder, vector["body_file"] ?? ""), "utf8").trimEnd();
    const secret = (vector?.["secret"] ?? "absent").normalize("NFKD");
    const expected =
      vector === undefined ? hmacSignature(scheme, secret, requestOf({}, body)) : `${prefix}${hex}`;
    expect(hmacSignature(scheme, secret, requestOf({}, body))).toBe(expected);
  });
});

describe("Standard Webhooks", () => {
  const secret = `whsec_${Buffer.from("a secret of some bytes!!").toString("base64")}`;
  const message = { id: "msg_1", timestampSeconds: receivedAt / 1000, body: Buffer.from('{"a":1}') };
  const verify = createStandardWebhooksVerifier({ secrets: [secret] });

  it("accepts its own headers, with or without the prefix of the secret", () => {
    expect(verdict(verify, requestOf(standardWebhooksHeaders(secret, message)))).toBe("accepted");
    const bare = createStandardWebhooksVerifier({ secrets: [secret.slice("whsec_".length)] });
    expect(verdict(bare, requestOf(standardWebhooksHeaders(secret, message)))).toBe("accepted");
  });

  it("accepts one good signature among several and passes over asymmetric ones", () => {
    const headers = standardWebhooksHeaders(secret, message);
    const others = `v1a,AAAA v1,${Buffer.alloc(32).toString("base64")} ${headers["webhook-signature"]}`;
    expect(verdict(verify, requestOf({ ...headers, "webhook-signature": others }))).toBe("accepted");
    const asymmetric = `v1a,${headers["webhook-signature"]?.slice(3)}`;
    expect(verdict(verify, requestOf({ ...headers, "webhook-signature": asymmetric }))).toBe(
      "webhook_signature",
    );
  });

  it("refuses another id, another time, a missing header and an old time", () => {
    const headers = standardWebhooksHeaders(secret, message);
    const old = standardWebhooksHeaders(secret, { ...message, timestampSeconds: receivedAt / 1000 - 301 });
    expect(verdict(verify, requestOf({ ...headers, "webhook-id": "msg_2" }))).toBe("webhook_signature");
    expect(verdict(verify, requestOf({ ...headers, "webhook-timestamp": "1" }))).toBe("webhook_signature");
    expect(verdict(verify, requestOf({}))).toBe("webhook_signature");
    expect(verdict(verify, requestOf(old))).toBe("webhook_stale");
  });

  it("refuses a secret that is not base64 when the configuration is read", () => {
    expect(() => createStandardWebhooksVerifier({ secrets: ["whsec_!"] })).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });

  it("agrees with the official vector where that is at hand", () => {
    const file = join(sharedPayloads, "standard-webhooks/vector.json");
    if (!existsSync(file)) console.log(`absent: ${file}`);
    const vector = existsSync(file)
      ? (JSON.parse(readFileSync(file, "utf8")) as Record<
          "id" | "payload" | "secret" | "signature",
          string
        > & { timestamp: number })
      : undefined;
    const headers = standardWebhooksHeaders(vector?.secret ?? secret, {
      id: vector?.id ?? "msg_1",
      timestampSeconds: vector?.timestamp ?? 1,
      body: Buffer.from(vector?.payload ?? ""),
    });
    expect(headers["webhook-signature"]).toBe(vector?.signature ?? headers["webhook-signature"]);
  });
});

describe("fixed credentials", () => {
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

  it("basic: accepts a live pair, refuses a wrong one, a bare word and none", () => {
    const verify = createBasicVerifier([
      { username: "shop", password: "p:w" },
      { username: "shop", password: "old" },
    ]);
    const outcomes = [basic("shop:p:w"), basic("shop:old"), basic("shop:pw"), basic("shop"), "Bearer x", ""];
    expect(outcomes.map((authorization) => verdict(verify, requestOf({ authorization })))).toEqual([
      "accepted",
      "accepted",
      ...Array<string>(4).fill("webhook_signature"),
    ]);
  });

  it("path token: accepts the token with or without a closing slash, and nothing around it", () => {
    const verify = createPathTokenVerifier(["t0ken", "older"]);
    const outcomes = ["t0ken", "t0ken/", "older", "", "t0ken/x", "T0KEN"];
    expect(outcomes.map((path) => verdict(verify, requestOf({}, "", path)))).toEqual([
      "accepted",
      "accepted",
      "accepted",
      ...Array<string>(3).fill("webhook_signature"),
    ]);
  });

  it("header token: accepts the fixed value of its header only", () => {
    const verify = createHeaderTokenVerifier("x-token", ["abc"]);
    expect(verdict(verify, requestOf({ "x-token": "abc" }))).toBe("accepted");
    expect(verdict(verify, requestOf({ "x-token": "abcd" }))).toBe("webhook_signature");
    expect(verdict(verify, requestOf({ "y-token": "abc" }))).toBe("webhook_signature");
  });

  it("equality in constant time is equality", () => {
    const property = fc.property(
      fc.string(),
      fc.string(),
      (a, b) => equalInConstantTime(a, b) === (a === b) && equalInConstantTime(a, a),
    );
    expect(fc.check(property)).toMatchObject({ failed: false, counterexample: null });
  });
});

describe("timestamps", () => {
  it("are read in seconds, milliseconds and RFC 3339, and nothing else", () => {
    expect(parseTimestamp("1763805600")).toBe(1_763_805_600_000);
    expect(parseTimestamp("1763805600123")).toBe(1_763_805_600_123);
    expect(parseTimestamp("2026-11-22T10:00:00+02:00")).toBe(Date.parse("2026-11-22T08:00:00Z"));
    for (const text of ["", "soon", "-5", "1e9", "Sun, 22 Nov 2026 10:00:30 GMT"])
      expect(parseTimestamp(text)).toBeUndefined();
  });
});
